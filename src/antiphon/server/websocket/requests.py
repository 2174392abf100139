"""Requests of a connection, and the responses that their steering input continues."""

import logging
from contextlib import aclosing
from dataclasses import dataclass

import msgspec
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from antiphon.decode import bodies
from antiphon.decode.bounds import FLAT, LONG, check_structure
from antiphon.decode.explain import unsupported_value
from antiphon.dialects.llama_stack import OPENAI
from antiphon.dialects.llama_stack_wire import with_defaults
from antiphon.engine.slices import in_thread
from antiphon.engine.steering import SteerQueue
from antiphon.errors import AntiphonError, InternalError, InvalidRequest
from antiphon.ids import current_request
from antiphon.observe import request_log
from antiphon.observe.record import Record
from antiphon.server.edge.authentication import bearer
from antiphon.server.edge.dialects import in_dialect
from antiphon.server.edge.requests import context_of, decode, dialect, has_openai_events
from antiphon.server.edge.state import RequestState, begin_request, note_refusal, server_state
from antiphon.server.websocket.channel import Channel
from antiphon.server.websocket.errors import SteerRefused
from antiphon.server.websocket.frames import CREATE, STEER, Frame
from antiphon.server.websocket.lanes import Lane, Lanes
from antiphon.server.websocket.steering import MAX_STEERS, Steers
from antiphon.service.access.keys import Caller
from antiphon.service.responses.run import Run
from antiphon.service.responses.steering import is_steerable, successor, with_steering
from antiphon.wire.responses import ResponseCreateEvent

log = logging.getLogger("antiphon.server")


@dataclass(slots=True)
class _Request:
    """A request for a response: a frame, or the continuation of a response that the client has steered."""

    lane: Lane
    continues: str | None
    """The response that it continues."""
    frame: Frame | None = None
    body: ResponseCreateEvent | None = None
    """The request, once its frame is decoded."""


