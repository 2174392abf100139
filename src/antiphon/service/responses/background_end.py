"""The run of a background response, and its end in the database."""

import asyncio
import logging
import time
from contextlib import aclosing

from antiphon.durable.log import RunLog, encode
from antiphon.durable.worker import Execution, uninterrupted
from antiphon.engine.loop import Loop
from antiphon.engine.response import Outcome
from antiphon.engine.steps import Note, StepNotes
from antiphon.errors import AntiphonError, InternalError, StoreUnavailable
from antiphon.service.responses.run import TERMINAL, finished_response, shown_output
from antiphon.service.steps import MOST_STEPS, step_of
from antiphon.store.runs.rows import ClaimedRun, Fenced
from antiphon.wire.events import Event, ResponseIncomplete
from antiphon.wire.responses import Response

log = logging.getLogger("antiphon.service")

_LOGGED = "log:"
"""The beginning of the names under which the steps of the log are stored until the end."""


class BackgroundEnd:
    """The end of a response, which is stored with its log.

    Args:
        response: The response before its end.
        run_log: The log of the execution's events.
        steps: The calls of the response; None if it has no log.
    """

    def __init__(self, response: Response, run_log: RunLog, steps: StepNotes | None) -> None:
        self.response = response
        self.run_log = run_log
        self.steps = steps
        self.final: Response | None = None
        """The response as it ended; None before its end was stored."""
        self.failure: AntiphonError | None = None
        """The error that it failed with."""

    async def store(self, loop: Loop, events: list[Event]) -> None:
        """Store the end of a response; one that cannot be stored fails."""
        try:
            await self._store(events, loop.include, loop.failure)
        except StoreUnavailable:
            raise
        except AntiphonError as error:
            await self._store(loop.fail(error, instead_of=events[-1]), loop.include, error)

    async def cancel(self, response: Response) -> None:
        """Store the cancelled response."""
        await self._store([ResponseIncomplete(response)], ())

    async def fail(self, error: AntiphonError) -> None:
        """Store the response as failed before it made a call."""
        await uninterrupted(self._store(Outcome(self.response, time.time).fail(error), (), error))

    async def _store(
        self,
        events: list[Event],
        include: "frozenset[str] | tuple[()]",
        error: AntiphonError | None = None,
    ) -> None:
        last = events[-1]
        assert isinstance(last, TERMINAL)
        finished = finished_response(last.response, self.steps, error)
        last.response.output = shown_output(last.response, include)
        await self.run_log.end(events, finished)
        self.final, self.failure = last.response, error


def notes_of_execution(
    steps: StepNotes | None, response: Response, run: ClaimedRun, run_log: RunLog
) -> StepNotes | None:
    """Return the notes of an execution, with the calls that earlier ones have made.

    Each call is stored at its end, so that a later execution, which does not make it again, has its times.
    """
    if steps is None:
        return None
    steps.began -= max(0.0, time.time() - response.created_at)
    steps.earlier = {
        int(name.removeprefix(_LOGGED)): text
        for name, text in run.steps.items()
        if name.startswith(_LOGGED) and text is not None
    }

    def keep(number: int, note: Note) -> None:
        if number not in steps.earlier and number < MOST_STEPS:
            text = encode(step_of(steps, note, time.perf_counter())).decode()
            run_log.keep_step(f"{_LOGGED}{number}", text)

    steps.on_end = keep
    return steps


async def drive(loop: Loop, end: BackgroundEnd, execution: Execution[ClaimedRun]) -> None:
    """Run the engine to the end, and store its events and the outcome."""
    run_log = end.run_log
    try:
        async with aclosing(loop.events()) as batches:
            async for events in batches:
                if isinstance(events[-1], TERMINAL):
                    await uninterrupted(end.store(loop, events))
                else:
                    await run_log.append(events)
    except asyncio.CancelledError:
        if run_log.error is not None:
            raise run_log.error from None
        if not execution.is_cancelled:
            raise
        await uninterrupted(end.cancel(loop.cancel()))
    except (Fenced, StoreUnavailable):
        raise
    except Exception:
        # The boundary of a response: it also ends after a fault of this server.
        log.exception("Failed to run a background response: %s", loop.response.id)
        await uninterrupted(end.store(loop, loop.fail(InternalError())))
