"""Replay of model calls while tools are called."""

import asyncio
from pathlib import Path

import pytest

from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import (
    AntiphonError,
    RecordingNotFound,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.wire.json import JSON, JSONObject
from tests.recording.asking import Backend, catalogue, said
from tests.recording.samples import chat_request, recording, recordings, write
from tests.support.notes import notes_of, noting

SEARCH = ("tavily", "web_search", {"query": "sea"})
MCP = ("wiki", "search", {"query": "sea"})


class Tools:
    """Tools that return their name and the number of the call."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.calls = 0

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        self.calls += 1
        return f"{self.source} {provider} {self.calls}"


def replaying(directory: Path, faults: str = "") -> RecordingCatalogue:
    lookup = RecordingLookup(Collection(directory))
    return RecordingCatalogue(None, lookup, "replay", Faults(faults), "live")


async def results(models: RecordingCatalogue, inner: ToolCalls, context: RequestContext) -> list[JSON]:
    calls = models.tool_calls(inner, context)
    return [await calls.call(*call) for call in (SEARCH, MCP, SEARCH, MCP)]


def test_live_tools_are_called_except_for_recorded_searches(tmp_path: Path) -> None:
    backend = catalogue(tmp_path, "record", Backend([said("x")]))
    calls = backend.tool_calls(Tools("recorded"), RequestContext())
    asyncio.run(calls.call(*SEARCH))
    asyncio.run(calls.call(*MCP))
    tools, context = Tools("live"), noting()
    assert asyncio.run(results(replaying(tmp_path), tools, context)) == [
        "recorded tavily 1",
        "live wiki 1",
        "live tavily 2",  # A recording answers once.
        "live wiki 3",
    ]
    assert notes_of(context) == ["hit exact default.json#1", "miss"]


def test_live_tools_record_nothing_and_leave_models_to_recordings(tmp_path: Path) -> None:
    calls = catalogue(tmp_path, "record", Backend([said("x")])).tool_calls(Tools("r"), RequestContext())
    asyncio.run(calls.call(*SEARCH))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    models = replaying(tmp_path)
    asyncio.run(results(models, Tools("live"), RequestContext()))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(RecordingNotFound):
        asyncio.run(models.ask("embeddings", {"model": "m", "input": "sea"}, RequestContext()))


def test_faults_are_injected_into_live_tools(tmp_path: Path) -> None:
    calls = catalogue(tmp_path, "record", Backend([said("x")])).tool_calls(Tools("r"), RequestContext())
    asyncio.run(calls.call(*SEARCH))
    tools = Tools("live")
    models = replaying(tmp_path, "500,tool=search")
    with pytest.raises(UpstreamRefused):
        asyncio.run(models.tool_calls(tools, RequestContext()).call(*MCP))
    assert tools.calls == 0


def test_a_search_tool_of_an_mcp_server_is_called(tmp_path: Path) -> None:
    calls = catalogue(tmp_path, "record", Backend([said("x")])).tool_calls(Tools("r"), RequestContext())
    asyncio.run(calls.call("wiki", *SEARCH[1:]))
    live = replaying(tmp_path).tool_calls(Tools("live"), RequestContext())
    assert asyncio.run(live.call("wiki", *SEARCH[1:])) == "live wiki 1"


@pytest.mark.shared
@pytest.mark.parametrize("size", [{}, {"context_size": "low"}, {"context_size": "high"}])
def test_a_search_of_llama_stack_is_played_for_any_context_size(size: JSONObject) -> None:
    tools = Tools("live")
    calls = replaying(recordings("llama-stack")).tool_calls(tools, RequestContext())
    query: JSONObject = {"query": "Llama 4 Maverick model experts"}
    result: JSON = asyncio.run(calls.call("duckduckgo", "web_search", query | size))
    assert "128" in result["content"]
    assert tools.calls == 0


def test_tools_are_live_in_replay_mode_only(tmp_path: Path) -> None:
    calls = catalogue(tmp_path, "record", Backend([said("x")])).tool_calls(Tools("r"), RequestContext())
    asyncio.run(calls.call(*MCP))
    lookup, backend = RecordingLookup(Collection(tmp_path)), Backend([said("x")])
    models = RecordingCatalogue(backend, lookup, "record-missing", Faults(), "live")
    adding = models.tool_calls(Tools("live"), RequestContext())
    assert asyncio.run(adding.call(*MCP)) == "r wiki 1"
    chosen = models.tool_calls(Tools("live"), RequestContext(mode="replay"))
    assert asyncio.run(chosen.call(*MCP)) == "live wiki 1"


def test_live_tools_need_no_recorded_tool_call(tmp_path: Path) -> None:
    write(tmp_path, "a.json", recording(chat_request(), said("Hi")))
    calls = replaying(tmp_path).tool_calls(Tools("live"), RequestContext())
    assert asyncio.run(calls.call(*MCP)) == "live wiki 1"


class Broken:
    """A search service that fails, and then answers."""

    def __init__(self, *errors: AntiphonError) -> None:
        self.errors = list(errors)

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        if self.errors:
            raise self.errors.pop(0)
        return "found"


REFUSED = UpstreamRefused("Web search (tavily): HTTP 429: Too many", upstream_status=429)
FAILURES = [
    REFUSED,
    UpstreamTimeout("Web search (tavily): no answer within 5 s"),
    UpstreamUnreachable("Web search (tavily): cannot connect: Connection refused"),
    UpstreamBroken("Web search (tavily): its answer is not JSON: an HTML page"),
]


def failed(directory: Path, error: AntiphonError = REFUSED, faults: str = "") -> None:
    """Record a search that fails."""
    recorder = catalogue(directory, "record", Backend([said("x")]), faults=faults)
    calls = recorder.tool_calls(Broken(error), RequestContext())
    with pytest.raises(UpstreamError):
        asyncio.run(calls.call(*SEARCH))


def played(directory: Path, *, replay_failures: bool) -> ToolCalls:
    lookup = RecordingLookup(Collection(directory, replay_failures=replay_failures))
    models = RecordingCatalogue(None, lookup, "replay", Faults())
    return models.tool_calls(Tools("live"), RequestContext())


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_search_that_failed_is_replayed_if_that_is_asked(tmp_path: Path, error: AntiphonError) -> None:
    failed(tmp_path, error)
    with pytest.raises(type(error)) as caught:
        asyncio.run(played(tmp_path, replay_failures=True).call(*SEARCH))
    assert caught.value.message == error.message


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_a_search_that_failed_is_else_a_miss_that_says_why(tmp_path: Path, error: AntiphonError) -> None:
    failed(tmp_path, error)
    with pytest.raises(RecordingNotFound) as caught:
        asyncio.run(played(tmp_path, replay_failures=False).call(*SEARCH))
    assert f"because the recorded web search failed: {error.message}. " in caught.value.message
    assert "replay_failures" in caught.value.message


def test_a_search_that_failed_is_made_again_in_record_missing(tmp_path: Path) -> None:
    failed(tmp_path)
    tools = Broken()
    for _ in range(2):
        adding = catalogue(tmp_path, "record-missing", Backend([said("x")]))
        assert asyncio.run(adding.tool_calls(tools, RequestContext()).call(*SEARCH)) == "found"
        tools = Broken(REFUSED)  # The second time, the recording answers.
    assert asyncio.run(played(tmp_path, replay_failures=False).call(*SEARCH)) == "found"


def test_live_tools_make_a_search_again_that_failed(tmp_path: Path) -> None:
    failed(tmp_path)
    calls = replaying(tmp_path).tool_calls(Tools("live"), RequestContext())
    assert asyncio.run(calls.call(*SEARCH)) == "live tavily 1"


def test_an_injected_failure_of_a_search_is_replayed(tmp_path: Path) -> None:
    failed(tmp_path, faults="503,tool=web_search")
    with pytest.raises(UpstreamRefused, match="fault '503,tool=web_search'"):
        asyncio.run(played(tmp_path, replay_failures=False).call(*SEARCH))


def test_failures_of_other_tools_are_replayed(tmp_path: Path) -> None:
    calls = catalogue(tmp_path, "record", Backend([said("x")])).tool_calls(Broken(REFUSED), RequestContext())
    with pytest.raises(UpstreamRefused):
        asyncio.run(calls.call(*MCP))
    with pytest.raises(UpstreamRefused):
        asyncio.run(played(tmp_path, replay_failures=False).call(*MCP))
