"""Rows of deliveries."""

from sqlalchemy import func, select

from antiphon.store import Store
from antiphon.store.webhooks.tables import webhook_deliveries


async def count_deliveries(store: Store, *, attempted: bool = False) -> int:
    """Return how many deliveries have not ended; with `attempted`, only those after an attempt."""
    counted = select(func.count()).select_from(webhook_deliveries)
    if attempted:
        counted = counted.where(webhook_deliveries.c.due_at > 0)
    return await store._database.read(lambda c: c.execute(counted).scalar_one())
