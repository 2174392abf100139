"""Pending responses: from their beginning until the write of their end is queued."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from antiphon.store.database import Database, Job
from antiphon.store.responses.rows import FinishedResponse, NewResponse
from antiphon.store.responses.unfinished import fail_unfinished
from antiphon.store.responses.writes import (
    Beginning,
    Ending,
    Whole,
    begin_responses,
    finish_responses,
    store_responses,
)

A = TypeVar("A")
R = TypeVar("R")

_BEGIN, _STORE, _FINISH = 0, 1, 2
"""Ranks of the frequent writes: those of one rank share a few statements in each group."""


class _Held(Struct, frozen=True):
    """A response that exists only in memory, because no client has received its id."""

    beginning: Beginning
    timer: asyncio.TimerHandle
    """Queues the write of the beginning when it fires."""


class PendingResponses:
    """The responses that this server runs for all owners.

    Call `begin` or `begin_later` once per response, then `finish` once. In between, the response is pending:
    first held in memory if it began with `begin_later`, then represented by the write of its beginning. When
    the write of its end fails, the response is unfinished until the next `write_after_cleanup`: the database
    has it in progress, and it may lock a conversation.

    Queued writes are committed whether their futures are awaited or not. All methods belong to the event
    loop of the database.
    """

    def __init__(self, database: Database, server_id: str) -> None:
        self._database = database
        self._server_id = server_id
        self._pending: dict[str, _Held | Job[object]] = {}
        self._unfinished: set[str] = set()

    def begin(self, owner: str, new: NewResponse) -> asyncio.Future[None]:
        """Queue the write of a response in progress and its input.

        Returns:
            A future that fails with `DuplicateItem` or `ItemNotFound`. The future of `finish` then fails
            with the same error, so this one need not be awaited.
        """
        return self._enqueue(Beginning(owner, self._server_id, new)).future

    def begin_later(self, owner: str, new: NewResponse, seconds: float) -> None:
        """Hold a response in memory, and queue the write of its beginning after `seconds`.

        If the response ends earlier, one write stores it whole. The future of `finish` then also fails with
        the errors of `begin`.
        """
        timer = asyncio.get_running_loop().call_later(seconds, self.begun, new.id)
        self._pending[new.id] = _Held(Beginning(owner, self._server_id, new), timer)

    def finish(self, owner: str, finished: FinishedResponse) -> asyncio.Future[None]:
        """Queue the write of a response's end, its output and all effects of its end.

        In the same transaction, the input and output of a completed or incomplete response are added to its
        conversation, and the lock of the conversation is released in any case. A response that was deleted
        before its end leaves nothing.

        Returns:
            A future that fails with the error of the beginning, or with `DuplicateItem`.
        """
        pending = self._pending.get(finished.id)
        if isinstance(pending, _Held):
            pending.timer.cancel()
            whole = Whole(pending.beginning, finished)
            return self.end(finished.id, store_responses, whole, rank=_STORE)
        return self.end(finished.id, finish_responses, Ending(owner, finished), rank=_FINISH)

    def end(
        self, response_id: str, run: Callable[[Connection, list[A]], None], argument: A, *, rank: int
    ) -> asyncio.Future[None]:
        """Queue another write of a response's end, in place of `finish`; see `Database.enqueue`."""
        pending = self._pending.pop(response_id, None)
        return self._database.enqueue(
            run,
            argument,
            rank=rank,
            patient=bool(self._pending),  # Other responses are in progress and may end now.
            after=None if isinstance(pending, _Held) else pending,
            on_failure=partial(self._unfinished.add, response_id),
        ).future

    def flush(self) -> None:
        """Queue the beginnings of all responses that are held in memory."""
        for response_id in list(self._pending):
            self.begun(response_id)

    async def wait_until_begun(self, response_id: str) -> None:
        """Wait until the beginning of a response is stored or has failed.

        Return at once if the response is not pending. A client that has received the id of a response can
        read the response after this.
        """
        begun = self.begun(response_id)
        if begun is not None:
            await asyncio.wait([begun.future])

    def clean_up_later(self, response_id: str) -> None:
        """Leave the conversation lock of a response that did not begin to the next `write_after_cleanup`."""
        self._unfinished.add(response_id)

    async def write_after_cleanup(self, run: Callable[[Connection, int], R]) -> R:
        """Fail the unfinished responses and run `run` in the same transaction.

        Args:
            run: Receives how many of the unfinished responses the database had in progress.

        Returns:
            The result of `run`, after COMMIT.
        """
        unfinished = tuple(self._unfinished)

        def write(connection: Connection) -> R:
            failed = fail_unfinished(connection, unfinished) if unfinished else 0
            return run(connection, failed)

        result = await self._database.write(write)
        self._unfinished.difference_update(unfinished)
        return result

    def begun(self, response_id: str) -> Job[object] | None:
        """Return the write of a pending response's beginning, which is queued if the response was held."""
        pending = self._pending.get(response_id)
        if isinstance(pending, _Held):
            pending.timer.cancel()
            return self._enqueue(pending.beginning)
        return pending

    def _enqueue(self, beginning: Beginning) -> Job[object]:
        # Patient, as no client waits for a beginning: the request to the backend is sent first.
        job = self._database.enqueue(begin_responses, beginning, rank=_BEGIN, patient=True)
        job.future.add_done_callback(retrieve_error)
        self._pending[beginning.new.id] = job
        return job


def retrieve_error(future: asyncio.Future[None]) -> None:
    """Keep asyncio from logging an error that `finish` reports as well."""
    if not future.cancelled():
        future.exception()
