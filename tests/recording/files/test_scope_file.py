"""Our own files: they keep everything, and a person can review them."""

import difflib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import ConfigError
from antiphon.recording.calls.recorded import Address, RecordedCall, RecordedError
from antiphon.recording.files import scope_file
from antiphon.recording.files.scope_file import file_name, parse_file, read, write
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chat_request, chunk, recordings

WORDS = "The antiphon is sung by two choirs in turn, verse against verse, as the psalms have been for long."


def streamed(text: str = WORDS, request: JSONObject | None = None, **rest: JSON) -> RecordedCall:
    """Return a call whose answer was streamed word by word, as OpenAI sends it."""
    words = [f"{word} " for word in text.split(" ")]
    nulls = {"function_call": None, "refusal": None, "tool_calls": None}
    chunks = [
        chunk({"content": "", "role": "assistant", **nulls}, usage=None),
        *(chunk({"content": word, "role": None, **nulls}, usage=None) for word in words),
        chunk({"content": None, "role": None, **nulls}, "stop", usage=None),
        {**chunk({}), "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": len(words)}},
    ]
    parts = tuple(Raw(json.dumps(each).encode()) for each in chunks)
    return RecordedCall(kind="chat", request=request or chat_request(), streamed=True, parts=parts, **rest)


def agent_run(turns: int) -> list[RecordedCall]:
    """Return the calls of one conversation with tools; each adds two messages to the one before it."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    function = {"name": "look_up", "description": "Looks a place up in the atlas.", "parameters": parameters}
    messages: list[JSONObject] = [
        {"role": "system", "content": "You are a guide through the cities of the world."}
    ]
    calls = []
    for turn in range(turns):
        messages.append(
            {"role": "user", "content": f"Tell me more, in two sentences, about town number {turn}."}
        )
        request = {
            **chat_request(),
            "messages": list(messages),
            "tools": [{"type": "function", "function": function}],
        }
        answer = f"Town number {turn} lies by the sea. {WORDS}"
        calls.append(streamed(answer, request))
        messages.append({"role": "assistant", "content": answer})
    return calls


def written(calls: Sequence[RecordedCall], directory: Path, scope: str = "default") -> Path:
    path = directory / file_name(scope)
    write(path, scope, calls)
    return path


def values(call: RecordedCall) -> list[JSON]:
    """Return the parts as JSON values, without the padding, which our files omit."""
    found = [json.loads(payload) for payload in call.payloads()]
    for value in found:
        for holder in [value, *(value.get("choices") or [])]:
            holder.pop("obfuscation", None)
    return found


def assert_same(one: RecordedCall, other: RecordedCall) -> None:
    assert json.dumps(one.request, sort_keys=True) == json.dumps(other.request, sort_keys=True)
    assert values(one) == values(other)
    names = (
        "kind",
        "scope",
        "streamed",
        "error",
        "gaps",
        "address",
        "type_name",
        "hash_name",
        "key",
        "exact_hash",
        "stale",
    )
    assert [getattr(one, name) for name in names] == [getattr(other, name) for name in names]


def real_scopes() -> dict[str, list[RecordedCall]]:
    scopes: defaultdict[str, list[RecordedCall]] = defaultdict(list)
    for directory in ("llama-stack", "seeds"):
        for call in calls_in(recordings(directory)):
            scopes[call.scope].append(call)
    return scopes


def text_size(calls: Sequence[RecordedCall]) -> int:
    """Return the bytes of the text in calls: each message and tool list once, and the answers, as JSON."""
    said = {
        json.dumps(each)
        for call in calls
        for each in [*call.request.get("messages", []), call.request.get("tools")]
    }
    answers = [
        fold_chunks(call.payloads()).decode()
        if call.streamed and call.kind == "chat"
        else str(call.payloads())
        for call in calls
    ]
    return sum(len(each.encode()) for each in [*said, *answers])


@pytest.mark.shared
@pytest.mark.slow
def test_every_real_call_comes_back(tmp_path: Path) -> None:
    for scope, calls in real_scopes().items():
        back = read(written(calls, tmp_path, scope))
        for one, other in zip(calls, back, strict=True):
            assert_same(one, other)


@pytest.mark.shared
@pytest.mark.slow
def test_real_files_take_at_most_twice_the_text_that_they_hold(tmp_path: Path) -> None:
    chats = [calls for calls in real_scopes().values() if all(call.kind == "chat" for call in calls)]
    sizes = [(written(calls, tmp_path, calls[0].scope).stat().st_size, text_size(calls)) for calls in chats]
    assert sum(size for size, _ in sizes) <= 2 * sum(text for _, text in sizes)
    # The data that a backend sends around the text (usage, filters, log probabilities) is stored once.
    assert max(size - 2 * text for size, text in sizes) <= 3072


def test_the_smallest_file_is_less_than_a_kilobyte(tmp_path: Path) -> None:
    """Most bytes of a short reply are the backend's own fields, which a replay returns too."""
    path = written([streamed("Good morning.", gaps=(300, 0, 12, 9, 0))], tmp_path)
    assert path.stat().st_size <= 1024


