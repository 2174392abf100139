"""Choice of the recording that answers: exact, canonical or normalized; by scope and by turn."""

import json
from dataclasses import replace

import msgspec
import pytest
from msgspec import Raw

from antiphon.recording.calls.exact_hash import request_hash
from antiphon.recording.calls.recorded import BACKEND, Address, RecordedCall
from antiphon.recording.files.llama_stack import read_recording
from antiphon.recording.matching.chats import ChatIndex, Hit, Miss
from antiphon.recording.matching.volatile import RULES
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chat_request, chunk, recording, recordings

HERE = "tests/test_small.py::test_hello"
URL = "https://models.example/v1/v1/chat/completions"


def index(*calls: RecordedCall, repeat: bool = False) -> ChatIndex:
    made = ChatIndex(RULES, repeat=repeat)
    for call in calls:
        made.add(call)
    return made


def ours(answer: str, request: JSONObject | None = None, scope: str = "default") -> RecordedCall:
    """Return a call of our own format with the reply `answer`."""
    part = Raw(msgspec.json.encode(chunk({"content": answer}, "stop")))
    name = f"{scope}.json#{answer}"
    return RecordedCall(
        kind="chat", request=request or chat_request(), scope=scope, streamed=True, parts=(part,), name=name
    )


def theirs(name: str, request: JSONObject | None = None, answer: str = "Hi") -> RecordedCall:
    """Return a call of llama-stack's, in the scope `HERE`."""
    content = recording(request or chat_request(), [chunk({"content": answer}, "stop")])
    return read_recording(json.dumps(content).encode(), name)


def hashed(request: JSONObject) -> str:
    return request_hash("POST", URL, request, HERE) + ".json"


def hit(made: ChatIndex, scope: str = "default", request: JSONObject | None = None) -> Hit:
    found = made.find(request or chat_request(), scope)
    assert isinstance(found, Hit)
    return found


def names(made: ChatIndex, times: int, scope: str = "default") -> list[str]:
    return [hit(made, scope).call.name for _ in range(times)]


def missed(made: ChatIndex, scope: str = "default") -> Miss:
    found = made.find(chat_request(), scope)
    assert isinstance(found, Miss)
    return found


def test_our_own_recordings_answer_in_their_order_and_then_no_more() -> None:
    made = index(ours("1"), ours("2"), ours("3"))
    assert names(made, 3) == ["default.json#1", "default.json#2", "default.json#3"]
    assert missed(made).used == 3


def test_with_repeat_the_last_one_answers_again() -> None:
    made = index(ours("1"), ours("2"), repeat=True)
    assert names(made, 4) == ["default.json#1", "default.json#2", "default.json#2", "default.json#2"]


def test_every_scope_has_its_own_turns() -> None:
    made = index(ours("1", scope="a"), ours("2", scope="a"), ours("1", scope="b"))
    assert names(made, 2, "a") == ["a.json#1", "a.json#2"]
    assert names(made, 1, "b") == ["b.json#1"]
    assert missed(made, "b").used == 1


def test_a_scope_without_recordings_borrows_those_of_one_other() -> None:
    made = index(ours("1", scope="b"), ours("1", scope="a"), ours("2", scope="a"), ours("2", scope="b"))
    assert names(made, 2, "new") == ["a.json#1", "a.json#2"]
    assert missed(made, "new").used == 2
    assert names(made, 2, "a") == ["a.json#1", "a.json#2"]
    made.add(ours("1"))
    assert names(made, 1, "newer") == ["default.json#1"]


def test_alternatives_answer_as_often_as_they_are_asked() -> None:
    made = index(theirs("a.json"), theirs("b.json"))
    assert names(made, 3, HERE) == ["a.json"] * 3
    assert names(made, 3, "another") == ["a.json"] * 3


def test_an_exact_hit_is_the_file_that_bears_the_hash() -> None:
    request = chat_request(user="someone")
    made = index(theirs("0.json"), theirs(hashed(chat_request())), theirs(hashed(request), request))
    assert (hit(made, HERE).call.name, hit(made, HERE).how) == (hashed(chat_request()), "exact")
    assert hit(made, HERE, request).call.name == hashed(request)
    assert hit(made, "another").how == "canonical"


def test_the_hash_folds_what_llama_stack_folds() -> None:
    request = chat_request("score: 0.5")
    made = index(theirs(hashed(request), request))
    assert hit(made, HERE, chat_request("score: 0.7")).how == "exact"
    assert isinstance(made.find(chat_request("score: 0.7"), "another"), Miss)


