"""Secrets are found anywhere in a call, and other text isn't mistaken for one."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from antiphon.errors import SecretInRecording
from antiphon.recording.calls.recorded import Address, RecordedCall, RecordedError
from antiphon.recording.collection import Collection
from antiphon.recording.files.secrets import PATTERNS, Finding, find, find_in_call, user_pattern
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chat_request, chunk, recordings

LETTERS = "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA"
"""Text that looks random; secrets are concatenated, so that scanners of this file don't report them."""

SECRETS = {
    "private key": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "OpenAI": "sk-" + LETTERS + LETTERS[:16],
    "OpenAI project": "sk-proj-" + LETTERS + "_-" + LETTERS,
    "Antiphon": "sk-antiphon-" + LETTERS + "_-" + LETTERS,
    "Anthropic": "sk-ant-api03-" + LETTERS,
    "OpenRouter": "sk-or-v1-" + "0a1b2c3d" * 8,
    "Groq": "gsk_" + LETTERS + LETTERS[:20],
    "Hugging Face": "hf_" + LETTERS[:34],
    "Tavily": "tvly-dev-" + LETTERS,
    "Stripe": "sk_live_" + LETTERS[:24],
    "AWS access key": "AKIA" + "A1B2C3D4E5F6G7H8",
    "AWS secret key": "aws_secret_access_key = " + (LETTERS + "/+Ab12Cd"),
    "Google key": "AIza" + LETTERS + "a-_",
    "Google token": "ya29." + LETTERS,
    "Azure storage": "AccountName=a;AccountKey=" + LETTERS * 2 + LETTERS[:22] + "==",
    "Azure client secret": "ab1" + "8Q~" + LETTERS[:32],
    "signed URL": "https://a.blob.example/c?sv=1&sig=" + LETTERS + "%2B%3D",
    "GitHub": "ghp_" + LETTERS + "Ab12",
    "GitHub fine-grained": "github_pat_" + LETTERS,
    "GitLab": "glpat-" + LETTERS[:20],
    "Slack": "xoxb-" + "123456789012-" + LETTERS,
    "Slack webhook": "https://hooks.slack.com/services/T0000/B0000/" + LETTERS,
    "JSON web token": ".".join(["eyJ" + LETTERS, "eyJ" + LETTERS, LETTERS]),
    "bearer": "Authorization: Bearer " + LETTERS,
    "bearer alone": "bearer " + LETTERS.lower(),
    "basic": "Authorization: Basic " + base64.b64encode(b"user:correct horse").decode(),
    "URL": "postgresql://antiphon:" + "h0rse-battery" + "@db.example/antiphon",
    "named in a text": "api_key: " + LETTERS,
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_every_form_is_found_and_masked(secret: str) -> None:
    (finding, *_) = find({"content": f"It is '{secret}', you know."})
    assert finding.place == "content"
    assert secret not in str(finding)
    assert LETTERS[4:20] not in str(finding)


HARMLESS = [
    "The task-management-system-of-our-company-2024 is down.",
    "sk-learn-is-a-library-for-machine-learning-in-python",
    "Use a bearer token in the Authorization header.",
    "Authorization: Bearer <token>",
    "Authorization: Bearer YOUR_API_KEY",
    "api_key=your_api_key_here",
    "OPENAI_API_KEY=$OPENAI_API_KEY",
    "https://user:password@host.example/path",
    "https://example.org:8080/a@b",
    "call_Sf7v1wWR7mzYTI2G6bN0n7cK and chatcmpl-ABCDEFGHIJKLMNOPQRSTUVWXYZ123",
    "resp_0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071 msg_abc file-Cn3MSNn72ENTiiq11Qda4A",
    "sha256:" + "0a1b2c3d" * 8,
    "0f6d40fc-ba1b-4cf9-8cd1-07dc0eaa7f5a",
    "eyJhbGciOiJIUzI1NiJ9",
    "The password must have at least 16 characters.",
    "data:image/png;base64," + base64.b64encode(bytes(range(256))).decode(),
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_alike_is_not_taken_for_one(text: str) -> None:
    assert find({"content": text}) == []


def test_a_name_makes_a_text_a_secret_but_not_a_description_of_one() -> None:
    assert [finding.place for finding in find({"db": {"password": "hunter2hunter2"}})] == ["db.password"]
    assert [finding.place for finding in find({"X-Api-Key": "0a1b2c3d"})] == ["X-Api-Key"]
    for value in ({"type": "string"}, "", "The password of the user.", "your-password", "***", None, 7):
        assert find({"password": value}) == []
    assert find({"token": "antiphonal", "max_tokens": "12345678", "prompt_tokens": "12345678"}) == []


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("name", ["llama-stack", "seeds"])
def test_real_recordings_hold_none(name: str) -> None:
    for call in calls_in(recordings(name)):
        assert find_in_call(call) == []


SECRET = SECRETS["GitHub"]


def text_call(text: str, **rest: JSON) -> RecordedCall:
    return RecordedCall(kind="chat", request=chat_request(text), **rest)


def with_request(**rest: JSON) -> RecordedCall:
    return RecordedCall(kind="chat", request=chat_request(**rest))


def streamed(pieces: list[str], wrap: Callable[[str], JSONObject]) -> RecordedCall:
    parts = tuple(Raw(json.dumps(chunk(wrap(piece))).encode()) for piece in pieces)
    return RecordedCall(kind="chat", request=chat_request(), streamed=True, parts=parts)


def arguments(piece: str) -> JSONObject:
    return {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


TOOL = {"type": "function", "function": {"name": "f", "description": f"Send {SECRET} along."}}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"key": SECRET})}}
ESCAPED = "".join(f"\\u{ord(character):04x}" for character in SECRET)

