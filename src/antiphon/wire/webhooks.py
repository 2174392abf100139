"""Webhook endpoints, the requests that change them, and the events that they receive."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

WEBHOOK_PREFIX = "whe"
"""Prefix of the IDs of webhook endpoints."""

EventType = Literal[
    "batch.cancelled",
    "batch.completed",
    "batch.expired",
    "batch.failed",
    "response.cancelled",
    "response.completed",
    "response.failed",
    "response.incomplete",
]
"""Types of the events that this server sends."""

Name = Annotated[str, Meta(min_length=1, max_length=256)]
EventTypes = Annotated[list[EventType], Meta(min_length=1, max_length=50)]


class WebhookEndpoint(Struct, kw_only=True):
    """Webhook endpoint."""

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    updated_at: int
    """Time of the last change of the endpoint or of its secret."""
    name: str
    url: str
    event_types: list[EventType]
    signing_secret_hint: str
    signing_secret: str | UnsetType = UNSET
    """Secret, in the responses that create or rotate it only."""


class CreateWebhookEndpoint(Struct, kw_only=True):
    """Body of `POST /v1/webhook_endpoints`."""

    name: Name
    url: str
    event_types: EventTypes


class UpdateWebhookEndpoint(Struct, kw_only=True):
    """Body of `POST /v1/webhook_endpoints/{id}`; absent fields stay as they are."""

    name: Name | UnsetType = UNSET
    url: str | UnsetType = UNSET
    event_types: EventTypes | UnsetType = UNSET


class RotateSecret(Struct, kw_only=True):
    """Body of `POST /v1/webhook_endpoints/{id}/rotate_secret`."""

    keep_old_secret_active_for_24_hours: bool = False


class SendTest(Struct, kw_only=True):
    """Body of `POST /v1/webhook_endpoints/{id}/test`."""

    event_type: EventType


class WebhookTest(Struct, kw_only=True):
    """Result of a test, for any status that the endpoint returned."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    event_type: EventType
    status_code: int
    success: Literal[True] = True
    webhook_endpoint_id: str


class DeletedWebhookEndpoint(Struct):
    """Response to `DELETE /v1/webhook_endpoints/{id}`."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: bool = True


class WebhookEventTypes(Struct):
    """List of the event types."""

    data: list[str]
    object: Literal["list"] = "list"


class EventData(Struct):
    """Object of an event."""

    id: str


class WebhookEvent(Struct, kw_only=True):
    """Body of a delivery."""

    id: str
    object: Literal["event"] = "event"
    created_at: int
    type: EventType
    data: EventData