class Requests:
    """The requests of one connection. Each has a record and a line in the request log."""

    def __init__(self, websocket: WebSocket, channel: Channel, lanes: Lanes) -> None:
        self.steers = Steers(channel, lanes)
        self._websocket = websocket
        self._channel = channel
        self._lanes = lanes
        self._server = server_state(websocket)

    async def answer(self, lane: Lane, frame: Frame) -> None:
        """Respond to a request, and continue the response as long as the client steers it."""
        request = _Request(lane, frame.continues, frame)
        while (continued := await self._handle(request)) is not None:
            request = continued

    async def steer(self, frame: Frame) -> None:
        """Accept steering input, or reject it."""
        record = self._record()
        try:
            await self._caller()
            await self.steers.submit(frame.body(self._server.max_body_bytes))
            record.status = 200
        except SteerRefused as error:
            record.error, record.status = error.with_traceback(None), error.status
        except AntiphonError as error:
            await self._channel.send_error(error)
            record.error, record.status = error.with_traceback(None), error.status
        finally:
            record.ended()
            request_log.write(record)

    async def refuse(self, error: AntiphonError, stream_id: str | None) -> None:
        """Reject a request that no lane has taken."""
        record = self._record()
        try:
            record.error = error.with_traceback(None)
            await self._channel.send_error(error, stream_id)
            record.status = error.status
        finally:
            record.ended()
            request_log.write(record)

    async def _handle(self, request: _Request) -> _Request | None:
        """Handle a request, and return the one that continues its response with steering input."""
        record = self._record()
        connection: HTTPConnection = HTTPConnection({**self._websocket.scope})
        state = begin_request(connection.scope, record)
        if current_request.get() is not None:  # None for a frozen server
            current_request.set(record.request_id)
        if self._server.watch is not None:
            self._server.watch(record)
        try:
            continued = await self._respond(request, connection, state)
            record.status = 200
            return continued
        except AntiphonError as error:
            await self._refuse(request, error, state)
        except WebSocketDisconnect:
            raise
        except Exception:
            # The request boundary: a bug in this server becomes an error event. The connection stays open.
            log.exception("Failed to handle a WebSocket frame")
            await self._refuse(request, InternalError(), state)
        finally:
            record.ended()
            request_log.write(record)
        return None

    async def _respond(
        self, request: _Request, connection: HTTPConnection, state: RequestState
    ) -> _Request | None:
        lane = request.lane
        body = await self._body(request, connection)
        caller = state.caller = await self._caller()
        if caller is not None:
            state.record.key = caller.name
            await caller.begin_request()
            await caller.begin_stream()
        parent_lane = self._lanes.with_response(body.previous_response_id)
        parent, size = (None, 0) if parent_lane is None else (parent_lane.latest, parent_lane.size)
        queue = SteerQueue(MAX_STEERS) if is_steerable(body) else None
        context = msgspec.structs.replace(context_of(connection), steering=queue)
        given = body
        if lane.pending is not None and lane.pending.response_id == body.previous_response_id:
            given = with_steering(body, [m for each in lane.pending.submissions for m in each.messages])
        try:
            async with await self._server.services.responses.create(context, given, parent) as run:
                with self.steers.accepting(lane, run, queue, context.ids):
                    await self._send(lane, run, connection)
        finally:
            if caller is not None:
                caller.end_stream()
        turn, final = run.turn(), run.final
        assert final is not None
        if turn is not None:
            self._lanes.keep(lane, turn, parent, size)
        else:
            lane.forget(body.previous_response_id)
        if await self.steers.settle(lane, final):
            return _Request(lane, final.id, body=successor(body, final.id))
        return None

    async def _body(self, request: _Request, connection: HTTPConnection) -> ResponseCreateEvent:
        """Return the request, checked as far as WebSocket mode is concerned."""
        if request.body is not None:
            return request.body
        assert request.frame is not None
        given, wanted = request.frame.body(self._server.max_body_bytes), dialect(connection)
        if request.frame.type not in (None, CREATE):
            raise unsupported_value("type", request.frame.type, (CREATE, STEER))
        if len(given) > FLAT:
            await check_structure(given)
        decoder = bodies.response_create_event
        if len(given) > LONG:
            body = await in_thread(lambda: decode(connection, decoder, given))
        else:
            body = decode(connection, decoder, given)
        request.frame = None  # The memory of the frame is free while the response runs.
        if wanted is not OPENAI:
            body = with_defaults(body, wanted)
        if body.background:
            raise InvalidRequest(
                "Unsupported parameter: 'background' is not supported over WebSocket.",
                code="unsupported_parameter",
                param="background",
            )
        body.stream = True
        return body

    async def _send(self, lane: Lane, run: Run, connection: HTTPConnection) -> None:
        """Send the events of a response, the first of which commits the pending input that it contains."""
        is_openai = has_openai_events(connection)
        has_begun = False
        async with aclosing(run.events()) as batches:
            async for events in batches:
                if not has_begun:
                    has_begun = True
                    if lane.pending is not None:
                        await self._commit(lane, run)
                shown = events if is_openai else in_dialect(connection, events, run.loop.response.id)
                await self._channel.send(lane, shown)

    async def _commit(self, lane: Lane, run: Run) -> None:
        """Drop the pending input that a new response of the lane contains, or return other input."""
        assert lane.pending is not None
        if lane.pending.response_id == run.loop.response.previous_response_id:
            lane.pending = None
        else:
            message = "Another response of the lane has begun."
            await self.steers.give_back(lane, "response_not_active", message)

    async def _refuse(self, request: _Request, error: AntiphonError, state: RequestState) -> None:
        lane, record = request.lane, state.record
        record.error = error.with_traceback(None)
        note_refusal(self._server.services.refusals, state, error)
        is_explicit = request.body is None
        if is_explicit:
            lane.forget(request.continues)
            await self._channel.send_error(error, lane.stream_id)
        if lane.pending is not None and lane.pending.response_id == request.continues:
            await self.steers.give_back(lane, "successor_creation_failed", error.message)
        elif record.response is not None:  # A bug in this server has ended the response.
            await self.steers.give_back(lane, "response_not_active", error.message)
        record.status = error.status

    async def _caller(self) -> Caller | None:
        """Return the holder of the key, which may have been revoked since."""
        header: str = self._websocket.headers.get("authorization", "")
        return await self._server.services.keys.caller(bearer(header.encode("latin-1")))

    def _record(self) -> Record:
        scope = self._websocket.scope
        record = self._server.new_record("WS", scope["path"], scope["headers"])
        record.is_stream = True
        return record
