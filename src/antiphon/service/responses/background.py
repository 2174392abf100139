"""Use cases of background responses: submit, follow, cancel, and the execution itself."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec
from msgspec import Struct

from antiphon.durable.ids import RunIds
from antiphon.durable.journal import Journal, close_cut_call
from antiphon.durable.log import FIRST, RunLog, encode
from antiphon.durable.ports import JournaledCatalogue
from antiphon.durable.streams import READER_BEAT
from antiphon.durable.worker import Execution, Worker, uninterrupted
from antiphon.engine.loop import Loop
from antiphon.engine.outcome import Outcome
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext, Seal, StoredContext
from antiphon.engine.steps import Note, StepNotes
from antiphon.errors import AntiphonError, InternalError, InvalidRequest, NotFound, StoreUnavailable
from antiphon.service.access.keys import Keys
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.run import TERMINAL, finished_response, shown_output
from antiphon.service.steps import MOST_STEPS, step_of
from antiphon.store import Store
from antiphon.store.runs.rows import ClaimedRun, Fenced, NewRun, RunLimits
from antiphon.store.runs.streams import STREAMING
from antiphon.wire.events import Event, ResponseCreated, ResponseIncomplete, ResponseQueued
from antiphon.wire.responses import CreateResponse, Response

log = logging.getLogger("antiphon.service")

_PRIORITIES = {"soonest": 0, "2h": 1, "8h": 2}
_MOST_EXECUTIONS = 20
"""Number of executions after which a response fails, because it may be what stops the server."""
_NEAR, _FAR = 1.0, 0.1
"""Seconds between two looks for events, if this process executes the response and if another one does."""
_CANCEL_WAIT = 5.0
"""Seconds that a cancellation waits for the server that executes the response."""
_RUNNING = ("queued", "in_progress")
_LOGGED = "log:"
"""The beginning of the names under which the steps of the log are stored until the end."""


class QueuedRequest(StoredContext, frozen=True, kw_only=True):
    """A request with everything of its context that its execution needs."""

    request: CreateResponse
    """The body of the request."""


_decode_request = msgspec.json.Decoder(QueuedRequest).decode


class Events(Struct, frozen=True):
    """Some events of a response."""

    events: list[bytes]
    """JSON texts of the events."""
    is_last: bool
    """Whether the stream ends with these events."""


class Background:
    """The background responses of all owners.

    Args:
        store: The database.
        catalogue: The models.
        responses_of: Returns the use cases of responses that use a catalogue.
        seal: Encrypts the requests in the database, which may contain credentials of MCP servers.
        keys: The API keys, whose limits count tokens.
        limits: The most responses that run at the same time.
    """

    def __init__(
        self,
        store: Store,
        catalogue: ModelCatalogue,
        responses_of: Callable[[ModelCatalogue], Responses],
        seal: Seal,
        keys: Keys,
        limits: RunLimits,
    ) -> None:
        self._store = store
        self._catalogue = catalogue
        self._responses_of = responses_of
        self._responses = responses_of(catalogue)
        self._seal = seal
        self._keys = keys
        self._worker = Worker(store.runs, self.execute, limits)
        self.signals = self._worker.signals
        """Wake-ups of the clients that follow a response."""

    async def submit(self, context: RequestContext, request: CreateResponse, key: str | None) -> Response:
        """Store a response in the state `queued`, and return it.

        A client that leaves meanwhile changes nothing.

        Args:
            context: The context of the request.
            request: The request.
            key: The name of the API key.

        Raises:
            InvalidRequest: The request is invalid.
            NotFound: The request names something that does not exist.
        """
        return await asyncio.shield(asyncio.ensure_future(self._submit(context, request, key)))

    async def _submit(self, context: RequestContext, request: CreateResponse, key: str | None) -> Response:
        mine = msgspec.structs.replace(context, ids=RunIds(context.ids("resp")))
        stored = msgspec.structs.asdict(StoredContext.of(context, key))
        queued_request = QueuedRequest(request=request, **stored)
        # Before the files of the request are loaded into it.
        sealed = self._seal.seal(context.owner, encode(queued_request))
        async with await self._responses.create(mine, request) as run:
            assert run.start is not None
            response = msgspec.structs.replace(run.loop.response, status="queued")
            options = request.background_options
            window = (options and options.completion_window) or "soonest"
            new = NewRun(
                response=msgspec.structs.replace(run.start, body=encode(response).decode()),
                backend=run.loop.model.id.partition("/")[0],
                priority=_PRIORITIES[window],
                is_streamed=request.stream is True,
                request=sealed,
                events=[encode(ResponseCreated(response, 0)), encode(ResponseQueued(response, 1))],
            )
            await self._store.runs.submit(context.owner, new)
            run.keep_lock()
        context.observer.responded(response, None)
        self._worker.wake()
        return response

    async def follow(self, owner: str, response_id: str, after: int) -> AsyncGenerator[Events, None]:
        """Return the events of a response after the one with the number `after`, until its end.

        Raises:
            NotFound: The owner has no such response.
            InvalidRequest: The response isn't a background response, or its events have expired.
        """
        state = await self._store.runs.begin_reading(owner, response_id)
        if state is None:
            response = await self._responses.get(owner, response_id)
            if response.background:
                raise InvalidRequest(
                    f"The events of response '{response_id}' have expired. Retrieve it without 'stream'.",
                    code="event_log_expired",
                    param="stream",
                )
            raise InvalidRequest(
                "Unsupported parameter: 'stream' is supported for background responses only.",
                code="unsupported_parameter",
                param="stream",
            )
        return self.events(response_id, after, is_streaming=state == STREAMING)

    async def events(
        self, response_id: str, after: int, *, is_streaming: bool = False
    ) -> AsyncGenerator[Events, None]:
        """Yield the events of a response that the client has just created, or that `follow` has checked."""
        noted = time.monotonic()
        with self.signals.listen(response_id) as listener:
            while True:
                if is_streaming and time.monotonic() - noted > READER_BEAT:
                    await self._store.runs.note_reader(response_id)
                    noted = time.monotonic()
                page = await self._store.runs.events_after(response_id, after)
                if page is None:  # The response was deleted.
                    yield Events([], is_last=True)
                    return
                after = page.last_seq
                if page.events or page.has_ended:
                    yield Events(page.events, page.has_ended)
                if page.has_ended:
                    return
                if not page.events:
                    await listener.wait(_NEAR if self._worker.is_active(response_id) else _FAR)

    async def cancel(self, owner: str, response_id: str) -> Response:
        """Cancel a response, and return it; one that has ended stays as it is.

        Raises:
            NotFound: The owner has no such response.
            InvalidRequest: The response isn't a background response.
        """
        response = await self._responses.get(owner, response_id)
        if not response.background:
            raise InvalidRequest("Cannot cancel a synchronous response.", param="response_id")
        if response.status not in _RUNNING:
            return response
        ended = msgspec.structs.replace(response, status="cancelled")
        event = encode(ResponseIncomplete(ended, FIRST))
        state = await self._store.runs.cancel(owner, response_id, finished_response(ended), event)
        self._worker.signals.wake(response_id)
        if state == "running":
            await self._wait_for_end(owner, response_id)
        return await self._responses.get(owner, response_id)

    async def _wait_for_end(self, owner: str, response_id: str) -> None:
        self._worker.cancel(response_id)
        deadline = time.monotonic() + _CANCEL_WAIT
        with self._worker.signals.listen(response_id) as listener:
            while time.monotonic() < deadline:
                response = await self._responses.get(owner, response_id)
                if response.status not in _RUNNING:
                    return
                await listener.wait(_FAR)

    @property
    def active(self) -> list[str]:
        """The IDs of the responses that this process executes."""
        return self._worker.active

    def wake(self) -> None:
        """Run responses that wait or that a stopped server has left."""
        self._worker.wake()

    async def close(self) -> None:
        """Stop the executions; other servers or the next start continue them."""
        await self._worker.close()

    async def execute(self, execution: Execution[ClaimedRun]) -> None:
        """Run a claimed response to its end, after the steps that earlier executions have finished.

        Raises:
            Fenced: Another execution has replaced this one.
            StoreUnavailable: The database failed; another execution continues.
        """
        run = execution.run
        try:
            response = await self._responses.get(run.owner, run.id)
        except NotFound:
            await self._store.runs.drop(run)  # The response was deleted.
            return
        run = await close_cut_call(self._store.runs, run)
        run_log = RunLog(
            self._store.runs,
            run,
            wake=lambda: self.signals.wake(run.id),
            on_failure=execution.stop,
            is_followed=lambda: self.signals.has_listener(run.id),
        )
        steps = _notes(self._responses.notes_of_stored(), response, run, run_log)
        end = _End(response, run_log, steps)
        sealed = self._seal.open(run.owner, run.request)
        if run.epoch > _MOST_EXECUTIONS:
            await end.fail(InternalError())
        elif sealed is None:
            changed = "The request can't be decrypted, because the server's seal key has changed."
            await end.fail(AntiphonError(changed))
        else:
            await self._create(execution, run, _decode_request(sealed), end)
        log.info("Background response ended: %s", run.id)

    async def _create(
        self,
        execution: Execution[ClaimedRun],
        run: ClaimedRun,
        queued: QueuedRequest,
        end: "_End",
    ) -> None:
        journal = Journal(run, end.run_log, ids := RunIds(run.id))
        spend = self._keys.spend_of(run.owner, queued.key)
        context = queued.restored(run.owner, ids, self._seal, spend)
        context = msgspec.structs.replace(context, steps=end.steps)
        responses = self._responses_of(JournaledCatalogue(self._catalogue, journal))
        try:
            # The backend streams in any case, so that clients can follow the response.
            request = msgspec.structs.replace(queued.request, stream=True, background_options=None)
            opened = await responses.create(context, request, queued=end.response)
        except StoreUnavailable:
            raise
        except AntiphonError as error:
            await end.fail(error)
            return
        except asyncio.CancelledError:
            if not execution.is_cancelled:
                raise
            await end.cancel(Outcome(end.response, time.time).cancel())
            return
        async with opened:
            await _drive(opened.loop, end, execution)


class _End:
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


def _notes(steps: StepNotes | None, response: Response, run: ClaimedRun, run_log: RunLog) -> StepNotes | None:
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


async def _drive(loop: Loop, end: _End, execution: Execution[ClaimedRun]) -> None:
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
