"""Batches of all owners."""

from collections.abc import AsyncIterator, Callable, Collection
from functools import partial

from sqlalchemy import Connection, Select, select

from antiphon.store.batches.queue import (
    cancel,
    change,
    claim,
    close,
    end,
    held,
    submit,
    waiting,
    write_lines,
    write_steps,
)
from antiphon.store.batches.rows import (
    BatchEnd,
    BatchLimits,
    ClaimedBatch,
    LineResult,
    LineStep,
    NewBatch,
    StoredBatch,
)
from antiphon.store.batches.tables import batch_lines, batch_steps, batches
from antiphon.store.database import Database
from antiphon.store.deletions.slices import write_in_slices
from antiphon.store.errors import ObjectNotFound
from antiphon.store.paging import OwnedRecords
from antiphon.store.webhooks.webhooks import WebhookRecords

_STEP_RANK, _RANK = 4, 5
"""Ranks of the frequent writes: finished calls, then results of lines."""
_ROWS = 16
"""Results that are read at once; each can have megabytes."""


class BatchRecords(OwnedRecords[StoredBatch]):
    """The batches of all owners.

    `claim` begins an execution with an epoch of its own; writes of earlier executions raise `Fenced` from
    then on, as those of background responses do.
    """

    def __init__(
        self, database: Database, server_id: str, webhooks: WebhookRecords, clock: Callable[[], float]
    ) -> None:
        super().__init__(database, batches, StoredBatch, "Batch")
        self._server_id = server_id
        self._webhooks = webhooks
        self._clock = clock

    async def submit(self, owner: str, new: NewBatch) -> None:
        """Store a batch, and queue it."""
        await self._database.write(lambda c: submit(c, owner, new, self._clock()))

    async def cancel(self, owner: str, batch_id: str, changed: Callable[[str], str | None]) -> str:
        """Change the object of a batch to the one that is being cancelled; return the one before.

        Args:
            owner: The owner of the batch.
            batch_id: The ID of the batch.
            changed: Returns the new object; None leaves the batch as it is.

        Raises:
            ObjectNotFound: The owner has no such batch.
        """
        body = await self._database.write(lambda c: cancel(c, owner, batch_id, changed))
        if body is None:
            raise ObjectNotFound("Batch", batch_id)
        return body

    async def is_waiting(self, active: Collection[str]) -> bool:
        """Return whether a batch is queued or was left by its server; `active` are those of this one."""
        found = select(waiting(self._server_id, active))
        return await self._database.read(lambda c: c.execute(found).scalar_one())

    async def claim(self, active: Collection[str], limits: BatchLimits) -> ClaimedBatch | None:
        """Begin an execution of the next batch; None if no batch waits or can begin within the limits."""
        now = self._clock()
        return await self._database.write(lambda c: claim(c, self._server_id, active, limits, now))

    async def held(self, active: Collection[str]) -> dict[str, bool]:
        """Return the batches that this server still executes, each with whether it is to be cancelled."""
        return await self._database.read(lambda c: held(c, self._server_id, active))

    async def change(
        self, batch: ClaimedBatch, changed: Callable[[str], str], *, total: int | None = None
    ) -> str:
        """Change the object of a batch; return the new one.

        Args:
            batch: The execution.
            changed: Returns the new object.
            total: The number of lines; None leaves it as it is.

        Raises:
            Fenced: Another execution has replaced this one.
        """
        counts = {} if total is None else {"total": total}
        return await self._database.write(lambda c: change(c, batch, changed, counts))

    async def add_line(self, result: LineResult) -> None:
        """Store the result of a line.

        Raises:
            Fenced: Another execution has replaced this one.
        """
        await self._database.enqueue(write_lines, result, rank=_RANK, patient=True).future

    async def add_step(self, step: LineStep) -> None:
        """Store a finished call of a line.

        Raises:
            Fenced: Another execution has replaced this one.
        """
        await self._database.enqueue(write_steps, step, rank=_STEP_RANK, patient=True).future

    async def begun_lines(self, batch_id: str) -> set[int]:
        """Return the numbers of the lines that have finished calls, but no result."""
        numbers = select(batch_steps.c.number).where(batch_steps.c.batch_id == batch_id).distinct()
        return set(await self._database.read(lambda c: c.execute(numbers).scalars().all()))

    async def steps(self, batch_id: str, number: int) -> dict[str, str | None]:
        """Return the finished calls of a line by name; None for a tool call that has only begun."""
        chosen = select(batch_steps.c.name, batch_steps.c.body).where(
            batch_steps.c.batch_id == batch_id, batch_steps.c.number == number
        )
        return dict(await self._database.read(lambda c: c.execute(chosen).all()))

    async def finished_lines(self, batch_id: str) -> set[int]:
        """Return the numbers of the lines that have results."""
        numbers = select(batch_lines.c.number).where(batch_lines.c.batch_id == batch_id)
        return set(await self._database.read(lambda c: c.execute(numbers).scalars().all()))

    async def lines(self, batch_id: str, *, is_error: bool) -> AsyncIterator[str]:
        """Yield the results of a batch for one of its files, in the order of its lines."""
        mine = (batch_lines.c.batch_id == batch_id) & (batch_lines.c.is_error == is_error)
        chosen = select(batch_lines.c.number, batch_lines.c.body).where(mine).order_by(batch_lines.c.number)
        after, more = 0, True
        while more:
            rows = await self._database.read(partial(_rows, after=after, chosen=chosen))
            for number, body in rows:
                after = number
                yield body
            more = len(rows) == _ROWS

    async def end(self, batch: ClaimedBatch, ended: BatchEnd) -> None:
        """Store the final status of a batch, and the records of its files.

        Raises:
            Fenced: Another execution has replaced this one.
        """

        def run(connection: Connection) -> None:
            end(connection, batch, ended, self._clock())
            self._webhooks.queue(connection, batch.owner, ended.event, batch.id)

        await self._database.write(run)
        self._webhooks.notify()

    async def close(self, batch: ClaimedBatch) -> None:
        """Delete the results of a batch, whose files contain them, and end its execution.

        Raises:
            Fenced: Another execution has replaced this one.
        """
        await write_in_slices(self._database, partial(close, batch=batch))


def _rows(connection: Connection, after: int, chosen: Select[int, str]) -> list[tuple[int, str]]:
    some = chosen.where(batch_lines.c.number > after).limit(_ROWS)
    return [(number, body) for number, body in connection.execute(some)]
