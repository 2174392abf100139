"""The request log, one line for each request, and the id that each answer carries."""

import asyncio
import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.engine.ports import Call
from antiphon.errors import AntiphonError, ServerStopping
from antiphon.ids import new_id
from antiphon.server.answers import error_answer
from antiphon.service.run import Run
from antiphon.wire.json import JSONObject

log = logging.getLogger("antiphon.access")

_NO_ANSWER = 499
"""What is logged for a request that got no answer."""
_MAX_WHY = 300


class AccessLog:
    """Around an application: gives every answer an `x-request-id` and logs it when it is done.

    It ends what is cancelled because the server stops: a stream is cut, and who has got nothing yet gets
    an error.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.monotonic()
        request_id = new_id("req", 16)
        status, streamed = _NO_ANSWER, False

        async def answer(message: Message) -> None:
            nonlocal status, streamed
            if message["type"] == "http.response.start":
                status, headers = message["status"], message.get("headers", ())
                streamed = any(value.startswith(b"text/event-stream") for _, value in headers)
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except asyncio.CancelledError:
            # A client that went away does not get here: its request ends where its work is.
            if status == _NO_ANSWER:
                await error_answer(ServerStopping())(scope, receive, answer)
        finally:
            if log.isEnabledFor(logging.INFO):
                fields: JSONObject = {"request_id": request_id, "status": status, "stream": streamed}
                fields["seconds"] = round(time.monotonic() - began, 3)
                state = scope.get("state", {})
                run, call = state.get("run"), state.get("call")
                text = _run_line(run, fields) if isinstance(run, Run) else _line(scope, state, fields)
                if isinstance(call, Call) and call.notes:
                    fields["recording"] = call.notes
                    text = "; ".join([text, *call.notes])
                log.info(text, extra={"fields": fields})


def _line(scope: Scope, state: JSONObject, fields: JSONObject) -> str:
    """`POST /v1/responses 400 0.00s invalid_value: input[0].role`; a message may hold private words."""
    fields |= {"method": scope["method"], "path": scope["path"][:200]}
    error = state.get("error")
    why = ""
    if isinstance(error, AntiphonError):
        fields |= {"code": error.code, "param": error.param}
        why = f" {error.code or error.type}" + (f": {error.param}" if error.param else "")
    return f"{fields['method']} {fields['path']} {fields['status']} {fields['seconds']:.2f}s{why}"


def _run_line(run: Run, fields: JSONObject) -> str:
    """`resp_ab12... gpt-oss:20b stream 2 tools 1.84s 812->214 tok completed`"""
    response = run.final or run.loop.response
    usage = response.usage
    error = run.loop.failure
    fields |= {
        "response_id": response.id,
        "model": response.model,
        "tools": len(response.tools),
        "response_status": response.status,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "error": error.message if error else None,
    }
    stream = " stream" if fields["stream"] else ""
    tools = f" {len(response.tools)} tools" if response.tools else ""
    tokens = f" {usage.input_tokens}->{usage.output_tokens} tok" if usage else ""
    why = f": {error.message.splitlines()[0][:_MAX_WHY]}" if error else ""
    what = f"{response.id} {response.model}{stream}{tools}"
    return f"{what} {fields['seconds']:.2f}s{tokens} {response.status}{why}"
