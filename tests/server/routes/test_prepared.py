"""Requests that only prepare a context, which later requests continue."""

import pytest

from tests.server.bad_bodies import ask
from tests.server.client import post
from tests.server.faults import TEXT
from tests.support.upstream import Upstream


@pytest.mark.parametrize("stream", [False, True])
def test_a_context_that_was_prepared_is_continued(url: str, upstream: Upstream, stream: bool) -> None:
    given = ask(input="Remember 42.", prompt_cache_options={"prewarm": True}, stream=stream)
    answer = post(url, "/responses", given)
    assert answer.status == 200, answer.body
    first = answer.last if stream else answer.json
    assert (first["status"], first["output"], first["usage"]["total_tokens"]) == ("completed", [], 0)
    assert upstream.requests == []
    upstream.script(TEXT)
    answer = post(url, "/responses", ask(input="And?", previous_response_id=first["id"]))
    assert answer.status == 200, answer.body
    assert upstream.chats[0].json["messages"] == [
        {"role": "user", "content": "Remember 42."},
        {"role": "user", "content": "And?"},
    ]
