"""llama-stack's exact hash, compared with the names of its own files."""

import json
from dataclasses import replace

import pytest

from antiphon.recording.calls.exact_hash import request_hash
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.wire.json import JSON
from tests.recording.samples import calls_in, chat_request, recordings


def real_calls() -> list[RecordedCall]:
    return [*calls_in(recordings("llama-stack")), *calls_in(recordings("seeds"))]


@pytest.mark.shared
def test_both_seeds_bear_the_hash_of_their_content() -> None:
    calls = calls_in(recordings("seeds"))
    assert [call.stale for call in calls] == [False, False]


@pytest.mark.shared
def test_the_names_of_all_but_stale_files_are_derived() -> None:
    """The hash equals the name of 459 of 490 files.

    These are all tool calls, model lists, completions and other calls, and 402 of 433 chats. The other files
    were made under older rules (file search), or their text was edited later.
    """
    stale = [call for call in real_calls() if call.stale]
    assert len(stale) <= 31
    assert {call.kind for call in stale} == {"chat"}


@pytest.mark.shared
def test_some_stale_files_were_edited_after_they_were_made() -> None:
    """The project renamed a header inside recorded texts; with the old name the hash is right again."""
    found = 0
    for call in real_calls():
        text = json.dumps(call.request)
        if call.stale and "X-OGX-Provider-Data" in text:
            body = json.loads(text.replace("X-OGX-Provider-Data", "X-LlamaStack-Provider-Data"))
            assert call.name == f"{replace(call, request=body).exact_hash}.json"
            found += 1
    assert found >= 6


URL = "https://models.example/v1/v1/chat/completions"
UUID = "0f6d40fc-ba1b-4cf9-8cd1-07dc0eaa7f5a"


def digest(body: JSON, url: str = URL, test_id: str | None = "test") -> str:
    return request_hash("POST", url, body, test_id)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("score: 0.9287", "score: 1e-3"),
        (f"document_id: {UUID}", f"document_id: {UUID.replace('0', '1')}"),
        (f"cite as <|{UUID}|>", f"cite as <|{UUID.replace('0', '1')}|>"),
        ("[1] x, attributes: {'a': 1} end", "[1] x end"),
        ("0.123456", "0.1234561"),
    ],
)
def test_volatile_text_does_not_count(text: str, other: str) -> None:
    assert digest(chat_request(text)) == digest(chat_request(other))


def test_what_else_does_and_does_not_count() -> None:
    body = chat_request(stream_options={"include_usage": True}, extra_body={"project_id": "a", "top_k": 1})
    assert digest(body) == digest({**body, "extra_body": {"project_id": "b", "top_k": 1}})
    assert digest(body) == digest(body, URL.replace("models.example", "elsewhere.example"))
    assert digest(body) != digest({**body, "stream_options": {}})
    assert digest(body) != digest(body, test_id="another")
    assert digest(body) != digest(body, URL.replace("/v1/v1", "/v1"))
    bedrock = "https://bedrock.example/v1/v1/chat/completions"
    assert digest(body, bedrock) == digest({**body, "stream_options": {}}, bedrock)
    models = "https://models.example/v1/models"
    assert digest({}, models) == digest({}, models, test_id="another")
