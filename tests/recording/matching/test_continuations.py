"""Runs of several model calls, which follow one recorded run whichever recording answers first."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection, read_calls
from antiphon.recording.files.llama_stack import read_recording
from antiphon.recording.matching.chats import Hit
from antiphon.recording.matching.continuations import reply_message
from antiphon.wire.json import JSON, JSONObject
from tests.recording.asking import catalogue, in_scope, with_client
from tests.recording.samples import chunk, recording, recordings, write

SCENARIOS = (
    "web_search",
    "multi_turn_tool_execution",
    "function_call_ordering",
    "response_non_streaming_mcp_tool[",
    "function_call_output_list_text",
)
Outputs = dict[tuple[str, str], JSON]


def call(name: str, arguments: JSONObject, call_id: str = "call_1") -> JSONObject:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


def called(name: str, arguments: JSONObject) -> tuple[str, str]:
    return name, json.dumps(arguments, sort_keys=True)


def is_first(recorded: RecordedCall) -> bool:
    roles = {message["role"] for message in recorded.request["messages"]}
    return "tools" in recorded.request and not roles & {"assistant", "tool"}


def tool_outputs(chats: list[RecordedCall], searches: dict[str, JSON]) -> Outputs:
    """Return the output of each tool in the recorded runs, by majority, because some servers were down."""
    seen: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for chat in chats:
        calls: dict[str, tuple[str, str]] = {}
        for message in chat.request["messages"]:
            for each in message.get("tool_calls") or []:
                function = each["function"]
                calls[each["id"]] = called(function["name"], json.loads(function["arguments"]))
            if message["role"] == "tool" and message["tool_call_id"] in calls:
                seen[calls[message["tool_call_id"]]][json.dumps(message["content"])] += 1
    outputs = {key: json.loads(counts.most_common(1)[0][0]) for key, counts in seen.items()}
    return outputs | {called("web_search", {"query": query}): found for query, found in searches.items()}


def scenarios() -> Iterator[tuple[str, JSONObject, Outputs]]:
    """Yield the scope, the first request and the tools' outputs of every recorded scenario."""
    chats: defaultdict[str, list[RecordedCall]] = defaultdict(list)
    searches: dict[str, JSON] = {}
    for recorded in read_calls(recordings("llama-stack"), []):
        if recorded.kind == "chat" and any(name in recorded.scope for name in SCENARIOS):
            chats[recorded.scope].append(recorded)
        elif recorded.address.tool_name == "web_search":
            searches[recorded.request["query"]] = msgspec.json.decode(recorded.parts[0])["content"]
    for scope, group in sorted(chats.items()):
        outputs = tool_outputs(group, searches)
        firsts = {chat.key: chat for chat in group if is_first(chat)}
        yield from ((scope, chat.request, outputs) for chat in firsts.values())


async def run(client: httpx2.AsyncClient, scope: str, first: JSONObject, outputs: Outputs) -> tuple[int, str]:
    """Make model calls until one returns an answer; return their number, and the text."""
    messages: list[JSONObject] = list(first["messages"])
    for number in range(1, 10):
        body = {**first, "messages": messages, "stream": False}
        answer = await client.post("/chat/completions", json=body, headers=in_scope(scope))
        assert answer.status_code == 200, (scope, number, answer.json())
        message = answer.json()["choices"][0]["message"]
        messages.append(message)
        if not message.get("tool_calls"):
            return number, message["content"]
        for each in message["tool_calls"]:
            function = each["function"]
            content = outputs[called(function["name"], json.loads(function["arguments"]))]
            messages.append({"role": "tool", "tool_call_id": each["id"], "content": content})
    raise AssertionError(f"{scope}: no end")


@pytest.mark.shared
@pytest.mark.parametrize("scoped", [True, False])
def test_every_recorded_scenario_runs_from_its_first_call_to_its_last_answer(scoped: bool) -> None:
    async def check(client: httpx2.AsyncClient) -> Counter[int]:
        lengths: Counter[int] = Counter()
        for scope, first, outputs in scenarios():
            number, text = await run(client, scope if scoped else DEFAULT_SCOPE, first, outputs)
            assert text, scope
            lengths[number] += 1
        return lengths

    lengths = with_client(catalogue(recordings("llama-stack")), check)
    assert all(lengths[number] > 0 for number in (2, 3, 4)), lengths
    assert lengths.total() > 40


@pytest.mark.shared
def test_the_first_recordings_by_name_would_leave_the_track() -> None:
    """The other test relies on this: in some scenario, the first alternative leads to no answer."""
    collection = Collection(recordings("llama-stack"))
    dead_ends = 0
    for scope, first, _ in scenarios():
        found = collection.chats.find(first, scope)
        assert isinstance(found, Hit)
        same = [e.call for e in collection.chats.entries if e.key == found.call.key and e.call.scope == scope]
        by_name = min(same, key=lambda each: (each.stale, each.name))
        said, better = reply_message(by_name), reply_message(found.call)
        assert said is not None
        assert better is not None
        calls = [[c["function"] for c in each.get("tool_calls") or []] for each in (said, better)]
        dead_ends += calls[0] != calls[1]
    assert dead_ends > 0


def question(*more: JSONObject) -> JSONObject:
    return {"model": "small", "messages": [{"role": "user", "content": "Go"}, *more]}


def asks(name: str, arguments: JSONObject) -> JSONObject:
    return chunk({"tool_calls": [{"index": 0, **call(name, arguments)}]}, "tool_calls")


def after(name: str, arguments: JSONObject, result: str) -> list[JSONObject]:
    return [
        {"role": "assistant", "content": None, "tool_calls": [call(name, arguments, "other")]},
        {"role": "tool", "tool_call_id": "other", "content": result},
    ]


