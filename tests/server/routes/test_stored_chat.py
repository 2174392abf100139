"""Stored chat completions: create with `store`, list, get, change, delete, and their messages."""

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import call, get, post
from tests.support.postgresql import ON_BOTH
from tests.support.upstream import Upstream, chunk, completion, reply, sse

pytestmark = ON_BOTH

IMAGE = "data:image/png;base64,iVBORw0KGgo="


def whole(text: str = "Hello.") -> JSONObject:
    body = completion(text, refusal=None)
    body["choices"][0]["logprobs"] = None
    return body


def ask(text: JSON = "Hi", **more: JSON) -> JSONObject:
    messages: JSON = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]
    return {"model": "up/m", "messages": messages, "store": True, **more}


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as opened:
        yield opened


def test_a_stored_completion_can_be_read_changed_and_deleted(
    url: str, upstream: Upstream, client: openai.OpenAI
) -> None:
    upstream.script(reply(whole()))
    made = client.chat.completions.create(**ask(metadata={"team": "a"}, temperature=0.5))
    asked = upstream.requests[-1].json
    assert {"store", "metadata"}.isdisjoint(asked)
    assert made.id.startswith("chatcmpl-")
    assert made.id != "chatcmpl-1"
    found = client.chat.completions.retrieve(made.id)
    assert found.choices[0].message.content == "Hello."
    stored = get(url, f"/chat/completions/{made.id}").json
    assert (stored["metadata"], stored["temperature"], stored["seed"]) == ({"team": "a"}, 0.5, None)
    changed = client.chat.completions.update(made.id, metadata={"team": "b", "kept": "yes"})
    assert changed.to_dict()["metadata"] == {"team": "b", "kept": "yes"}
    assert [each.id for each in client.chat.completions.list(metadata={"team": "b"})] == [made.id]
    assert list(client.chat.completions.list(metadata={"team": "a"})) == []
    gone = client.chat.completions.delete(made.id)
    assert (gone.id, gone.deleted, gone.object) == (made.id, True, "chat.completion.deleted")
    with pytest.raises(openai.NotFoundError, match=f"Chat completion with id '{made.id}' not found"):
        client.chat.completions.retrieve(made.id)


def test_a_stream_is_stored_at_its_end_under_the_id_that_its_chunks_have(
    url: str, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hel"), chunk("lo."), chunk(finish="stop")))
    streamed = post(url, "/chat/completions", ask(stream=True)).payloads
    (completion_id,) = {each["id"] for each in streamed}
    stored = get(url, f"/chat/completions/{completion_id}").json
    assert stored["choices"][0]["message"]["content"] == "Hello."
    assert stored["choices"][0]["finish_reason"] == "stop"


def test_a_stream_that_breaks_is_not_stored(url: str, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Hel"), done=False))
    streamed = post(url, "/chat/completions", ask(stream=True)).payloads
    assert get(url, f"/chat/completions/{streamed[0]['id']}").status == 404


def test_without_store_nothing_is_kept_and_the_backend_receives_everything(
    url: str, upstream: Upstream
) -> None:
    before = len(get(url, "/chat/completions?limit=100").json["data"])
    upstream.script(reply(whole()))
    body = ask(metadata={"a": "b"}) | {"store": False}
    assert post(url, "/chat/completions", body).json["id"] == "chatcmpl-1"
    assert upstream.requests[-1].json["metadata"] == {"a": "b"}
    assert len(get(url, "/chat/completions?limit=100").json["data"]) == before


def test_lists_are_pages_in_both_orders_and_by_model(url: str, upstream: Upstream) -> None:
    for completion_id in [each["id"] for each in get(url, "/chat/completions?limit=100").json["data"]]:
        assert call(url, "DELETE", f"/chat/completions/{completion_id}").status == 200
    made = []
    for _ in range(3):
        upstream.script(reply(whole()))
        made.append(post(url, "/chat/completions", ask()).json["id"])
    page = get(url, "/chat/completions?limit=2").json
    assert ([each["id"] for each in page["data"]], page["has_more"]) == (made[:2], True)
    assert (page["first_id"], page["last_id"]) == (made[0], made[1])
    rest = get(url, f"/chat/completions?after={made[1]}").json
    assert [each["id"] for each in rest["data"]] == made[2:]
    newest = get(url, "/chat/completions?order=desc&limit=1&model=up/m").json
    assert newest["data"][0]["id"] == made[2]
    assert get(url, "/chat/completions?model=other").json["data"] == []
    assert get(url, "/chat/completions?after=chatcmpl-none").status == 404


def test_the_messages_are_those_of_the_request(url: str, upstream: Upstream, client: openai.OpenAI) -> None:
    parts: JSON = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    upstream.script(reply(whole()))
    made = post(url, "/chat/completions", ask(parts)).json["id"]
    page = get(url, f"/chat/completions/{made}/messages").json
    first, second = page["data"]
    assert (first["id"], first["role"], first["content"]) == (f"{made}-0", "system", "Be kind.")
    assert (second["content"], second["content_parts"]) == ("Look", parts)
    assert [each.id for each in client.chat.completions.messages.list(made)] == [f"{made}-0", f"{made}-1"]
    after = get(url, f"/chat/completions/{made}/messages?order=desc&after={made}-1").json
    assert [each["id"] for each in after["data"]] == [f"{made}-0"]
    assert get(url, f"/chat/completions/{made}/messages?after=no").status == 404


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"store": "yes"}, "store"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {f"{n}": "x" for n in range(17)}}, "metadata"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": None}, "messages"),
    ],
)
def test_a_wrong_request_stores_and_sends_nothing(
    url: str, upstream: Upstream, change: JSONObject, param: str
) -> None:
    answer = post(url, "/chat/completions", ask() | change)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert upstream.requests == []


def test_a_wrong_change_is_refused(url: str, upstream: Upstream) -> None:
    upstream.script(reply(whole()))
    made = post(url, "/chat/completions", ask(metadata={"a": "b"})).json["id"]
    refused = post(url, f"/chat/completions/{made}", {"metadata": {"a": ["b"]}})
    assert (refused.status, refused.error["param"]) == (400, "metadata")
    assert get(url, f"/chat/completions/{made}").json["metadata"] == {"a": "b"}


def test_a_failed_completion_is_not_stored(url: str, upstream: Upstream, tmp_path: Path) -> None:
    before = len(get(url, "/chat/completions?limit=100").json["data"])
    upstream.script(reply({"error": {"message": "boom"}}, status=400))
    assert post(url, "/chat/completions", ask()).status == 400
    assert len(get(url, "/chat/completions?limit=100").json["data"]) == before
