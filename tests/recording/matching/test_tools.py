"""Recorded tool calls, found by tool, arguments and scope; replayed and recorded through the port."""

import asyncio
import json
from pathlib import Path
from typing import Literal, cast

import msgspec
import pytest

from antiphon.errors import RecordingNotFound, SecretInRecording, UpstreamError, UpstreamTimeout
from antiphon.recording.calls.exact_hash import tool_hash
from antiphon.recording.calls.recorded import Kind, RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.matching.chats import Miss
from antiphon.recording.matching.tools import ToolIndex
from antiphon.recording.seam.faults import Faults, FaultyTools
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.recording.seam.player import ToolPlayer
from antiphon.recording.seam.record import CallWriter, ToolRecorder
from antiphon.tools.web_search.providers.protocol import Search
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, recordings, write
from tests.support.notes import notes_of, noting

Size = Literal["low", "medium", "high"]


class Tools:
    """Tools that return the number of the call; the tool `broken` fails."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, JSONObject]] = []

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        self.calls.append((provider, name, arguments))
        if name == "broken":
            raise UpstreamTimeout("the tool did not answer")
        return {"content": f"{provider} {name} {len(self.calls)}"}


def record(directory: Path, *calls: tuple[str, str, JSONObject], scope: str = "default") -> Tools:
    tools = Tools()

    async def make() -> None:
        context = noting(scope=scope)
        recorder = ToolRecorder(tools, CallWriter(Collection(directory), context, overwrite=True))
        for each in calls:
            await recorder.call(*each)
        assert notes_of(context) == ["recorded"] * len(calls)

    asyncio.run(make())
    return tools


def play(directory: Path, *calls: tuple[str, str, JSONObject], scope: str = "default") -> list[JSON]:
    context = noting(scope=scope)
    player = ToolPlayer(RecordingLookup(Collection(directory)), context)

    async def ask() -> list[JSON]:
        return [await player.call(*each) for each in calls]

    return asyncio.run(ask())


def test_a_result_replays_without_the_tool(tmp_path: Path) -> None:
    record(tmp_path, ("wiki", "search", {"query": "sea", "limit": 3}))
    assert play(tmp_path, ("wiki", "search", {"limit": 3.0, "query": "sea"})) == [
        {"content": "wiki search 1"}
    ]


def test_the_same_call_twice_is_answered_in_order(tmp_path: Path) -> None:
    call: tuple[str, str, JSONObject] = ("wiki", "search", {"query": "sea"})
    record(tmp_path, call, call)
    assert play(tmp_path, call, call) == [{"content": "wiki search 1"}, {"content": "wiki search 2"}]
    with pytest.raises(RecordingNotFound, match="recorded 2 times"):
        play(tmp_path, call, call, call)


@pytest.mark.parametrize(
    "asked",
    [
        ("wiki", "search", {"query": "sky"}),
        ("wiki", "find", {"query": "sea"}),
        ("atlas", "search", {"query": "sea"}),
    ],
)
def test_another_call_is_a_miss_that_shows_the_nearest(
    asked: tuple[str, str, JSONObject], tmp_path: Path
) -> None:
    record(tmp_path, ("wiki", "search", {"query": "sea"}))
    with pytest.raises(RecordingNotFound, match=r"nearest is default.json#1") as caught:
        play(tmp_path, asked)
    assert asked[1] in caught.value.message


def missed(directory: Path, call: tuple[str, str, JSONObject]) -> str:
    with pytest.raises(RecordingNotFound) as caught:
        play(directory, call)
    return caught.value.message


def test_a_miss_names_the_most_similar_call_of_the_same_tool(tmp_path: Path) -> None:
    record(
        tmp_path,
        ("tavily", "web_search", {"query": "latest Python version"}),
        ("wiki", "search", {"query": "ferry timetable Texel"}),
        ("tavily", "web_search", {"query": "ferry timetable Ameland"}),
        ("tavily", "web_search", {"query": "weather"}),
    )
    message = missed(tmp_path, ("brave", "web_search", {"query": "ferry timetable Texel"}))
    assert "The nearest is default.json#3" in message
    assert message.splitlines()[1:] == [
        '  arguments.query: requested "ferry timetable Texel", recorded "ferry timetable Ameland"'
    ]


def test_a_miss_never_names_a_call_of_another_kind(tmp_path: Path) -> None:
    record(tmp_path, ("tavily", "web_search", {"query": "sea"}), ("wiki", "tools/list", {}))
    message = missed(tmp_path, ("files", "check", {"query": "sea"}))
    assert message == (
        "No recording answers this call to check. No call of this kind is recorded. "
        "Set `replay_tools` to `live` to call the tool."
    )
    assert "nearest is default.json#2" in missed(tmp_path, ("files", "tools/list", {}))
    assert "nearest is default.json#2" in missed(tmp_path, ("wiki", "check", {}))


def test_an_endpoint_miss_names_a_call_of_the_same_endpoint() -> None:
    calls = ToolIndex(repeat=False)
    for number, (kind, text) in enumerate(
        [("moderation", "sky"), ("embedding", "sea"), ("embedding", "sun")]
    ):
        request: JSONObject = {"model": "m", "input": text}
        calls.add(RecordedCall(kind=cast(Kind, kind), request=request, name=f"default.json#{number}"))
    found = calls.find("/v1/embeddings", "m", {"input": "sky"}, "default")
    assert isinstance(found, Miss)
    assert [call.name for call, _ in calls.alike(found.canonical)] == ["default.json#1", "default.json#2"]


def test_scopes_decide_between_the_same_calls(tmp_path: Path) -> None:
    first: tuple[str, str, JSONObject] = ("wiki", "search", {"query": "sea"})
    record(tmp_path, first, scope="a")
    record(tmp_path, ("wiki", "other", {}), first, scope="b")
    assert play(tmp_path, first, scope="b") == [{"content": "wiki search 2"}]
    assert play(tmp_path, first, scope="c") == [{"content": "wiki search 1"}]


def test_a_failure_replays_as_such(tmp_path: Path) -> None:
    with pytest.raises(UpstreamTimeout):
        record(tmp_path, ("wiki", "broken", {}))
    with pytest.raises(UpstreamTimeout, match="the tool did not answer"):
        play(tmp_path, ("wiki", "broken", {}))


def test_a_secret_in_the_arguments_stops_the_call(tmp_path: Path) -> None:
    secret = "Bearer sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4eFg7hIj0k"
    with pytest.raises(SecretInRecording):
        record(tmp_path, ("wiki", "search", {"headers": {"x": secret}}))
    assert list(tmp_path.iterdir()) == []


def test_recording_again_replaces_the_scope(tmp_path: Path) -> None:
    record(tmp_path, ("wiki", "search", {"query": "old"}))
    record(tmp_path, ("wiki", "search", {"query": "new"}))
    with pytest.raises(RecordingNotFound):
        play(tmp_path, ("wiki", "search", {"query": "old"}))


@pytest.mark.shared
def test_real_searches_of_llama_stack_answer_any_provider() -> None:
    (name,) = {
        json.loads(path.read_text())["request"]["kwargs"]["query"]
        for path in recordings("llama-stack").glob("42c357*.json")
    }
    (result,) = play(recordings("llama-stack"), ("mine", "web_search", {"query": name}))
    assert name in msgspec.json.encode(result).decode()


@pytest.mark.shared
@pytest.mark.parametrize("size", ["low", "medium", "high"])
def test_real_searches_of_llama_stack_answer_for_any_context_size(size: str) -> None:
    searches = [call for call in calls_in(recordings("llama-stack")) if call.kind == "tool"]
    assert len(searches) == 4
    for call in searches:
        asked = Search(query=call.request["query"], context_size=cast(Size, size)).arguments
        (result,) = play(recordings("llama-stack"), ("duckduckgo", "web_search", asked))
        assert result == json.loads(bytes(call.parts[0]))


def test_our_own_searches_answer_for_their_own_context_size(tmp_path: Path) -> None:
    low: JSONObject = {"query": "sea", "context_size": "low"}
    record(tmp_path, ("tavily", "web_search", {"query": "sea"}), ("tavily", "web_search", low))
    assert play(tmp_path, ("tavily", "web_search", low)) == [{"content": "tavily web_search 2"}]
    high = low | {"context_size": "high"}
    assert "arguments.context_size" in missed(tmp_path, ("tavily", "web_search", high))


@pytest.mark.shared
def test_the_domains_of_a_search_count_for_llama_stacks_recordings_too() -> None:
    call = calls_in(recordings("llama-stack"))
    query = next(each.request["query"] for each in call if each.kind == "tool")
    asked = Search(query=query, context_size="low", allowed_domains=("example.com",)).arguments
    message = missed(recordings("llama-stack"), ("tavily", "web_search", asked))
    assert "arguments.allowed_domains: requested" in message
    assert "provider" not in message


def test_of_llama_stacks_files_a_stale_one_comes_last(tmp_path: Path) -> None:
    def found(content: str) -> JSONObject:
        request = {"test_id": None, "provider": "p", "tool_name": "search", "kwargs": {"query": "x"}}
        return {"request": request, "response": {"body": {"__type__": "R", "__data__": {"content": content}}}}

    write(tmp_path, "0.json", found("stale"))
    write(tmp_path, "a-c06ac1d7a5e6ea7f.json", found("also stale"))
    write(tmp_path, tool_hash("p", "search", {"query": "x"}) + ".json", found("fresh"))
    assert play(tmp_path, ("mine", "search", {"query": "x"})) == [{"content": "fresh"}]


def test_tools_fail_by_rule() -> None:
    tools, context = Tools(), noting()
    faulty = FaultyTools(tools, Faults("500,tool=se*,call=2; cut,tool=find"), context)

    async def ask() -> None:
        await faulty.call("wiki", "search", {})
        with pytest.raises(UpstreamError, match="refused with status 500"):
            await faulty.call("wiki", "search", {})
        with pytest.raises(UpstreamError, match="cut"):
            await faulty.call("wiki", "find", {})
        await faulty.call("wiki", "search", {})

    asyncio.run(ask())
    assert len(tools.calls) == 2
    assert notes_of(context) == ["fault 500,tool=se*,call=2", "fault cut,tool=find"]


def test_who_answers_web_searches_does_not_count(tmp_path: Path) -> None:
    query: JSONObject = {"query": "sea"}
    record(tmp_path, ("tavily", "web_search", query))
    assert play(tmp_path, ("duckduckgo", "web_search", query)) == [{"content": "tavily web_search 1"}]
    with pytest.raises(RecordingNotFound):
        play(tmp_path, ("an MCP server", "web_search", query))
