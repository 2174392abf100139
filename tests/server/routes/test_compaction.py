"""Compaction and encrypted content over HTTP, on both databases."""

import pytest

from antiphon.engine.request.summary import PROMPT, as_told
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, get, post
from tests.support.postgresql import ON_BOTH
from tests.support.schemas import check_openai
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, sse

pytestmark = ON_BOTH

TURNS: JSON = [
    {"role": "user", "content": "Help me plan."},
    {"role": "assistant", "content": "I suggest SQLite."},
    {"role": "user", "content": "Add keys."},
    {"role": "assistant", "content": "Hash them."},
]
COMPACT: JSONObject = {"model": "up/m", "input": TURNS}
SUMMARY = reply(completion("We plan."))
AUTO: JSON = [{"type": "compaction", "compact_threshold": 1000}]
INCLUDE = ["reasoning.encrypted_content"]


def says(text: str, **more: JSON) -> Answer:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return sse(chunk(text, **more), chunk(finish="stop"), chunk(usage=usage))


def messages(upstream: Upstream) -> JSON:
    """Return the messages of the last model call."""
    return upstream.chats[-1].json["messages"]


def items(answer: Reply) -> list[JSONObject]:
    assert answer.status == 200, answer.body
    output: list[JSONObject] = answer.json["output"]
    return output


def texts(output: list[JSONObject]) -> list[str]:
    return [item["content"][0]["text"] for item in output if item["type"] == "message"]


def test_a_conversation_is_compacted(url: str, upstream: Upstream) -> None:
    upstream.script(SUMMARY)
    answer = post(url, "/responses/compact", COMPACT | {"prompt_cache_key": "k"})
    output = items(answer)
    check_openai("CompactResource", answer.json)
    assert (answer.json["object"], answer.json["id"][:5]) == ("response.compaction", "resp_")
    assert [item["type"] for item in output] == ["message", "message", "compaction"]
    assert texts(output) == ["Help me plan.", "Add keys."]
    assert {(item["role"], item["status"], item["id"][:4]) for item in output[:2]} == {
        ("user", "completed", "msg_")
    }
    assert output[2].keys() == {"type", "id", "encrypted_content"}
    assert output[2]["id"].startswith("cmp_")
    assert "plan" not in output[2]["encrypted_content"]
    assert answer.json["usage"]["total_tokens"] == 5
    sent = upstream.chats[-1].json
    assert sent["stream"] is False
    assert sent["prompt_cache_key"] == "k"
    assert sent["messages"][-2:] == [
        {"role": "assistant", "content": "Hash them."},
        {"role": "user", "content": PROMPT},
    ]


def test_what_was_compacted_can_be_continued(url: str, upstream: Upstream) -> None:
    upstream.script(SUMMARY)
    output = items(post(url, "/responses/compact", COMPACT))
    upstream.script(says("Ten."))
    more = [*output, {"role": "user", "content": "How many?"}]
    first = post(url, "/responses", {"model": "up/m", "input": more})
    expected = ["Help me plan.", "Add keys.", as_told("We plan.")["content"], "How many?"]
    assert [message["content"] for message in messages(upstream)] == expected
    post(url, "/responses", {"model": "up/m", "input": "And?", "previous_response_id": first.json["id"]})
    assert [message["content"] for message in messages(upstream)] == [*expected, "Ten.", "And?"]
    upstream.script(SUMMARY)
    again = items(post(url, "/responses/compact", {"model": "up/m", "input": more}))
    assert [item["type"] for item in again] == ["message", "message", "message", "compaction"]


def test_a_stored_response_is_compacted(url: str, upstream: Upstream) -> None:
    upstream.script(says("Paris."))
    first = post(url, "/responses", {"model": "up/m", "input": "The capital of France?"}).json["id"]
    without_input: list[JSONObject] = [{}, {"input": []}]
    for given in without_input:
        upstream.script(SUMMARY)
        answer = post(url, "/responses/compact", {"model": "up/m", "previous_response_id": first, **given})
        assert texts(items(answer)) == ["The capital of France?"]
        assert [message["content"] for message in messages(upstream)][:2] == [
            "The capital of France?",
            "Paris.",
        ]
    upstream.script(SUMMARY)
    more = {"input": "And of Spain?", "instructions": "Be short."}
    answer = post(url, "/responses/compact", {"model": "up/m", "previous_response_id": first, **more})
    assert texts(items(answer)) == ["The capital of France?", "And of Spain?"]
    assert messages(upstream)[-1]["content"] == f"Be short.\n\n{PROMPT}"
    assert get(url, f"/responses/{answer.json['id']}").status == 404


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": "Hi"}, "model", "missing_required_parameter"),
        ({"model": "up/m"}, "input", "missing_required_parameter"),
        ({"model": "up/m", "input": []}, "input", "empty_array"),
        ({"model": "up/m", "input": 5}, "input", "invalid_type"),
        (
            {"model": "up/m", "previous_response_id": "resp_x"},
            "previous_response_id",
            "previous_response_not_found",
        ),
        (
            {"model": "up/m", "input": [{"type": "compaction", "encrypted_content": "gAAA"}]},
            "input[0].encrypted_content",
            "invalid_encrypted_content",
        ),
    ],
)
def test_requests_that_cannot_be_compacted(
    url: str, upstream: Upstream, body: JSON, param: str, code: str
) -> None:
    answer = post(url, "/responses/compact", body)
    assert answer.status == 400
    assert (answer.error["param"], answer.error["code"]) == (param, code)
    assert upstream.chats == []


def test_a_backend_that_fails_is_reported(url: str, upstream: Upstream) -> None:
    upstream.script(reply({"error": {"message": "out of memory"}}, status=500))
    answer = post(url, "/responses/compact", COMPACT)
    assert answer.status == 502
    assert "out of memory" in answer.error["message"]


