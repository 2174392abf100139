"""Responses over WebSocket, with requests and events as text frames.

A request is a frame `{"type": "response.create", ...}`. The server handles requests one after another, and
sends the events of a stream for each. The connection stays usable after an error.
See https://developers.openai.com/api/docs/guides/websocket-mode.
"""

import asyncio
import logging
from contextlib import aclosing

import msgspec
from msgspec import Struct
from starlette.requests import HTTPConnection
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from antiphon.decode import bodies
from antiphon.decode.bounds import FLAT, LONG, check_structure
from antiphon.dialects.llama_stack import OPENAI
from antiphon.dialects.llama_stack_wire import with_defaults
from antiphon.engine.slices import in_thread
from antiphon.errors import (
    AntiphonError,
    ConnectionBusy,
    ConnectionExpired,
    InternalError,
    InvalidRequest,
    RequestTooLarge,
)
from antiphon.ids import current_request
from antiphon.observe import request_log
from antiphon.observe.record import Record
from antiphon.server.edge.authentication import bearer
from antiphon.server.edge.dialects import in_dialect
from antiphon.server.edge.requests import context_of, decode, dialect, has_openai_events, refuse_own
from antiphon.server.edge.state import (
    RequestState,
    begin_request,
    note_refusal,
    record_of,
    server_state,
)
from antiphon.service.access.keys import Caller
from antiphon.service.responses.gather import Turn
from antiphon.wire.json import JSON
from antiphon.wire.responses import ResponseCreateEvent

log = logging.getLogger("antiphon.server")

LIMIT = 60 * 60.0
"""Seconds after which a connection accepts no more requests, as at api.openai.com."""
MAX_WAITING = 16
"""Requests that may wait for the request in progress."""
MAX_WAITING_SIZE = 32 * 1024 * 1024
"""Size limit of the requests that wait, together: characters, or bytes of binary frames."""

_encode = msgspec.json.Encoder().encode


async def connect(websocket: WebSocket) -> None:
    """Open a connection for responses."""
    refuse_own(websocket)
    await websocket.accept()
    record_of(websocket).opened()
    await Session(websocket).run(LIMIT)


routes = [WebSocketRoute("/v1/responses", connect)]