def test_r17_an_agent_run_takes_at_most_twice_the_text_that_it_holds(tmp_path: Path) -> None:
    calls = agent_run(12)
    assert written(calls, tmp_path).stat().st_size <= 2 * text_size(calls)


def test_r16_an_added_turn_changes_no_line_before_it(tmp_path: Path) -> None:
    calls = agent_run(8)
    before = written(calls[:-1], tmp_path).read_text().splitlines()
    after = written(calls, tmp_path).read_text().splitlines()
    changes = [each for each in difflib.ndiff(before, after) if each[0] in "+-"]
    removed = [each[2:] for each in changes if each[0] == "-"]
    added = [each[2:] for each in changes if each[0] == "+"]
    # Only the comma after the previous call is removed; the turn has its question, its answer and little
    # else.
    assert removed in ([], ["  }"])
    turn = text_size(calls) - text_size(calls[:-1])
    assert sum(len(each.encode()) for each in added) <= 2.5 * turn
    assert len(added) <= 25


def test_r16_messages_and_tools_are_written_once(tmp_path: Path) -> None:
    text = written(agent_run(6), tmp_path).read_text()
    assert text.count("You are a guide") == text.count("Looks a place up") == 1
    assert text.count("about town number 0") == 1


def test_r17_a_reply_that_is_given_again_is_written_once(tmp_path: Path) -> None:
    """Tool lists of an MCP server repeat like this, once for each response."""
    listed: JSONObject = {"tools": [{"name": name, "description": "Looks it up. " * 9} for name in "ab"]}
    replies = [listed, listed, {**listed, "obfuscation": "its own word"}, {"tools": []}]
    address = Address(url="", endpoint="", provider="lab", tool_name="tools/list")
    calls = [
        RecordedCall(kind="tool", request={}, address=address, parts=(Raw(json.dumps(reply).encode()),))
        for reply in replies
    ]
    path = written(calls, tmp_path)
    assert path.read_text().count('"name": "a"') == 1
    assert [call.payloads() for call in read(path)] == [call.payloads() for call in calls]


def test_text_can_be_read_in_the_file(tmp_path: Path) -> None:
    text = written([streamed()], tmp_path).read_text()
    assert WORDS in text
    assert max(len(line) for line in text.splitlines()) < 200


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    path = written(agent_run(3), tmp_path)
    before = path.read_bytes()
    write(path, "default", read(path))
    assert path.read_bytes() == before


