"""The queue of deliveries: events, claims, attempts."""

import time
from collections import Counter
from collections.abc import Collection

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, or_, select, text, update

from antiphon.ids import SHORT, new_id
from antiphon.store.tables import is_left
from antiphon.store.webhooks.rows import ClaimedDelivery, DeliveryLimits
from antiphon.store.webhooks.tables import webhook_deliveries as deliveries
from antiphon.store.webhooks.tables import webhook_endpoints as endpoints

_LOCK = 0x616E7473
"""The key of PostgreSQL's advisory lock: one server claims at a time, so that limits hold."""
_is_free = deliveries.c.holder.is_(None)
# Made once, because the end of each background response executes it.
_ENDPOINTS = select(endpoints.c.id, endpoints.c.event_types).where(
    endpoints.c.owner == bindparam("the_owner")
)


def queue_event(connection: Connection, owner: str, event_type: str, object_id: str) -> int:
    """Queue an event for the owner's endpoints, in the transaction that makes it true.

    Returns:
        How many endpoints receive it.
    """
    rows = [
        {
            "id": new_id("evt", SHORT),
            "endpoint_id": row.id,
            "owner": owner,
            "event_type": event_type,
            "object_id": object_id,
            "created_at": time.time(),
            "due_at": 0.0,
            "epoch": 0,
        }
        for row in connection.execute(_ENDPOINTS, {"the_owner": owner})
        if event_type in msgspec.json.decode(row.event_types)
    ]
    if rows:
        connection.execute(insert(deliveries), rows)
    return len(rows)


def waiting(server_id: str, active: Collection[str], now: float) -> ColumnElement[bool]:
    """Return the condition that a delivery is due, or belongs to no server that makes it."""
    return select(deliveries.c.id).where(_is_due(server_id, active, now)).exists()


def claim(
    connection: Connection, server_id: str, active: Collection[str], limits: DeliveryLimits, now: float
) -> ClaimedDelivery | None:
    """Give this server the next delivery: one to the endpoint with the fewest attempts in progress."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    delivery_id = _next_due(connection, _is_due(server_id, active, now), limits)
    if delivery_id is None:
        return None
    taken = (
        update(deliveries)
        .where(deliveries.c.id == delivery_id)
        .values(holder=server_id, epoch=deliveries.c.epoch + 1)
    )
    connection.execute(taken)
    columns = (
        *(deliveries.c[name] for name in ("id", "owner", "epoch", "event_type", "object_id", "created_at")),
        *(endpoints.c[name] for name in ("url", "secret", "old_secret", "old_until")),
    )
    claimed = (
        select(*columns)
        .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
        .where(deliveries.c.id == delivery_id)
    )
    return ClaimedDelivery(**connection.execute(claimed).one()._asdict())


def held(connection: Connection, server_id: str, active: Collection[str]) -> dict[str, bool]:
    """Return the deliveries that this server still makes; none of them is cancelled."""
    found = select(deliveries.c.id).where(deliveries.c.id.in_(active), deliveries.c.holder == server_id)
    return dict.fromkeys(connection.execute(found).scalars(), False)


def end(connection: Connection, delivery: ClaimedDelivery) -> None:
    """Remove a delivery, unless another server makes it by now."""
    connection.execute(delete(deliveries).where(_is_held_by(delivery)))


def postpone(connection: Connection, delivery: ClaimedDelivery, due_at: float) -> None:
    """Queue the next attempt of a delivery, unless another server makes it by now."""
    connection.execute(update(deliveries).where(_is_held_by(delivery)).values(holder=None, due_at=due_at))


def _is_held_by(delivery: ClaimedDelivery) -> ColumnElement[bool]:
    return (deliveries.c.id == delivery.id) & (deliveries.c.epoch == delivery.epoch)


def _is_due(server_id: str, active: Collection[str], now: float) -> ColumnElement[bool]:
    free_or_left = or_(_is_free, is_left(deliveries.c.holder, server_id) & deliveries.c.id.not_in(active))
    return (deliveries.c.due_at <= now) & free_or_left


def _next_due(connection: Connection, is_due: ColumnElement[bool], limits: DeliveryLimits) -> str | None:
    by_owner, by_endpoint = Counter[str](), Counter[str]()
    running = select(deliveries.c.owner, deliveries.c.endpoint_id).where(~_is_free, ~is_due)
    for owner, endpoint in connection.execute(running):
        by_owner[owner] += 1
        by_endpoint[endpoint] += 1
    # One look into the index for each endpoint, however many events wait for it.
    first = (
        select(deliveries.c.id)
        .where(deliveries.c.endpoint_id == endpoints.c.id, is_due)
        .order_by(deliveries.c.due_at, deliveries.c.created_at)
        .limit(1)
        .correlate(endpoints)
        .scalar_subquery()
    )
    found = [
        (by_owner[row.owner], by_endpoint[row.id], row.delivery_id)
        for row in connection.execute(select(endpoints.c.id, endpoints.c.owner, first.label("delivery_id")))
        if row.delivery_id is not None
        and by_owner[row.owner] < limits.per_owner
        and by_endpoint[row.id] < limits.per_endpoint
    ]
    return min(found)[2] if found else None
