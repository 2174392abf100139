"""A WebSocket connection to `/v1/responses`, without an SDK."""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import SECONDS

ENDS = ("response.completed", "response.incomplete", "response.failed")


class Socket:
    """A WebSocket connection for a `with` block."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, path: str = "/responses") -> None:
        self._connection = connect(
            url.replace("http", "ws", 1) + path,
            additional_headers=headers,
            open_timeout=SECONDS,
            max_size=None,
            proxy=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def send(self, frame: JSONObject | str | bytes) -> None:
        """Send JSON, or a text or bytes as they are."""
        self._connection.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    def receive(self) -> JSON:
        """Return the next frame, decoded."""
        frame = self._connection.recv(timeout=SECONDS)
        assert isinstance(frame, str)
        return json.loads(frame)

    def create(self, **body: JSON) -> None:
        """Request a response."""
        self.send({"type": "response.create", "model": "up/m", "input": "Hi"} | body)

    def until(self, kind: str) -> list[JSON]:
        """Return the frames until the first one of the type `kind`."""
        frames = [self.receive()]
        while frames[-1]["type"] != kind:
            frames.append(self.receive())
        return frames

    def events(self) -> list[JSON]:
        """Return the events of the next response, or the error that comes in its place."""
        frames = [self.receive()]
        while frames[-1]["type"] not in ENDS and "status" not in frames[-1]:
            frames.append(self.receive())
        return frames

    def ask(self, **body: JSON) -> list[JSON]:
        """Request a response and return its events."""
        self.create(**body)
        return self.events()

    def response(self, **body: JSON) -> JSONObject:
        """Request a response and return it, whole; it must not fail."""
        last = self.ask(**body)[-1]
        assert last["type"] == "response.completed", last
        response: JSONObject = last["response"]
        return response

    def error(self, **body: JSON) -> JSONObject:
        """Request a response and return the error that comes in its place."""
        self.create(**body)
        return self.refusal()

    def refusal(self) -> JSONObject:
        """Return the error in the next frame, together with its status."""
        frame = self.receive()
        assert frame["type"] == "error", frame
        error: JSONObject = frame["error"]
        return error | {"status": frame["status"]}

    def closed(self) -> tuple[int, str]:
        """Return the code and the reason with which the server closes the connection in its next frame."""
        with pytest.raises(ConnectionClosed) as closed:
            self._connection.recv(timeout=SECONDS)
        close = closed.value.rcvd
        assert close is not None
        return close.code, close.reason