def chosen(directory: Path, body: JSONObject, scope: str = "tests/test_small.py::test_hello") -> str:
    found = Collection(directory).chats.find(body, scope)
    assert isinstance(found, Hit)
    return found.call.name


def test_the_alternative_that_goes_on_is_chosen(tmp_path: Path) -> None:
    write(tmp_path, "a.json", recording(question(), [asks("look", {"at": "sea"})]))
    write(tmp_path, "b.json", recording(question(), [asks("look", {"at": "sky"})]))
    then = question(*after("look", {"at": "sky"}, "blue"))
    write(tmp_path, "c.json", recording(then, [chunk({"content": "Blue."}, "stop")]))
    assert chosen(tmp_path, question()) == "b.json"
    assert chosen(tmp_path, question(), "another scope") == "b.json"


def test_the_alternative_whose_run_comes_to_an_end_is_chosen(tmp_path: Path) -> None:
    for first, at in (("a.json", "sea"), ("b.json", "sky")):
        write(tmp_path, first, recording(question(), [asks("look", {"at": at})]))
        then = question(*after("look", {"at": at}, "blue"))
        last = asks("look", {"at": "ground"}) if at == "sea" else chunk({"content": "Blue."}, "stop")
        write(tmp_path, f"then-{at}.json", recording(then, [last]))
    assert chosen(tmp_path, question()) == "b.json"


def test_a_run_that_comes_to_an_end_comes_before_the_same_stream_options(tmp_path: Path) -> None:
    def streamed(*more: JSONObject, **options: JSON) -> JSONObject:
        return {**question(*more), "stream": True, **options}

    usage: JSONObject = {"stream_options": {"include_usage": True}}
    write(tmp_path, "a.json", recording(streamed(**usage), [asks("look", {"at": "sea"})]))
    write(tmp_path, "b.json", recording(streamed(), [asks("look", {"at": "sky"})]))
    then = after("look", {"at": "sky"}, "blue")
    write(tmp_path, "c.json", recording(streamed(*then), [chunk({"content": "Blue."}, "stop")]))
    assert chosen(tmp_path, streamed(**usage), "another scope") == "b.json"
    then = after("look", {"at": "sea"}, "blue")
    write(tmp_path, "d.json", recording(streamed(*then, **usage), [chunk({"content": "Blue."}, "stop")]))
    assert chosen(tmp_path, streamed(**usage), "another scope") == "a.json"
    assert chosen(tmp_path, streamed(), "another scope") == "b.json"


def test_of_two_answers_the_one_that_is_talked_about_is_chosen(tmp_path: Path) -> None:
    for name, text in (("a.json", "One."), ("b.json", "Two."), ("c.json", "Three.")):
        write(tmp_path, name, recording(question(), [chunk({"content": text}, "stop")]))
    more = [{"role": "assistant", "content": "Two."}, {"role": "user", "content": "And now?"}]
    write(tmp_path, "d.json", recording(question(*more), [chunk({"content": "Three."}, "stop")]))
    assert chosen(tmp_path, question()) == "b.json"


def test_results_in_another_order_go_on_too(tmp_path: Path) -> None:
    calls = [call("look", {"at": "sea"}, "1"), call("look", {"at": "sky"}, "2")]
    asked = chunk({"tool_calls": [{"index": n, **each} for n, each in enumerate(calls)]}, "tool_calls")
    write(tmp_path, "a.json", recording(question(), [asks("look", {"at": "ground"})]))
    write(tmp_path, "b.json", recording(question(), [asked]))
    each_after_its_own = [*after("look", {"at": "sea"}, "wet"), *after("look", {"at": "sky"}, "blue")]
    each_after_its_own[2]["tool_calls"][0]["id"] = each_after_its_own[3]["tool_call_id"] = "second"
    write(tmp_path, "c.json", recording(question(*each_after_its_own), [chunk({"content": "Both."}, "stop")]))
    assert chosen(tmp_path, question()) == "b.json"


def test_a_conversation_with_other_results_before_does_not_count(tmp_path: Path) -> None:
    begun = question(*after("look", {"at": "sky"}, "blue"))
    write(tmp_path, "a.json", recording(begun, [asks("look", {"at": "sea"})]))
    write(tmp_path, "b.json", recording(begun, [asks("look", {"at": "ground"})]))
    other = question(*after("look", {"at": "sky"}, "grey"), *after("look", {"at": "sea"}, "wet"))
    write(tmp_path, "c.json", recording(other, [chunk({"content": "Grey."}, "stop")]))
    going_on = question(*after("look", {"at": "sky"}, "blue"), *after("look", {"at": "ground"}, "dry"))
    write(tmp_path, "d.json", recording(going_on, [chunk({"content": "Dry."}, "stop")]))
    assert chosen(tmp_path, begun) == "b.json"


def test_an_answer_that_is_no_chat_completion_says_nothing() -> None:
    content = json.dumps(recording(question(), [{"choices": []}])).encode()
    assert reply_message(read_recording(content, "a.json")) is None


def test_what_is_added_later_counts(tmp_path: Path) -> None:
    write(tmp_path, "a.json", recording(question(), [asks("look", {"at": "sea"})]))
    write(tmp_path, "b.json", recording(question(), [asks("look", {"at": "sky"})]))
    chats = Collection(tmp_path).chats
    first = chats.find(question(), "x")
    assert isinstance(first, Hit)
    assert first.call.name == "a.json"
    then = recording(question(*after("look", {"at": "sky"}, "blue")), [chunk({"content": "Blue."}, "stop")])
    chats.add(read_recording(json.dumps(then).encode(), "c.json"))
    second = chats.find(question(), "x")
    assert isinstance(second, Hit)
    assert second.call.name == "b.json"
