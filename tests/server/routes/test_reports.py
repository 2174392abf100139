"""Fields in which a response reports on its request: withheld reasoning, and the use of tools."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.bad_bodies import USER, ask
from tests.server.client import get, post
from tests.server.faults import TEXT
from tests.support.upstream import Upstream

FOREIGN: JSONObject = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAABpzfWE"}


@pytest.mark.parametrize("stream", [True, False])
def test_reasoning_that_the_model_cannot_read_is_reported(url: str, upstream: Upstream, stream: bool) -> None:
    upstream.script(TEXT)
    given: list[JSON] = [FOREIGN, {"role": "assistant", "content": "Hi"}, USER]
    answer = post(url, "/responses", ask(input=given, stream=stream))
    assert answer.status == 200, answer.body
    response = answer.last if stream else answer.json
    expected = [{"id": "rs_1", "type": "reasoning", "action": "removed", "reason": "organization_mismatch"}]
    assert response["input_transformations"] == expected
    if stream:
        assert answer.payloads[0]["response"]["input_transformations"] == expected
    assert get(url, f"/responses/{response['id']}").json["input_transformations"] == expected


def test_readable_input_is_not_reported(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    response = post(url, "/responses", ask(input=[USER])).json
    assert "input_transformations" not in response
    assert "tool_usage" not in response