def test_a_stale_file_comes_after_a_fresh_one_and_is_no_exact_hit() -> None:
    fresh = chat_request(user="someone")
    made = index(theirs("0.json"), theirs(hashed(fresh), fresh))
    assert (hit(made, HERE).call.name, hit(made, HERE).how) == (hashed(fresh), "canonical")
    assert hit(index(theirs("0.json")), HERE).how == "canonical"


def test_our_own_recording_of_the_scope_comes_before_llama_stacks() -> None:
    made = index(theirs(hashed(chat_request())), ours("1", scope=HERE))
    assert names(made, 1, HERE) == [f"{HERE}.json#1"]
    assert missed(made, HERE).used == 1
    assert hit(made, "another").call.name == f"{HERE}.json#1"


def test_the_same_words_of_the_same_scope_are_an_exact_hit() -> None:
    made = index(ours("1", scope="a"), repeat=True)
    assert hit(made, "a").how == "exact"
    assert hit(made, "a", chat_request(user="x")).how == "canonical"
    assert hit(made, "b").how == "canonical"


def tool_result(text: str) -> JSONObject:
    said = {"role": "tool", "tool_call_id": "x", "content": text}
    return {**chat_request(), "messages": [*chat_request()["messages"], said]}


def test_normalization_comes_last_and_is_reported() -> None:
    made = index(ours("1", tool_result("score: 1")), ours("2", tool_result("score: 2")))
    plain = hit(made, request=tool_result("score: 2"))
    assert (plain.call.name, plain.rules) == ("default.json#2", ())
    folded = hit(made, request=tool_result("score: 3"))
    assert (folded.call.name, folded.rules) == ("default.json#1", ["score"])
    assert isinstance(made.find(tool_result("score: 4"), "default"), Miss)


def test_of_alternatives_the_one_with_the_fewest_foldings_answers() -> None:
    def two(first: str, second: str) -> JSONObject:
        request = tool_result(first)
        return {**request, "messages": [*request["messages"], {"role": "assistant", "content": second}]}

    far, near = two("score: 1", "score: 1"), two("score: 1", "score: 3")
    made = index(theirs("a.json", far), theirs("b.json", near))
    assert hit(made, "x", two("score: 9", "score: 3")).call.name == "b.json"


def test_what_is_added_later_is_found_folded_too() -> None:
    made = index(ours("1", tool_result("score: 1")))
    assert hit(made, request=tool_result("score: 5")).rules == ["score"]
    made.add(ours("2", tool_result("score: 2")))
    assert hit(made, request=tool_result("score: 6")).call.name == "default.json#2"


def test_a_replaced_scope_deletes_only_its_own_file() -> None:
    made = index(ours("1", scope="a"), ours("1", scope="b"), theirs("c.json"))
    assert names(made, 1, "a") == ["a.json#1"]
    made.restart("a", "a.json")
    made.add(ours("9", scope="a"))
    assert names(made, 1, "a") == ["a.json#9"]
    assert names(made, 1, "b") == ["b.json#1"]
    assert names(made, 1, HERE) == ["c.json"]


def test_a_call_that_was_just_made_has_had_its_turn() -> None:
    made = index()
    made.mark_used(made.add(ours("1")))
    assert missed(made).used == 1


WITH_USAGE: JSONObject = chat_request(stream=True, stream_options={"include_usage": True})
WITHOUT_USAGE: JSONObject = chat_request(stream=True)
PLAIN: JSONObject = chat_request()
OBFUSCATED: JSONObject = chat_request(
    stream=True, stream_options={"include_usage": True, "include_obfuscation": False}
)


def test_the_alternative_with_the_same_stream_options_answers() -> None:
    made = index(theirs("a.json", WITHOUT_USAGE), theirs("b.json", WITH_USAGE), theirs("c.json", OBFUSCATED))
    asked = (WITH_USAGE, WITHOUT_USAGE, OBFUSCATED, WITH_USAGE)
    assert [hit(made, request=each).call.name for each in asked] == ["b.json", "a.json", "c.json", "b.json"]
    # A non-streaming response has a usage, so the request is like a stream with it.
    assert hit(made, request=PLAIN).call.name == "b.json"
    null = chat_request(stream=True, stream_options={"include_usage": True, "include_obfuscation": None})
    assert hit(made, request=null).call.name == "b.json"