PLANTED: dict[str, tuple[RecordedCall, str]] = {
    "a message": (text_call(f"My token is {SECRET}."), "request.messages[0].content"),
    "a part of one": (
        with_request(messages=[{"role": "user", "content": [{"type": "text", "text": SECRET}]}]),
        "request.messages[0].content[0].text",
    ),
    "arguments of a call": (
        with_request(messages=[{"role": "assistant", "tool_calls": [CALL]}]),
        "request.messages[0].tool_calls[0].function.arguments",
    ),
    "escaped JSON in a text": (
        with_request(messages=[{"role": "tool", "content": f'{{"found": "{ESCAPED}"}}'}]),
        "request.messages[0].content (JSON).found",
    ),
    "a tool's description": (with_request(tools=[TOOL]), "request.tools[0].function.description"),
    "the name of a member": (with_request(metadata={SECRET: "x"}), "request.metadata (the name of a member)"),
    "a member named password": (with_request(extra={"password": "hunter2hunter2"}), "request.extra.password"),
    "Base64": (
        with_request(file="data:text/plain;base64," + base64.b64encode(f"token: {SECRET}".encode()).decode()),
        "request.file (Base64)",
    ),
    "a URL": (with_request(image=SECRETS["signed URL"]), "request.image"),
    "one chunk": (streamed([SECRET], lambda piece: {"content": piece}), "answer.choices[0].delta.content"),
    "pieces of several chunks": (
        streamed([SECRET[:9], SECRET[9:20], SECRET[20:]], lambda piece: {"content": piece}),
        "answer.choices[0].message.content",
    ),
    "pieces of arguments": (
        streamed(['{"a": "', SECRET[:12], SECRET[12:], '"}'], arguments),
        "answer.choices[0].message.tool_calls[0].function.arguments",
    ),
    "a whole reply": (
        text_call("Hi", parts=(Raw(json.dumps({"choices": [{"message": {"content": SECRET}}]}).encode()),)),
        "answer.choices[0].message.content",
    ),
    "an answer that is not JSON": (text_call("Hi", parts=(Raw(f"<p>{SECRET}".encode()),)), "answer"),
    "an error": (
        text_call("Hi", error=RecordedError("Bad key", 401, {"message": SECRET})),
        "error.body.message",
    ),
    "the address": (text_call("Hi", address=Address(url=SECRETS["signed URL"])), "address.url"),
    "the scope": (text_call("Hi", scope=SECRET), "scope"),
}


@pytest.mark.parametrize(("call", "place"), PLANTED.values(), ids=PLANTED)
def test_r15_a_planted_secret_is_found_and_its_place_is_reported(call: RecordedCall, place: str) -> None:
    findings = find_in_call(call)
    assert place in [finding.place for finding in findings]
    assert SECRET not in str(findings)


@pytest.mark.parametrize("call", [call for call, _ in PLANTED.values()], ids=PLANTED)
def test_r15_a_planted_secret_is_never_written(call: RecordedCall, tmp_path: Path) -> None:
    with pytest.raises(SecretInRecording) as caught:
        asyncio.run(Collection(tmp_path).add(call, overwrite=False))
    assert SECRET not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_in_a_tool_result_is_found() -> None:
    part = Raw(json.dumps({"content": json.dumps({"key": SECRET})}).encode())
    (finding, *_) = find_in_call(RecordedCall(kind="tool", request={"q": "x"}, parts=(part,)))
    assert finding.place == "answer.content"


def test_a_secret_is_reported_once_for_its_place() -> None:
    assert len(find({"api_key": SECRET})) == 1


def test_a_pattern_of_the_operators_own_is_found_in_short_texts_too() -> None:
    pattern = user_pattern("badge", r"B-\d{4}")
    assert find("B-1234", [pattern], "note") == [Finding("note", "badge", "…, 6 characters")]


def test_a_pattern_must_be_a_regular_expression() -> None:
    with pytest.raises(ValueError, match=r"isn't a valid regular expression"):
        user_pattern("badge", "(")


@pytest.mark.slow
@given(
    st.recursive(
        st.text(max_size=30), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)
    )
)
def test_nothing_breaks_the_search(value: JSON) -> None:
    call = replace(text_call("Hi"), request={"value": value}, parts=(Raw(b"\xff"),), streamed=True)
    assert find_in_call(call) == find_in_call(call)


def test_a_deep_value_in_a_text_does_no_harm() -> None:
    assert find({"content": "[" * 5000}) == []


def test_the_hints_let_no_built_in_pattern_out() -> None:
    assert all(pattern.hints for pattern in PATTERNS)
    assert all(hint == hint.lower() for pattern in PATTERNS for hint in pattern.hints)
    assert find("SK_LIVE_" + LETTERS) == find("sk-" + LETTERS[:8]) == []


@pytest.mark.parametrize("letters", ["a", "eyJ", "sk-", "Az0/", "://a:", "bearer ", "key=1a"])
def test_a_long_text_is_searched_in_linear_time(letters: str) -> None:
    # The assertion includes that the search ends within the time limit of a test.
    text = f"key sk- bearer :// eyj {letters * 100_000} {SECRET}"
    assert "GitHub token" in [finding.kind for finding in find({"content": text})]
