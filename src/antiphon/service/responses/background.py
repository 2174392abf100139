"""Use cases of background responses: submit, follow, cancel, and the execution itself."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Mapping

import msgspec
from msgspec import Struct

from antiphon.durable.ids import RunIds
from antiphon.durable.journal import Journal, close_cut_call
from antiphon.durable.log import FIRST, RunLog, encode
from antiphon.durable.poller import Poller
from antiphon.durable.ports import JournaledCatalogue
from antiphon.durable.streams import READER_BEAT
from antiphon.durable.tail import Tail
from antiphon.durable.worker import Execution, Worker
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import Observer, RequestContext, Seal, StoredContext, Unobserved
from antiphon.engine.response import Outcome
from antiphon.errors import AntiphonError, InternalError, InvalidRequest, NotFound, StoreUnavailable
from antiphon.ids import current_request
from antiphon.service.access.keys import Keys
from antiphon.service.responses.background_end import BackgroundEnd, drive, notes_of_execution
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.run import finished_response
from antiphon.store import Store
from antiphon.store.runs.rows import ClaimedRun, EventPage, NewRun, RunLimits
from antiphon.store.runs.streams import STREAMING
from antiphon.store.sharing.notices import QUEUE
from antiphon.wire.events import ResponseCreated, ResponseIncomplete, ResponseQueued
from antiphon.wire.responses import CreateResponse, Response

log = logging.getLogger("antiphon.service")

_PRIORITIES = {"soonest": 0, "2h": 1, "8h": 2}
_MOST_EXECUTIONS = 20
"""Number of executions after which a response fails, because it may be what stops the server."""
_LOOK = 1.0
"""Seconds between two looks for events without a wake-up, which can get lost between servers."""
_CANCEL_LOOK = 0.1
"""Seconds between two looks for the end of a response that is being cancelled."""
_CANCEL_WAIT = 5.0
"""Seconds that a cancellation waits for the server that executes the response."""
_RUNNING = ("queued", "in_progress")
_EVENTS, _CANCELLED, _FOLLOWED = "events", "cancelled", "followed"
"""Notices to other servers, each followed by the ID of a response."""


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
        self._limits = limits
        self._worker = Worker(store.runs, self.execute, limits)
        self._submitted: dict[str, Response] = {}
        """Responses that this process has claimed as they were submitted, until their execution begins."""
        self._tails: dict[str, Tail] = {}
        """The latest events of the responses that this process runs."""
        self._followed_elsewhere: set[str] = set()
        """Responses that this process runs and that clients of other servers follow."""
        self._poller = Poller(self._worker.signals, store.runs.progress, self._needs_polls)
        self.observer_of: Callable[[Mapping[str, str]], Observer] = lambda trace: Unobserved()
        """Returns the observer of an execution that continues a trace."""

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
                response=run.start,
                queued=encode(response).decode(),
                backend=run.loop.model.id.partition("/")[0],
                priority=_PRIORITIES[window],
                is_streamed=request.stream is True,
                request=sealed,
                events=[encode(ResponseCreated(response, 0)), encode(ResponseQueued(response, 1))],
            )
            has_place, claimed = self._worker.reserve(response.id), None
            try:
                limits = self._limits if has_place else None
                claimed = await self._store.runs.submit(context.owner, new, limits)
                run.keep_lock()
            finally:
                if has_place:
                    self._worker.start(response.id, claimed)
            if claimed is not None and self._worker.is_active(claimed.id):
                self._submitted[claimed.id] = run.loop.response
        context.observer.responded(response, None)
        if claimed is None:
            self._worker.wake()
            self._store.notices.send(QUEUE)
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
        noted, tell_at, tail = time.monotonic(), 0.0, None
        with self._worker.signals.listen(response_id) as listener:
            while True:
                if is_streaming and time.monotonic() - noted > READER_BEAT:
                    await self._store.runs.note_reader(response_id)
                    noted = time.monotonic()
                tail = self._tails.get(response_id, tail)
                page = await self._page(response_id, after, tail)
                if page is None:  # The response was deleted.
                    yield Events([], is_last=True)
                    return
                after = page.last_seq
                if page.events or page.has_ended:
                    yield Events(page.events, page.has_ended)
                if page.has_ended:
                    return
                if not page.events:
                    if time.monotonic() >= tell_at:
                        self._store.notices.send(f"{_FOLLOWED} {response_id}")
                        tell_at = time.monotonic() + _LOOK
                    if self._needs_polls(response_id):
                        self._poller.begin()
                    await listener.wait(min(_LOOK, READER_BEAT) if is_streaming else _LOOK)

    async def _page(self, response_id: str, after: int, tail: Tail | None) -> EventPage | None:
        """Return the next events: those of an execution of this process without a query."""
        events = None if tail is None else tail.after(after)
        if tail is None or events is None:
            return await self._store.runs.events_after(response_id, after)
        return EventPage(events=events, last_seq=after + len(events), has_ended=tail.has_ended)

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
        self._store.notices.send(f"{_CANCELLED} {response_id}")
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
                await listener.wait(_CANCEL_LOOK)

    @property
    def active(self) -> list[str]:
        """The IDs of the responses that this process executes."""
        return self._worker.active

    def wake(self) -> None:
        """Run responses that wait or that a stopped server has left."""
        self._worker.wake()

    async def listen(self) -> None:
        """Act on the notices of other servers until the task is cancelled."""
        await self._store.notices.listen(self._receive, self._look_everywhere)

    def _receive(self, notice: str) -> None:
        what, _, response_id = notice.partition(" ")
        if what == QUEUE:
            self._worker.wake()
        elif what == _CANCELLED:
            self._worker.cancel(response_id)
            self._worker.signals.wake(response_id)
        elif what == _FOLLOWED:
            self._followed_elsewhere.add(response_id)
            self._followed_elsewhere = {
                each for each in self._followed_elsewhere if self._worker.is_active(each)
            }
        else:
            self._worker.signals.wake(response_id)

    def _is_followed(self, response_id: str) -> bool:
        is_followed_here = self._worker.signals.has_listener(response_id)
        return is_followed_here or response_id in self._followed_elsewhere

    def _look_everywhere(self) -> None:
        """Look for what lost notices may have been about."""
        self._worker.wake()
        self._worker.signals.wake_all()

    def _needs_polls(self, response_id: str) -> bool:
        """Return whether nothing else wakes the readers of a response."""
        return not (self._store.notices.is_listening or self._worker.is_active(response_id))

    def tell(self, response_id: str) -> None:
        """Wake the readers of a response, here and at other servers."""
        self._worker.signals.wake(response_id)
        self._store.notices.send(f"{_EVENTS} {response_id}")

    async def close(self) -> None:
        """Stop the executions; other servers or the next start continue them."""
        self._poller.close()
        await self._worker.close()

    async def execute(self, execution: Execution[ClaimedRun]) -> None:
        """Run a claimed response to its end, after the steps that earlier executions have finished.

        Raises:
            Fenced: Another execution has replaced this one.
            StoreUnavailable: The database failed; another execution continues.
        """
        run = execution.run
        current_request.set(run.id)
        try:
            response = self._submitted.pop(run.id, None) or await self._responses.get(run.owner, run.id)
        except NotFound:
            await self._store.runs.drop(run)  # The response was deleted.
            return
        run = await close_cut_call(self._store.runs, run)
        run_log = RunLog(
            self._store.runs,
            run,
            wake=lambda: self.tell(run.id),
            on_failure=execution.stop,
            is_followed=lambda: self._is_followed(run.id),
        )
        self._tails[run.id] = run_log.tail
        try:
            await self._execute(execution, run, response, run_log)
        finally:
            run_log.tail.is_open = False
            del self._tails[run.id]

    async def _execute(
        self, execution: Execution[ClaimedRun], run: ClaimedRun, response: Response, run_log: RunLog
    ) -> None:
        steps = notes_of_execution(self._responses.notes_of_stored(), response, run, run_log)
        end = BackgroundEnd(response, run_log, steps)
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
        end: BackgroundEnd,
    ) -> None:
        journal = Journal(run.steps, end.run_log, ids := RunIds(run.id), is_cancelled=run.is_cancelled)
        spend = self._keys.spend_of(run.owner, queued.key)
        context = queued.restored(run.owner, ids, self._seal, spend, self.observer_of(queued.trace))
        context = msgspec.structs.replace(context, steps=end.steps)
        try:
            await self._run(execution, context, journal, queued, end)
        finally:
            if end.final is not None:
                context.observer.responded(end.final, end.failure)
            context.observer.ended()

    async def _run(
        self,
        execution: Execution[ClaimedRun],
        context: RequestContext,
        journal: Journal,
        queued: QueuedRequest,
        end: BackgroundEnd,
    ) -> None:
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
            await drive(opened.loop, end, execution)