def test_without_the_same_stream_options_the_usage_decides() -> None:
    made = index(theirs("a.json", WITHOUT_USAGE), theirs("b.json", WITH_USAGE))
    assert hit(made, request=OBFUSCATED).call.name == "b.json"
    odd = chat_request(stream=True, stream_options={"include_usage": "yes", "more": 1})
    assert hit(made, request=odd).call.name == "a.json"
    assert hit(made, request=chat_request(stream=True, stream_options=["odd"])).call.name == "a.json"


def test_the_same_stream_options_come_before_a_fresh_hash() -> None:
    made = index(theirs(hashed(WITHOUT_USAGE), WITHOUT_USAGE), theirs("z.json", WITH_USAGE))
    assert hit(made, "another", WITH_USAGE).call.name == "z.json"


def test_a_normalized_match_prefers_the_same_stream_options_too() -> None:
    def asked(score: str, **rest: JSON) -> JSONObject:
        return {**tool_result(f"score: {score}"), "stream": True, **rest}

    usage = {"stream_options": {"include_usage": True}}
    made = index(theirs("a.json", asked("1")), theirs("b.json", asked("2", **usage)))
    assert hit(made, "x", asked("3", **usage)).call.name == "b.json"
    assert hit(made, "x", asked("3")).call.name == "a.json"


def test_of_a_sequence_the_same_stream_options_answer_first_and_then_the_others() -> None:
    recorded = (WITHOUT_USAGE, WITH_USAGE, WITHOUT_USAGE, PLAIN)
    made = index(*(ours(str(number), each) for number, each in enumerate(recorded)), repeat=True)
    asked = (WITH_USAGE, WITH_USAGE, WITH_USAGE, WITHOUT_USAGE)
    found = [hit(made, request=each).call.name.rpartition("#")[2] for each in asked]
    assert found == ["1", "3", "0", "2"]
    # After the last one, the last of the nearest answers again.
    assert hit(made, request=WITHOUT_USAGE).call.name == "default.json#2"
    assert hit(made, request=PLAIN).call.name == "default.json#3"


@pytest.mark.shared
def test_real_streams_with_usage_and_without_it_answer_their_own_kind_in_any_scope() -> None:
    calls = [call for call in calls_in(recordings("llama-stack")) if call.kind == "chat"]
    made = index(*calls)
    with_both = 0
    for call in calls:
        if not call.request.get("stream"):
            continue
        same = [each for each in calls if each.key == call.key]
        options = [each.request.get("stream_options") for each in same]
        with_both += len({bool(each) for each in options}) == 2
        found = hit(made, "no such scope", call.request).call
        assert found.request.get("stream_options") == call.request.get("stream_options"), call.name
    assert with_both > 50


def test_of_equals_the_asked_backend_answers_and_others_where_it_has_none() -> None:
    def said_by(name: str, backend: str, scope: str = HERE) -> RecordedCall:
        return replace(ours(name, scope=scope), address=Address(metadata={BACKEND: backend}))

    made = index(said_by("1", "a"), said_by("2", "b"), said_by("3", "a"), said_by("4", "b", "other"))

    def ask(backend: str, scope: str = HERE) -> str | None:
        found = made.find(chat_request(), scope, backend)
        return found.call.name.rpartition("#")[2] if isinstance(found, Hit) else None

    assert [ask("b"), ask("b"), ask("a"), ask("a"), ask("a")] == ["2", None, "1", "3", None]
    assert [ask("b", "other"), ask("a", "other")] == ["4", None]
    made.begin("other")
    assert ask("renamed", "other") == "4"
    made.begin(HERE)
    assert [ask(""), ask("renamed"), ask("b")] == ["1", "2", None]


def test_an_address_that_is_none_is_no_exact_hit() -> None:
    content = recording(chat_request(), [chunk({"content": "Hi"}, "stop")])
    content["request"]["url"] = "http://[broken"
    made = index(read_recording(json.dumps(content).encode(), "a.json"))
    assert hit(made, HERE).how == "canonical"


def test_a_request_that_is_nested_too_deeply_is_an_error() -> None:
    seed: list[object] = []
    for _ in range(100_000):
        seed = [seed]
    with pytest.raises(RecursionError):
        index(ours("1")).find(chat_request(seed=seed), "default")
