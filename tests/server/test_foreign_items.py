"""Histories with calls of tools that only other servers have."""

import pytest

from tests.clients.kinds import KINDS
from tests.engine.request.test_foreign import ITEMS
from tests.server.bad_bodies import USER, ask
from tests.server.client import get, post
from tests.server.faults import TEXT
from tests.support.upstream import Upstream


@pytest.mark.parametrize("name", ITEMS)
def test_a_conversation_goes_on_after_a_foreign_item(url: str, upstream: Upstream, name: str) -> None:
    item, role, text = ITEMS[name]
    upstream.script(TEXT)
    conversation = post(url, "/conversations", {"items": [item]}).json["id"]
    answer = post(url, "/responses", ask(conversation=conversation))
    assert (answer.status, answer.json["status"]) == (200, "completed")
    expected = [{"role": role, "content": text}, {"role": "user", "content": "Hi"}]
    assert upstream.chats[-1].json["messages"] == expected


def test_a_conversation_goes_on_after_code(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    code = {**KINDS["code_interpreter_call"]}
    del code["outputs"]
    assert post(url, "/responses", ask(input=[USER, code, USER])).status == 200
    (call,) = upstream.chats[-1].json["messages"][1]["tool_calls"]
    assert call["function"] == {"name": "code_interpreter", "arguments": '{"code": "1 + 1"}'}


def test_an_image_without_status_is_accepted_and_completed(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    image = {"type": "image_generation_call", "id": "ig_1", "result": "AA=="}
    answer = post(url, "/responses", ask(input=[USER, image]))
    assert answer.status == 200
    listed = get(url, f"/responses/{answer.json['id']}/input_items?order=asc").json["data"]
    assert listed[1] == {
        "id": "ig_1",
        "type": "image_generation_call",
        "status": "completed",
        "result": "AA==",
    }
