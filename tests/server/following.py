"""Clients that follow background responses."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, IncompleteRead
from urllib.parse import urlsplit

from antiphon.wire.json import JSONObject
from tests.server.client import DONE, SECONDS, Reply, get, post

BODY: JSONObject = {"model": "m", "input": "hi", "background": True}


def followed(url: str, response_id: str, after: int | None = None) -> Reply:
    """Return the events of a response to its end, after the one with a number."""
    more = "" if after is None else f"&starting_after={after}"
    return get(url, f"/responses/{response_id}?stream=true{more}")


def finished(url: str, response_id: str) -> JSONObject:
    """Return a response once it has ended."""
    assert followed(url, response_id).status == 200
    response: JSONObject = get(url, f"/responses/{response_id}").json
    assert response["status"] not in ("queued", "in_progress")
    return response


def cancel(url: str, response_id: str) -> Reply:
    """Cancel a response."""
    return post(url, f"/responses/{response_id}/cancel", {})


@contextmanager
def stream(url: str, response_id: str) -> Iterator[Iterator[JSONObject]]:
    """Follow a response; yield its events as they come, and leave at the end of the block."""
    with _events(url, "GET", f"/responses/{response_id}?stream=true", None) as events:
        yield events


@contextmanager
def created(
    url: str, body: JSONObject, headers: Mapping[str, str] | None = None
) -> Iterator[tuple[str, Iterator[JSONObject]]]:
    """Create a response with a stream; yield its ID, and its events after the first."""
    with _events(url, "POST", "/responses", body | {"stream": True}, headers) as events:
        yield next(events)["response"]["id"], events


@contextmanager
def _events(
    url: str, method: str, path: str, body: JSONObject | None, headers: Mapping[str, str] | None = None
) -> Iterator[Iterator[JSONObject]]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=2 * SECONDS)
    sent = None if body is None else json.dumps(body)
    connection.request(
        method, parts.path + path, sent, {"Content-Type": "application/json", **(headers or {})}
    )
    response = connection.getresponse()
    assert response.status == 200

    def events() -> Iterator[JSONObject]:
        while True:
            try:
                line = response.readline()
            except (IncompleteRead, ConnectionError):  # The server was killed.
                return
            if not line:
                return
            if line.startswith(b"data: ") and line.strip() != b"data: " + DONE.encode():
                yield json.loads(line.removeprefix(b"data: "))

    try:
        yield events()
    finally:
        response.close()
        connection.close()
