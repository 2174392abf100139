"""Additions for llama-stack's clients that others don't get; the server's answers are validated as well."""

import pytest
from starlette.requests import HTTPConnection

from antiphon.server.edge.requests import is_llama_stack
from tests.server.asgi import scope
from tests.server.client import post
from tests.support.upstream import Upstream, chunk, sse

NAMED = {f"response.{noun}" for noun in ("output_item.added", "output_item.done")} | {
    f"response.{noun}" for noun in ("content_part.added", "content_part.done")
}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"user-agent": "OgxClient/Python 1.1.3"}, True),
        ({"user-agent": "AsyncOgxClient/Python 1.1.3"}, True),
        ({"user-agent": "LlamaStackClient/Python 0.7.2"}, True),
        ({"user-agent": "OpenAI/Python 3.52.0", "x-ogx-provider-data": "{}"}, True),
        ({"x-llamastack-client-version": "0.7.2"}, True),
        ({"user-agent": "OpenAI/Python 3.52.0"}, False),
        ({"user-agent": "curl/8 (not OgxClient/1)"}, False),
        ({}, False),
    ],
)
def test_who_is_a_client_of_llama_stack(headers: dict[str, str], expected: bool) -> None:
    assert is_llama_stack(HTTPConnection(scope(headers=headers))) is expected


@pytest.mark.parametrize("agent", ["OgxClient/Python 1.1.3", "OpenAI/Python 3.52.0"])
def test_events_of_items_and_parts_name_their_response(url: str, upstream: Upstream, agent: str) -> None:
    upstream.script(sse(chunk("Hello."), chunk(finish="stop")))
    body = {"model": "up/m", "input": "Hi", "stream": True}
    events = post(url, "/responses", body, {"User-Agent": agent}).payloads

    named = {event["type"]: event["response_id"] for event in events if "response_id" in event}
    response_id = events[0]["response"]["id"]
    assert named == (dict.fromkeys(NAMED, response_id) if agent.startswith("Ogx") else {})
