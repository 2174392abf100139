"""Outermost middleware: errors, request IDs, the request log."""

import asyncio
from collections.abc import Awaitable
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.errors import AntiphonError, InternalError, ServerStopping
from antiphon.ids import current_request
from antiphon.observe import request_log
from antiphon.observe.record import NO_ANSWER
from antiphon.server.edge.answers import MESSAGES, error_answer, nobody_there
from antiphon.server.edge.state import NewRecord, Watch, begin_request, note_refusal, plain_record
from antiphon.service.log.refusals import Refusals

_ANSWERS = frozenset({"http.response.start", "websocket.http.response.start"})
"""Messages that begin a response; the second type rejects a WebSocket connection."""
_MAX_PATH = 200
"""Characters of the path of an ignored field that the client receives."""
_lifespan = Router().lifespan
"""Empty lifespan: the owner of the services opens and closes them."""
_LOGGED = frozenset({"/v1/responses", MESSAGES})
"""Paths whose refused requests are in the log of responses."""
_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")


class Boundary:
    """Middleware that turns errors into responses, and logs requests.

    Every response has an `x-request-id`, the rate limits of its client and the ignored fields of the body, if
    there are any. Log lines and errors have the request ID, too. When the server stops, it cancels requests:
    streams in progress are cut, and all other clients receive an error.
    """

    def __init__(
        self,
        app: ASGIApp,
        watch: Watch | None = None,
        refusals: Refusals | None = None,
        new_record: NewRecord = plain_record,
        *,
        is_frozen: bool = False,
    ) -> None:
        self.app = app
        self._is_frozen = is_frozen
        self._watch = watch
        self._refusals = refusals
        self._new_record = new_record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        is_http = scope["type"] == "http"
        if not is_http and scope["type"] == "lifespan":
            await _lifespan(scope, receive, send)
            return
        method = scope["method"] if is_http else "WS"
        record = self._new_record(method, scope["path"], scope["headers"], is_connection=not is_http)
        state = begin_request(scope, record)
        if not self._is_frozen:  # Two runs of a frozen server return the same bytes, also of errors.
            current_request.set(record.request_id)
        # Each frame of a WebSocket connection has a record of its own.
        if self._watch is not None and is_http:
            self._watch(record)

        def answer(message: Message) -> Awaitable[None]:
            if message["type"] in _ANSWERS:
                headers = [*message.get("headers", ()), (b"x-request-id", record.request_id.encode())]
                caller = state.caller
                if caller is not None and caller.meter is not None:
                    headers += caller.meter.headers()
                if record.ignored:
                    headers.append((b"x-antiphon-ignored", _ignored(record.ignored)))
                message["headers"] = headers
                record.answered(message["status"], is_stream=_STREAM in headers)
            return send(message)

        try:
            await self.app(scope, receive, answer)
        except asyncio.CancelledError:
            # Only for a stopping server: `StoppedByDisconnect` ends the request of a disconnected client.
            if is_http and record.status == NO_ANSWER:
                await error_answer(ServerStopping(), scope)(scope, receive, answer)
        except ClientDisconnect:
            await nobody_there()(scope, receive, answer)  # The body was incomplete.
        except AntiphonError as error:
            if record.status != NO_ANSWER:
                raise
            # The record keeps the error for the log. The traceback refers to this scope: a reference cycle.
            record.error = error.with_traceback(None)
            if self._refusals is not None and scope["path"] in _LOGGED:
                note_refusal(self._refusals, state, error)
            await error_answer(error, scope)(scope, receive, answer)
        except Exception:
            if is_http and record.status == NO_ANSWER:
                await error_answer(InternalError(), scope)(scope, receive, answer)
            raise  # The connection logs the traceback.
        finally:
            record.ended()
            # The frames of a WebSocket connection have lines of their own.
            if is_http or record.status != NO_ANSWER:
                request_log.write(record)


def _ignored(paths: list[str]) -> bytes:
    """Return a list of fields, with percent signs for all but the plain characters of their names."""
    return ", ".join(quote(path[:_MAX_PATH], safe="[]$") for path in paths).encode()
