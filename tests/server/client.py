"""A plain HTTP client for tests that examine status lines, headers and frames, without an SDK."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from antiphon.wire.json import JSON, JSONObject

SECONDS = 20.0
"""Time after which a test considers the server stuck."""
DONE = "[DONE]"


@dataclass(frozen=True)
class Reply:
    """A whole answer; the names of `headers` are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> JSON:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def error(self) -> JSONObject:
        """The error, which must be in the API's envelope."""
        envelope = self.json
        assert list(envelope) in (["error"], ["error", "request_id"]), envelope
        error: JSONObject = envelope["error"]
        assert set(error) == {"message", "type", "param", "code"}, error
        assert isinstance(error["message"], str)
        assert error["message"]
        return error

    @property
    def payloads(self) -> list[JSON]:
        """The values of the `data:` lines of a stream, without the final `[DONE]`."""
        assert self.headers["content-type"] == "text/event-stream; charset=utf-8", self.body[:500]
        frames = self.body.decode().split("\n\n")
        assert frames[-2:] == ["data: " + DONE, ""]
        data = [frame.split("\n")[-1] for frame in frames[:-2]]
        return [json.loads(line.removeprefix("data: ")) for line in data]

    @property
    def last(self) -> JSONObject:
        """The response in the last event of a stream."""
        response: JSONObject = self.payloads[-1]["response"]
        return response


def call(
    url: str,
    method: str,
    path: str,
    body: JSON | bytes = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Send one request on a new connection; `path` continues the base URL, as in `/responses`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection = HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)
    try:
        connection.request(
            method, parts.path + path, sent, {"Content-Type": "application/json", **(headers or {})}
        )
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, names, response.read())
    finally:
        connection.close()


def post(url: str, path: str, body: JSON | bytes = None, headers: Mapping[str, str] | None = None) -> Reply:
    """Send a POST request with JSON, or with bytes as they are."""
    return call(url, "POST", path, body, headers)


def get(url: str, path: str) -> Reply:
    """Send a GET request."""
    return call(url, "GET", path)


def types(events: list[JSON]) -> list[str]:
    """Return the types of events, without their common prefix."""
    return [event["type"].removeprefix("response.") for event in events]


def check_life_cycle(events: list[JSON]) -> None:
    """Assert the rules for every stream.

    It begins with created and in_progress, ends with its only terminal event, and has no gaps in its numbers.
    Items and parts open and close strictly one after another; only a failure may leave the last ones open.
    """
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    names = types(events)
    assert names[:2] == ["created", "in_progress"]
    ends = [name for name in names if name in ("completed", "incomplete", "failed")]
    assert ends == names[-1:]
    open_item: int | None = None
    items = 0
    for event, name in zip(events, names, strict=True):
        if name == "output_item.added":
            assert open_item is None, names
            open_item = event["output_index"]
            assert open_item == items
            items += 1
        elif name == "output_item.done":
            assert open_item == event["output_index"], names
            open_item = None
        elif "output_index" in event:
            assert event["output_index"] == open_item, names
    assert open_item is None or names[-1] == "failed", names


async def tasks() -> set["asyncio.Task[object]"]:
    """Return the tasks in the server's event loop; to be run there."""
    return asyncio.all_tasks()


async def ended(before: set["asyncio.Task[object]"]) -> list[str]:
    """Return the tasks that began since `before` and don't end within a second; to be run in the server."""
    begun = asyncio.all_tasks() - before - {asyncio.current_task()}
    running = (await asyncio.wait(begun, timeout=1))[1] if begun else set()
    return [repr(task) for task in running]