def test_a_long_context_is_compacted_on_the_way(url: str, upstream: Upstream) -> None:
    upstream.script(SUMMARY, says("Done."))
    body = {
        "model": "up/m",
        "context_management": AUTO,
        "input": [*TURNS, {"role": "user", "content": "x" * 5000}],
    }
    first = post(url, "/responses", body)
    output = items(first)
    assert [item["type"] for item in output] == ["compaction", "message"]
    assert messages(upstream)[-1] == as_told("We plan.")
    stored = get(url, f"/responses/{first.json['id']}").json
    assert stored["output"] == output
    upstream.script(says("Yes."))
    follow_up = {"model": "up/m", "input": "Sure?"}
    post(url, "/responses", follow_up | {"previous_response_id": first.json["id"]})
    seen = messages(upstream)
    assert [message["content"] for message in seen][2:] == [
        "x" * 5000,
        as_told("We plan.")["content"],
        "Done.",
        "Sure?",
    ]
    # The encrypted content is enough: the items before it need not be sent again.
    upstream.script(says("Yes."))
    post(url, "/responses", follow_up | {"input": [*output, {"role": "user", "content": "Sure?"}]})
    assert messages(upstream) == seen


def test_a_trigger_compacts_at_once(url: str, upstream: Upstream) -> None:
    upstream.script(SUMMARY)
    body = {
        "model": "up/m",
        "stream": True,
        "store": False,
        "input": [*TURNS, {"type": "compaction_trigger"}],
    }
    answer = post(url, "/responses", body)
    assert [item["type"] for item in answer.last["output"]] == ["compaction"]
    assert len(upstream.chats) == 1
    upstream.script(says("Yes."))
    post(url, "/responses", {"model": "up/m", "input": [*answer.last["output"], TURNS[0]]})
    assert [message["content"] for message in messages(upstream)] == [
        "Help me plan.",
        "Add keys.",
        as_told("We plan.")["content"],
        "Help me plan.",
    ]


def test_a_conversation_goes_on_behind_its_compaction(url: str, upstream: Upstream) -> None:
    conversation = post(url, "/conversations", {"items": TURNS}).json["id"]
    upstream.script(SUMMARY)
    ask = {"model": "up/m", "conversation": conversation}
    post(url, "/responses", ask | {"input": [{"type": "compaction_trigger"}]})
    upstream.script(says("Yes."))
    post(url, "/responses", ask | {"input": "Sure?"})
    assert [message["content"] for message in messages(upstream)] == [
        "Help me plan.",
        "Add keys.",
        as_told("We plan.")["content"],
        "Sure?",
    ]
    listed = get(url, f"/conversations/{conversation}/items?order=asc").json["data"]
    assert [item["type"] for item in listed] == ["message"] * 4 + ["compaction"] + ["message"] * 2


def test_reasoning_is_sealed_and_shown_where_it_is_asked_for(url: str, upstream: Upstream) -> None:
    upstream.script(says("42", reasoning_content="Let me see."))
    body: JSONObject = {"model": "up/m", "input": "6 * 7?"}
    shown, hidden = post(url, "/responses", body | {"include": INCLUDE}), post(url, "/responses", body)
    encrypted = items(shown)[0]["encrypted_content"]
    assert "Let me see." not in encrypted
    assert "encrypted_content" not in items(hidden)[0]
    for made in (shown, hidden):
        plain = get(url, f"/responses/{made.json['id']}").json
        whole = get(url, f"/responses/{made.json['id']}?include=reasoning.encrypted_content").json
        assert "encrypted_content" not in plain["output"][0]
        assert whole["output"][0]["encrypted_content"] == encrypted


def test_events_have_encrypted_content_if_it_is_included(url: str, upstream: Upstream) -> None:
    upstream.script(says("42", reasoning_content="Let me see."))
    body: JSONObject = {"model": "up/m", "input": "6 * 7?", "stream": True}
    for include in (INCLUDE, []):
        answer = post(url, "/responses", body | {"include": include})
        found = [
            event["item"] for event in answer.payloads if event.get("item", {}).get("type") == "reasoning"
        ]
        sealed = [item.get("encrypted_content") for item in found]
        assert len(sealed) == 2
        assert (None not in sealed) == bool(include)
        assert answer.last["output"][0].get("encrypted_content") == sealed[1]
        assert len(set(sealed)) == (2 if include else 1)


@pytest.mark.parametrize("encrypted", ["", "gAAAAABpzfWE"])
def test_reasoning_encrypted_by_other_servers_is_omitted(
    url: str, upstream: Upstream, encrypted: str
) -> None:
    upstream.script(says("42"))
    given = [
        {"type": "reasoning", "summary": [], "encrypted_content": encrypted},
        {"role": "user", "content": "6 * 7?"},
    ]
    assert post(url, "/responses", {"model": "up/m", "input": given}).status == 200
    assert messages(upstream) == [{"role": "user", "content": "6 * 7?"}]


def test_changed_encrypted_content_is_refused(url: str, upstream: Upstream) -> None:
    upstream.script(says("42", reasoning_content="Let me see."))
    made = post(url, "/responses", {"model": "up/m", "input": "6 * 7?", "include": INCLUDE, "store": False})
    item = items(made)[0]
    upstream.requests.clear()
    given = [item | {"encrypted_content": item["encrypted_content"][:-6]}, {"role": "user", "content": "Hi"}]
    answer = post(url, "/responses", {"model": "up/m", "input": given})
    assert answer.status == 400
    assert (answer.error["param"], answer.error["code"]) == (
        "input[0].encrypted_content",
        "invalid_encrypted_content",
    )
    assert upstream.chats == []
