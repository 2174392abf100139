"""Records of webhooks."""

from msgspec import Struct


class StoredEndpoint(Struct, frozen=True, kw_only=True):
    """A webhook endpoint."""

    id: str
    """The ID of the endpoint."""
    created_at: float
    """The time of creation in the API."""
    updated_at: float
    """The time of the last change."""
    name: str
    """The name."""
    url: str
    """The URL that receives events."""
    event_types: str
    """The types of the events, as a JSON array."""
    secret: str
    """The encrypted secret."""
    hint: str
    """The end of the secret, for people."""
    old_secret: str | None = None
    """The encrypted secret before the latest rotation."""
    old_until: float | None = None
    """The time until which deliveries are also signed with the old secret."""


class DeliveryLimits(Struct, frozen=True, kw_only=True):
    """The most deliveries at the same time."""

    per_process: int = 32
    """Deliveries of one server."""
    per_owner: int = 8
    """Deliveries of one owner, on all servers of the database."""
    per_endpoint: int = 2
    """Deliveries to one endpoint, on all servers of the database."""


class ClaimedDelivery(Struct, frozen=True, kw_only=True):
    """A delivery that belongs to this server from now on."""

    id: str
    """The ID of the event."""
    owner: str
    """The owner of the endpoint."""
    epoch: int
    """The number of this attempt."""
    event_type: str
    """The type of the event."""
    object_id: str
    """The ID of the response or batch."""
    created_at: float
    """The time of the event."""
    url: str
    """The URL of the endpoint."""
    secret: str
    """The encrypted secret of the endpoint."""
    old_secret: str | None
    """The encrypted secret before the latest rotation."""
    old_until: float | None
    """The time until which deliveries are also signed with the old secret."""
    is_cancelled: bool = False
    """Deliveries can't be cancelled; that of a deleted endpoint is deleted."""
