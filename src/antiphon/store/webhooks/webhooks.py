"""Webhook endpoints of all owners, and their deliveries."""

from collections.abc import Callable, Collection

from sqlalchemy import Connection, delete, func, insert, select, update

from antiphon.store.database import Database
from antiphon.store.errors import ObjectNotFound
from antiphon.store.paging import OwnedRecords
from antiphon.store.webhooks.queue import claim, end, held, postpone, queue_event, waiting
from antiphon.store.webhooks.rows import ClaimedDelivery, DeliveryLimits, StoredEndpoint
from antiphon.store.webhooks.tables import webhook_endpoints as endpoints


def _ignore() -> None:
    pass


class WebhookRecords(OwnedRecords[StoredEndpoint]):
    """The webhook endpoints of all owners, and the queue of events that they have not received.

    The transactions that end background responses and batches queue the events.
    """

    def __init__(self, database: Database, server_id: str, clock: Callable[[], float]) -> None:
        super().__init__(database, endpoints, StoredEndpoint, "Webhook endpoint")
        self._server_id = server_id
        self._clock = clock
        self._has_queued = False
        self.on_queued: Callable[[], None] = _ignore
        """Called on the event loop when this server has queued events."""

    def queue(self, connection: Connection, owner: str, event_type: str, object_id: str) -> None:
        """Queue an event for the owner's endpoints, in the transaction that makes it true.

        Call `notify` after the transaction.
        """
        if queue_event(connection, owner, event_type, object_id):
            self._has_queued = True

    def notify(self) -> None:
        """Deliver events soon if a transaction of this server has queued some."""
        if self._has_queued:
            self._has_queued = False
            self.on_queued()

    async def add(self, owner: str, endpoint: StoredEndpoint) -> None:
        """Store a new endpoint."""
        row = {name: getattr(endpoint, name) for name in endpoint.__struct_fields__} | {"owner": owner}
        await self._database.write(lambda c: c.execute(insert(endpoints), row))

    async def count(self, owner: str) -> int:
        """Return how many endpoints an owner has."""
        mine = select(func.count()).select_from(endpoints).where(endpoints.c.owner == owner)
        return await self._database.read(lambda c: c.execute(mine).scalar_one())

    async def update(
        self, owner: str, endpoint_id: str, changes: dict[str, str | float | None]
    ) -> StoredEndpoint:
        """Change columns of an endpoint; return the new one.

        Raises:
            ObjectNotFound: The owner has no such endpoint.
        """
        mine = (endpoints.c.id == endpoint_id) & (endpoints.c.owner == owner)
        changed = update(endpoints).where(mine).values(changes)
        await self._database.write(lambda c: c.execute(changed))
        return await self.get(owner, endpoint_id)

    async def delete(self, owner: str, endpoint_id: str) -> None:
        """Delete an endpoint and its deliveries.

        Raises:
            ObjectNotFound: The owner has no such endpoint.
        """
        gone = delete(endpoints).where(endpoints.c.id == endpoint_id, endpoints.c.owner == owner)
        if await self._database.write(lambda c: c.execute(gone).rowcount) == 0:
            raise ObjectNotFound("Webhook endpoint", endpoint_id)

    async def is_waiting(self, active: Collection[str]) -> bool:
        """Return whether a delivery is due or was left by its server; `active` are those of this one."""
        found = select(waiting(self._server_id, active, self._clock()))
        return await self._database.read(lambda c: c.execute(found).scalar_one())

    async def claim(self, active: Collection[str], limits: DeliveryLimits) -> ClaimedDelivery | None:
        """Begin an attempt of the next delivery; None if none is due or can begin within the limits."""
        now = self._clock()
        return await self._database.write(lambda c: claim(c, self._server_id, active, limits, now))

    async def held(self, active: Collection[str]) -> dict[str, bool]:
        """Return the deliveries that this server still makes; none of them is cancelled."""
        return await self._database.read(lambda c: held(c, self._server_id, active))

    async def end(self, delivery: ClaimedDelivery) -> None:
        """Remove a delivery that has arrived, or that is given up."""
        await self._database.write(lambda c: end(c, delivery))

    async def postpone(self, delivery: ClaimedDelivery, seconds: float) -> None:
        """Queue the next attempt of a delivery, in some seconds."""
        due_at = self._clock() + seconds
        await self._database.write(lambda c: postpone(c, delivery, due_at))
