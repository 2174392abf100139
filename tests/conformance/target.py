"""The server under test: any server of Open Responses, known by its base URL alone."""

from types import TracebackType
from typing import Self

import httpx2
import msgspec

from antiphon.wire.json import JSON, JSONObject
from tests.server.sockets import Socket
from tests.support.schemas import check_openresponses_event, check_openresponses_response

SECONDS = 120.0
"""Seconds that a language model has for an answer."""


class Target:
    """A server, one of its models, and its key; answers are checked on arrival."""

    def __init__(self, url: str, model: str, key: str | None = None) -> None:
        self._url = url.rstrip("/")
        self.model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=self._url, headers=self._headers, timeout=SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def post(self, path: str, body: JSONObject) -> httpx2.Response:
        """Send a body as it is."""
        return self._http.post(path, json=body)

    def asked(self, path: str, body: JSONObject) -> JSONObject:
        """Call the model and return the body of the answer, whose status must be 200."""
        answer = self.post(path, {"model": self.model, **body})
        assert answer.status_code == 200, f"status {answer.status_code}: {answer.text[:400]}"
        given: JSONObject = answer.json()
        return given

    def respond(self, body: JSONObject) -> JSONObject:
        """Return the response to a request; it must be completed and not empty."""
        response = self.asked("/responses", body)
        check_completed(response)
        return response

    def stream(self, body: JSONObject) -> list[JSONObject]:
        """Return the events of a streamed response; each must be an event of Open Responses."""
        answer = self.post("/responses", {"model": self.model, "stream": True, **body})
        assert answer.status_code == 200, f"status {answer.status_code}: {answer.text[:400]}"
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind == "text/event-stream", f"the content type is {kind}"
        *frames, end, rest = answer.text.split("\n\n")
        assert (end, rest) == ("data: [DONE]", ""), f"the stream ends with {end + rest!r}"
        return [_event(frame) for frame in frames]

    def socket(self) -> "Connection":
        """Open a WebSocket connection."""
        return Connection(self._url, self.model, self._headers)


class Connection:
    """A WebSocket connection to a target, for a `with` block."""

    def __init__(self, url: str, model: str, headers: dict[str, str]) -> None:
        self._socket = Socket(url, headers)
        self._model = model

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.__exit__(kind, error, trace)

    def events(self, body: JSONObject) -> list[JSON]:
        """Request a response and return its events, or the error that comes in its place."""
        return self._socket.ask(model=self._model, **body)

    def respond(self, body: JSONObject) -> JSONObject:
        """Return the response to a request, checked as `Target.respond` does, and each of its events."""
        events = self.events(body)
        last = events[-1]
        assert last["type"] == "response.completed", f"not completed but {msgspec.json.encode(last)[:400]!r}"
        for event in events:
            check_openresponses_event(event)
        check_completed(last["response"])
        response: JSONObject = last["response"]
        return response

    def refused(self, body: JSONObject) -> JSONObject:
        """Return the error of a request that must fail, before or in its stream."""
        events = self.events(body)
        errors = [event["error"] for event in events if event["type"] == "error"]
        errors += [event["response"]["error"] for event in events if event["type"] == "response.failed"]
        assert errors, f"no error but {events[-1]['type']}"
        first: JSONObject = errors[0]
        return first


def check_completed(response: JSONObject) -> None:
    """Assert that a response matches Open Responses' description, is completed and not empty."""
    check_openresponses_response(response)
    assert response["status"] == "completed", f"the status is {response['status']}"
    assert response["output"], "the output is empty"


def _event(frame: str) -> JSONObject:
    name, data = frame.split("\n")
    event: JSONObject = msgspec.json.decode(data.removeprefix("data: "))
    assert name == f"event: {event['type']}", f"{name} with data of the type {event['type']}"
    check_openresponses_event(event)
    return event
