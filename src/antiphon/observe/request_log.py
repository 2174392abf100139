"""The request log: one line for each request."""

import logging
import time

from antiphon.engine.ports import Call
from antiphon.errors import AntiphonError
from antiphon.ids import new_id
from antiphon.service.responses.run import Run
from antiphon.wire.json import JSONObject

log = logging.getLogger("antiphon.access")

NO_ANSWER = 499
"""What is logged for a request that got no answer."""
_MAX_WHY = 300


class Entry:
    """A line of the request log: a request, or one that came as a frame over a WebSocket (method `WS`).

    `status` is what was answered, and `stream` whether as a stream.
    """

    def __init__(self, method: str, path: str) -> None:
        self.request_id = new_id("req", 16)
        self.status = NO_ANSWER
        self.stream = False
        self._method = method
        self._path = path[:200]
        self._began = time.monotonic()

    def write(self, state: JSONObject) -> None:
        """Writes it; `state` holds what is known: the run, the call, or the error that was answered."""
        if not log.isEnabledFor(logging.INFO):
            return
        fields: JSONObject = {"request_id": self.request_id, "status": self.status, "stream": self.stream}
        fields["seconds"] = round(time.monotonic() - self._began, 3)
        if state.get("key") is not None:
            fields["key"] = state["key"]
        run, call = state.get("run"), state.get("call")
        text = _run_line(run, fields) if isinstance(run, Run) else self._line(state, fields)
        if isinstance(call, Call) and call.notes:
            fields["recording"] = call.notes
            text = "; ".join([text, *call.notes])
        log.info(text, extra={"fields": fields})

    def _line(self, state: JSONObject, fields: JSONObject) -> str:
        """`POST /v1/responses 400 0.00s invalid_value: input[0].role`; a message may hold private words."""
        fields |= {"method": self._method, "path": self._path}
        error = state.get("error")
        why = ""
        if isinstance(error, AntiphonError):
            fields |= {"code": error.code, "param": error.param}
            why = f" {error.code or error.type}" + (f": {error.param}" if error.param else "")
        return f"{self._method} {self._path} {self.status} {fields['seconds']:.2f}s{why}"


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
