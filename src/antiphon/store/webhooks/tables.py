"""Tables of webhooks."""

from sqlalchemy import Column, Connection, Double, ForeignKey, Index, Integer, Table, Text

from antiphon.store.tables import metadata, partial_index

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("event_types", Text, nullable=False),  # A JSON array
    Column("secret", Text, nullable=False),  # Encrypted
    Column("hint", Text, nullable=False),
    Column("old_secret", Text),  # The one before, encrypted
    Column("old_until", Double),  # Time until which deliveries are also signed with the old secret
)
Index(
    "webhook_endpoints_by_time",
    webhook_endpoints.c.owner,
    webhook_endpoints.c.created_at,
    webhook_endpoints.c.id,
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Text, primary_key=True),  # The ID of the event, the same for all attempts
    Column("endpoint_id", Text, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("due_at", Double, nullable=False),  # Time of the next attempt; 0 for the first one
    Column("holder", Text),  # The server that makes an attempt
    Column("epoch", Integer, nullable=False),  # Number of attempts; writes of an earlier one are rejected
)
"""The events that their endpoints haven't received; a delivery that has ended has no row."""
Index("webhook_deliveries_due", webhook_deliveries.c.due_at)
Index(
    "webhook_deliveries_of_endpoints",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.due_at,
    webhook_deliveries.c.created_at,
)
partial_index("webhook_deliveries_held", [webhook_deliveries.c.holder], "holder IS NOT NULL")


def m016_webhooks(connection: Connection) -> None:
    """Add the tables of webhooks."""
    metadata.create_all(connection, [webhook_endpoints, webhook_deliveries])