def test_errors_gaps_and_answers_that_broke_off_come_back(tmp_path: Path) -> None:
    error = RecordedError(
        "rate limited", 429, {"code": "rate_limit_exceeded"}, "provider_sdk", "openai", "RateLimitError"
    )
    calls = [
        RecordedCall(kind="chat", request=chat_request(), error=error),
        streamed("cut", gaps=(120, 0, 0, 4), error=RecordedError("connection lost")),
        streamed(
            "", address=Address(url="http://localhost:8000/v1/chat/completions", metadata={"version": "1"})
        ),
        RecordedCall(kind="chat", request=chat_request(), streamed=True),
    ]
    for one, other in zip(calls, read(written(calls, tmp_path)), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize(
    "answer", [b'{"a": 1.50, "choices": []}', b"[1, 2]", b'"text"', b"null", b"not json", b"\xff\x00"]
)
def test_any_reply_comes_back(answer: bytes, tmp_path: Path) -> None:
    call = RecordedCall(kind="other", request={}, parts=(Raw(answer),))
    (back,) = read(written([call], tmp_path))
    assert back.streamed is False
    (part,) = back.parts
    assert bytes(part) == answer or json.loads(bytes(part)) == json.loads(answer)


def test_tool_calls_come_back(tmp_path: Path) -> None:
    address = Address(method="", url="", endpoint="", provider="web", tool_name="search")
    calls = [
        RecordedCall(
            kind="tool", request={"query": query}, address=address, parts=(Raw(b'{"content":"found"}'),)
        )
        for query in ("one", "two")
    ]
    for one, other in zip(calls, read(written(calls, tmp_path)), strict=True):
        assert_same(one, other)


def test_the_capability_switches_of_a_backend_are_written_once_after_what_people_read(tmp_path: Path) -> None:
    switches = {"developer_role": False, "think_tags": True, "custom_tools": False}
    address = Address(metadata={"backend": "lab", "capabilities": switches})
    calls = [
        RecordedCall(
            kind="chat",
            request={"model": "m", "messages": [{"role": "user", "content": text}]},
            address=address,
            parts=(Raw(json.dumps({"id": text}).encode()),),
        )
        for text in ("One", "Two", "Three")
    ]
    path = written(calls, tmp_path)
    text = path.read_text()
    assert text.count("developer_role") == 1
    assert text.index('"request"') < text.index('"reply"') < text.index('"address"')
    for one, other in zip(calls, read(path), strict=True):
        assert_same(one, other)


words = st.text(max_size=5)
requests = st.builds(chat_request, words, seed=st.integers(), extra=st.dictionaries(words, words, max_size=2))
generated = st.builds(
    lambda request, text, gaps, streaming: (
        streamed(text, request, gaps=tuple(gaps))
        if streaming
        else RecordedCall(
            kind="chat", request=request, parts=(Raw(json.dumps(chunk({"content": text})).encode()),)
        )
    ),
    requests,
    words,
    st.lists(st.integers(0, 99), max_size=3),
    st.booleans(),
)


@given(st.lists(generated, max_size=4), words)
def test_any_calls_come_back(calls: list[RecordedCall], scope: str) -> None:
    writer = scope_file.ScopeWriter(scope)
    for call in calls:
        writer.add(call)
    back = parse_file(writer.content(), "a.json", [])
    for one, other in zip(calls, back, strict=True):
        assert_same(replace(one, scope=scope), other)
    assert [call.name for call in back] == [f"a.json#{number}" for number in range(1, len(calls) + 1)]


VERSION_1 = """{
 "antiphon_recordings": 1,
 "scope": "tests/test_greeting.py::test_hello",
 "calls": [
  {
   "call": 1,
   "request": {"model": "small", "messages": [{"role": "user", "content": "Hello"}]},
   "chunks": [
    {"set": {"/id": "a", "/choices": [{"index": 0, "delta": {"content": ""}}]}},
    {"at": "/choices/0/delta/content", "text": "Hi there!", "lengths": "2 6"},
    {"set": {"/choices/0/delta": {}, "/choices/0/finish_reason": "stop"}}
   ],
   "gaps": "250 0x4"
  },
  {
   "call": 2,
   "like": 1,
   "kept_messages": 1,
   "request": {"messages": [{"role": "assistant", "content": "Hi there!"}], "seed": 7},
   "reply": {"id": "b", "choices": [{"index": 0, "message": {"content": "Bye."}}]}
  }
 ]
}
"""


def test_r19_a_file_of_version_1_is_read() -> None:
    first, second = parse_file(VERSION_1.encode(), "a.json", [])
    assert first.scope == second.scope == "tests/test_greeting.py::test_hello"
    pieces = [each["choices"][0]["delta"].get("content") for each in values(first)]
    assert pieces == ["", "Hi", " there", "!", None]
    assert first.gaps == (250, 0, 0, 0, 0)
    assert [message["content"] for message in second.request["messages"]] == ["Hello", "Hi there!"]
    assert (second.request["model"], second.request["seed"]) == ("small", 7)
    assert values(second)[0]["id"] == "b"


def test_a_later_version_is_distinguished_from_a_broken_file() -> None:
    later = VERSION_1.replace('recordings": 1', 'recordings": 2').replace('"calls"', '"entries"')
    with pytest.raises(
        ConfigError, match=r"^a\.json: has version 2 of the format; this program reads version 1$"
    ):
        parse_file(later.encode(), "a.json", [])


BROKEN = {
    "empty": "",
    "cut": VERSION_1[:300],
    "a list": "[]",
    "an unknown key": VERSION_1.replace('"gaps"', '"gap"'),
    "no such call": VERSION_1.replace('"like": 1', '"like": 3'),
    "itself": VERSION_1.replace('"like": 1', '"like": 2'),
    "a number twice": VERSION_1.replace('"call": 2', '"call": 1'),
    "more messages than there are": VERSION_1.replace('"kept_messages": 1', '"kept_messages": 2'),
    "longer than the text": VERSION_1.replace('"2 6"', '"2 60"'),
    "no numbers": VERSION_1.replace('"250 0x4"', '"soon"'),
    "a pointer to nowhere": VERSION_1.replace('"at": "/choices/0', '"at": "/choices/1'),
    "nested too deeply": VERSION_1.replace('"seed": 7', f'"seed": {"[" * 100_000}{"]" * 100_000}'),
    "a name that leads out": VERSION_1.replace('"call": 2,', '"call": 2, "hash_name": "../../a.json",'),
    "a hidden name": VERSION_1.replace('"call": 2,', '"call": 2, "hash_name": ".json",'),
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.json: [^\n]+$"):
        parse_file(text.encode(), "a.json", [])


def test_a_scopes_file_is_named_after_it() -> None:
    assert file_name("default") == "default.json"
    name = file_name("tests/test_a.py::test_b[x-1]")
    assert name.startswith("tests-test_a-py-test_b-x-1-")
    assert name.endswith(".json")


@given(st.text())
def test_a_name_is_safe_on_any_file_system(scope: str) -> None:
    name = file_name(scope)
    assert len(name) <= 130
    stem, dot, ending = name.partition(".")
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_")
    assert not stem.startswith("-")
    assert (dot, ending) == (".", "json")
    assert stem not in ("con", "nul", "aux", "prn")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Test", "test"),
        ("a/b", "a-b"),
        ("a", "a "),
        ("", "-"),
        ("x" * 200, "x" * 201),
        ("../a", "a"),
        ("default", "DEFAULT"),
    ],
)
def test_scopes_never_share_a_file(one: str, other: str) -> None:
    assert file_name(one) != file_name(other)