class Session:
    """One connection.

    It keeps the latest response in memory, which the client can continue even if it isn't stored.
    """

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._latest: Turn | None = None
        self._server = server_state(websocket)
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._waiting_size = 0

    async def run(self, limit: float) -> None:
        """Handle requests until the client disconnects or the connection expires.

        A disconnect cancels the response in progress.

        Args:
            limit: Seconds after which the connection accepts no more requests.
        """
        expiry = asyncio.get_running_loop().call_later(limit, self.expire)
        try:
            async with asyncio.TaskGroup() as group:
                work = group.create_task(self._work())
                await self._receive()
                work.cancel()
        finally:
            expiry.cancel()

    def expire(self) -> None:
        """Send an error after the requests that have arrived, then close the connection."""
        self._frames.put_nowait(None)

    async def _receive(self) -> None:
        while (message := await self._websocket.receive())["type"] != "websocket.disconnect":
            text: str | None = message.get("text")
            frame: str | bytes = message["bytes"] if text is None else text
            waiting, size = self._frames.qsize(), self._waiting_size + len(frame)
            if waiting < MAX_WAITING and (not waiting or size <= MAX_WAITING_SIZE):
                self._waiting_size = size
                self._frames.put_nowait(frame)
            else:
                record, error = self._record(), ConnectionBusy(waiting)
                try:
                    await self._refuse(error, record)
                except WebSocketDisconnect:
                    return
                finally:
                    record.ended()
                request_log.write(record)

    async def _work(self) -> None:
        try:
            while (frame := await self._frames.get()) is not None:
                self._waiting_size -= len(frame)
                await self._answer(frame)
            await self._send_error(ConnectionExpired())
            await self._websocket.close()
        except WebSocketDisconnect:
            pass  # The receiver gets it too, and ends the connection.

    async def _answer(self, frame: str | bytes) -> None:
        """Handle a frame, a separate request with the headers of the connection."""
        record = self._record()
        request: HTTPConnection = HTTPConnection({**self._websocket.scope})
        state = begin_request(request.scope, record)
        if current_request.get() is not None:  # None for a frozen server
            current_request.set(record.request_id)
        if self._server.watch is not None:
            self._server.watch(record)
        try:
            await self._respond(frame, request, state)
            record.status = 200
        except AntiphonError as error:
            self._forget(frame)
            await self._refuse(error, record, state)
        except WebSocketDisconnect:
            raise
        except Exception:
            # The request boundary: a bug in this server becomes an error event. The connection stays open.
            log.exception("Failed to handle a WebSocket frame")
            self._forget(frame)
            await self._refuse(InternalError(), record, state)
        finally:
            record.ended()
            request_log.write(record)

    async def _respond(self, frame: str | bytes, request: HTTPConnection, state: RequestState) -> None:
        responses = self._server.services.responses
        given, wanted = self._body(frame), dialect(request)
        if len(given) > FLAT:
            await check_structure(given)
        decoder = bodies.response_create_event
        if len(given) > LONG:
            body = await in_thread(lambda: decode(request, decoder, given))
        else:
            body = decode(request, decoder, given)
        if wanted is not OPENAI:
            body = with_defaults(body, wanted)
        _check(body)
        body.stream = True
        caller = state.caller = await self._caller()
        if caller is not None:
            state.record.key = caller.name
            await caller.begin_request()
            await caller.begin_stream()
        is_openai = has_openai_events(request)
        try:
            async with (
                await responses.create(context_of(request), body, self._latest) as run,
                aclosing(run.events()) as batches,
            ):
                async for events in batches:
                    for event in events if is_openai else in_dialect(request, events, run.loop.response.id):
                        await self._send(event)
        finally:
            if caller is not None:
                caller.end_stream()
        turn = run.turn()
        if turn is not None:
            self._latest = turn
        else:
            self._forget(frame)

    async def _caller(self) -> Caller | None:
        """Return the holder of the key, which may have been revoked since."""
        header: str = self._websocket.headers.get("authorization", "")
        return await self._server.services.keys.caller(bearer(header.encode("latin-1")))

    def _body(self, frame: str | bytes) -> bytes:
        if isinstance(frame, bytes):
            raise InvalidRequest(
                "Unsupported frame: expected JSON as text, but got a binary frame.",
                code="unsupported_content_type",
            )
        body = frame.encode()
        limit = self._server.max_body_bytes
        if len(body) > limit:
            raise RequestTooLarge(f"The frame is larger than {limit} bytes.")
        return body

    def _forget(self, frame: str | bytes) -> None:
        """Drop the latest response if a failed request was to continue it."""
        if self._latest is not None and _continues(frame) == self._latest.response_id:
            self._latest = None

    def _record(self) -> Record:
        scope = self._websocket.scope
        record = self._server.new_record("WS", scope["path"], scope["headers"])
        record.is_stream = True
        return record

    async def _refuse(self, error: AntiphonError, record: Record, state: RequestState | None = None) -> None:
        record.error = error.with_traceback(None)
        if state is not None:
            note_refusal(self._server.services.refusals, state, error)
        await self._send_error(error)
        record.status = error.status

    async def _send_error(self, error: AntiphonError) -> None:
        """Send an error event with the status and headers of an HTTP response.

        The event always has a code, which Open Responses requires.
        """
        body: dict[str, JSON] = msgspec.structs.asdict(error.body())
        body["code"] = error.code or error.type
        if error.headers:
            body["headers"] = error.headers
        await self._send({"type": "error", "status": error.status, "error": body})

    async def _send(self, event: object) -> None:
        await self._websocket.send_text(_encode(event).decode())


class _Continuation(Struct):
    type: JSON = None
    previous_response_id: JSON = None


_continuation = msgspec.json.Decoder(_Continuation)


def _continues(frame: str | bytes) -> JSON:
    """Return the ID that a frame continues, even if it is invalid otherwise; or None."""
    try:
        named = _continuation.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        return None
    return named.previous_response_id if named.type == "response.create" else None


def _check(body: ResponseCreateEvent) -> None:
    unsupported = {
        "background": body.background,
        "stream_id": body.stream_id,
    }
    for name, value in unsupported.items():
        if value:
            raise InvalidRequest(
                f"Unsupported parameter: '{name}' is not supported over WebSocket.",
                code="unsupported_parameter",
                param=name,
            )
