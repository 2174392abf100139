"""Clients that follow background responses."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
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
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)
    connection.request("GET", f"{parts.path}/responses/{response_id}?stream=true")
    response = connection.getresponse()
    assert response.status == 200

    def events() -> Iterator[JSONObject]:
        for line in response:
            if line.startswith(b"data: ") and line.strip() != b"data: " + DONE.encode():
                yield json.loads(line.removeprefix(b"data: "))

    try:
        yield events()
    finally:
        response.close()
        connection.close()
