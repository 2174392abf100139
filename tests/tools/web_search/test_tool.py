"""Web search in the loop: its events, its item, errors, and its recordings."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from antiphon.engine.hosted.items import for_client, for_model
from antiphon.engine.ports import ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, RecordingNotFound
from antiphon.recording.calls.exact_hash import tool_hash
from antiphon.recording.collection import Collection
from antiphon.recording.files.llama_stack_writer import write
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.settings.schema import Mode
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.wire.events import Event, OutputItemDone
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import Tool
from tests.recording.asking import Backend
from tests.support.schemas import check_event, check_openai
from tests.support.shared import shared
from tests.support.upstream import Answer, Upstream, chunk, reply, silence
from tests.tools.web_search.searching import KEY, RESULT, asking, item_of, led, opened, run, services, tavily
from tests.wire.engine import Run, ScriptedModel

TYPES = ["web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"]
FOUND = {"query": "q", "results": [RESULT]}


def types(events: list[Event]) -> list[str]:
    return [str(event.__struct_config__.tag).removeprefix("response.") for event in events]


def checked(events: list[Event]) -> list[JSONObject]:
    """Return the events as sent, each checked against OpenAI's description."""
    plain: list[JSONObject] = [msgspec.json.decode(msgspec.json.encode(event)) for event in events]
    for event in plain:
        check_event(event)
    return plain


def decoded(**tool: JSON) -> Tool:
    converted: Tool = msgspec.convert({"type": "web_search", **tool}, Tool)
    return converted


def search_for(query: str, answer: JSON) -> tuple[list[Event], str]:
    """Search with a Tavily that gives this answer; return the events, and the result for the model."""
    with Upstream() as service:
        service.script(reply(answer))
        return search(service, query)


def search(service: Upstream, query: str) -> tuple[list[Event], str]:
    """Search with the Tavily `service`; return the events, and the result for the model."""

    async def work(given: ToolServices) -> tuple[list[Event], str]:
        call = opened(given).call("web_search", asking(query))
        events = await led(call)
        said = for_model(item_of(call))
        assert said is not None
        assert isinstance(said.output, str)
        return events, said.output

    return run(work, tavily(service))


def test_a_search_sends_the_events_of_the_recordings() -> None:
    events, _ = search_for("q", FOUND)
    assert types(events) == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    added, *_, done = checked(events)
    assert added["item"] == {"id": added["item"]["id"], "type": "web_search_call", "status": "in_progress"}
    assert done["item"]["status"] == "completed"
    assert done["item"]["action"] == {
        "type": "search",
        "query": "q",
        "queries": ["q"],
        "sources": [{"type": "url", "url": RESULT["url"]}],
    }
    assert done["item"]["results"] == [RESULT]
    assert len({event.get("item_id", added["item"]["id"]) for event in checked(events)}) == 1


def test_the_model_is_shown_query_and_results_as_llama_stack_shows_them() -> None:
    _, output = search_for("q", FOUND)
    assert output == json.dumps({"query": "q", "top_k": [RESULT]})


def test_what_is_not_included_is_not_shown() -> None:
    events, _ = search_for("q", FOUND)
    done = events[-1]
    assert isinstance(done, OutputItemDone)
    seen = msgspec.json.decode(msgspec.json.encode(for_client(done.item, ())))
    assert "results" not in seen
    assert seen["action"] == {"type": "search", "query": "q", "queries": ["q"]}
    check_openai("WebSearchToolCall", seen)


def test_T15_an_empty_result_is_a_completed_search() -> None:
    events, output = search_for("nobody knows", {"results": []})
    assert types(events)[-2:] == ["web_search_call.completed", "output_item.done"]
    assert json.loads(output) == {"query": "nobody knows", "top_k": []}


def test_T16_a_refusal_fails_the_item_and_the_model_gets_it() -> None:
    with Upstream() as service:
        service.script(reply({"detail": {"error": f"boom\nkey {KEY}"}}, status=500))

        events, output = search(service, "q")
    assert types(events) == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "output_item.done",
    ]
    assert checked(events)[-1]["item"]["status"] == "failed"
    assert output.startswith("Web search (tavily): HTTP 500")
    assert "\n" not in output
    assert KEY not in output


def test_T16_a_silent_service_fails_the_item_in_time() -> None:
    with Upstream() as service:
        service.script(silence())

        async def work(given: ToolServices) -> tuple[str, JSON]:
            call = opened(given).call("web_search", asking("q"))
            await led(call)
            return item_of(call).status, item_of(call).results

        status, results = run(work, tavily(service, timeout=0.05))
    assert status == "failed"
    assert results == [{"error": "Web search (tavily): no answer within 0.05 s"}]


@pytest.mark.parametrize("arguments", ["", "{", "[]", "{}", '{"query": 1}', '{"query": " "}', "[" * 10_000])
def test_wrong_arguments_are_reported_to_the_model_without_a_call(arguments: str) -> None:
    with Upstream() as service:

        async def work(given: ToolServices) -> JSON:
            call = opened(given).call("web_search", arguments)
            events = await led(call)
            checked(events)
            return item_of(call).results

        results = run(work, tavily(service))
        assert service.requests == []
    assert results == [
        {"error": "The arguments of web_search are wrong: expected a JSON object with 'query' as text."}
    ]


def test_a_skipped_call_stays_at_searching() -> None:
    async def work(given: ToolServices) -> list[Event]:
        return opened(given).call("web_search", asking("q")).skip(3)

    events = run(work, WebSearchSettings())
    assert types(events) == [
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "output_item.done",
    ]
    item = checked(events)[-1]["item"]
    assert item["status"] == "searching"
    assert item["action"]["query"] == "q"
    assert "results" not in item


@pytest.mark.parametrize("name", TYPES)
def test_every_name_of_the_tool_runs(name: str) -> None:
    async def work(given: ToolServices) -> list[str]:
        hosted = opened(given, decoded(type=name))
        return [function["function"]["name"] for function in hosted.functions()]

    assert run(work, WebSearchSettings()) == ["web_search"]


@pytest.mark.shared
def test_the_function_is_worded_as_in_the_recordings() -> None:
    folder = shared("recordings/llama-stack")
    recorded = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    offered = {
        json.dumps(function)
        for each in recorded
        if "test_response_non_streaming_web_search" in str(each.get("test_id"))
        for function in each["request"].get("body", {}).get("tools", [])
    }

    async def work(given: ToolServices) -> list[JSONObject]:
        return [dict(function) for function in opened(given).functions()]

    [function] = run(work, WebSearchSettings())
    assert [json.loads(each) for each in offered] == [function]


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"filters": {"allowed_domains": "a.com"}}, "filters.allowed_domains", "invalid_type"),
        ({"filters": {"allowed_domains": [1]}}, "filters.allowed_domains[0]", "invalid_type"),
        ({"filters": {"allowed_domains": ["a b"]}}, "filters.allowed_domains[0]", "invalid_value"),
        (
            {"filters": {"allowed_domains": ["a.com"] * 101}},
            "filters.allowed_domains",
            "array_above_max_length",
        ),
        ({"user_location": {"country": "Germany"}}, "user_location.country", "invalid_value"),
        ({"user_location": {"city": "a\r\nX-Evil: 1"}}, "user_location.city", "invalid_value"),
        ({"user_location": {"timezone": 1}}, "user_location.timezone", "invalid_type"),
        ({"user_location": {"type": "exact"}}, "user_location.type", "invalid_value"),
    ],
)
def test_wrong_options_are_refused_before_the_stream(options: JSONObject, param: str, code: str) -> None:
    async def work(given: ToolServices) -> None:
        opened(given, decoded(**options))

    with pytest.raises(InvalidRequest) as refused:
        run(work, WebSearchSettings())
    assert (refused.value.param, refused.value.code) == (f"tools[0].{param}", code)


def search_recorded(
    folder: Path,
    mode: Mode,
    settings: WebSearchSettings,
    query: str,
    tool: Tool | None = None,
    *,
    replay_failures: bool = False,
) -> list[JSONObject]:
    """Search with a server that records or replays, and return the results."""
    lookup = RecordingLookup(Collection(folder, replay_failures=replay_failures))
    catalogue = RecordingCatalogue(Backend([]), lookup, mode, Faults())

    def wrap(calls: ToolCalls) -> ToolCalls:
        return catalogue.tool_calls(calls, RequestContext())

    async def work(given: ToolServices) -> list[JSONObject]:
        call = opened(given, tool, wrap).call("web_search", asking(query))
        await led(call)
        results = item_of(call).results
        assert isinstance(results, list)
        return results

    return run(work, settings)


def test_a_recorded_search_is_replayed_without_a_socket(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Upstream() as service:
        service.script(reply(FOUND))
        settings = tavily(service)
        assert search_recorded(tmp_path, "record", settings, "q") == [RESULT]
        assert len(service.requests) == 1
    request.getfixturevalue("no_sockets")
    # Servers that replay often have no key, and so another provider.
    assert search_recorded(tmp_path, "replay", settings, "q") == [RESULT]
    assert search_recorded(tmp_path, "replay", WebSearchSettings(), "q") == [RESULT]
    with pytest.raises(RecordingNotFound):
        search_recorded(tmp_path, "replay", settings, "another")


def test_a_call_that_is_not_recorded_ends_the_response_with_a_failed_item(tmp_path: Path) -> None:
    catalogue = RecordingCatalogue(Backend([]), RecordingLookup(Collection(tmp_path)), "replay", Faults())

    async def work(given: ToolServices) -> list[str]:
        call = opened(given, None, lambda calls: catalogue.tool_calls(calls, RequestContext())).call(
            "web_search", asking("q")
        )
        call.opening(0)
        with pytest.raises(RecordingNotFound):
            await call.run()
        return [*types(call.closing(0)), item_of(call).status]

    assert run(work, WebSearchSettings()) == ["output_item.done", "failed"]


def test_options_that_are_not_set_do_not_count_in_a_recording(tmp_path: Path) -> None:
    usual = decoded(search_context_size="medium", user_location=None, filters={"allowed_domains": None})
    narrow = decoded(filters={"allowed_domains": ["https://Example.com/"]})
    with Upstream() as service:
        service.script(reply(FOUND))
        settings = tavily(service)
        search_recorded(tmp_path, "record", settings, "q")
        assert search_recorded(tmp_path, "replay", settings, "q", usual) == [RESULT]
        with pytest.raises(RecordingNotFound):
            search_recorded(tmp_path, "replay", settings, "q", narrow)
        search_recorded(tmp_path, "record-missing", settings, "q", narrow)
    assert [request.json.get("include_domains") for request in service.requests] == [None, ["example.com"]]


@pytest.mark.shared
def test_recordings_of_llama_stack_answer() -> None:
    folder, question = shared("recordings/llama-stack"), "latest version of Python"
    results = search_recorded(folder, "replay", WebSearchSettings(), question)
    assert len(results) == 5
    assert results[0]["url"] == "https://www.liquidweb.com/blog/latest-python-version/"


def test_services_are_shared_and_closed() -> None:
    async def work() -> bool:
        async with services(WebSearchSettings(provider="tavily", api_key=Secret(KEY))) as given:
            opened(given)
            client = given.client
            opened(given)
        assert given.client is client
        return client.is_closed

    assert asyncio.run(work())


def test_no_client_is_made_where_none_is_needed() -> None:
    async def work() -> set[str]:
        async with services(WebSearchSettings()) as given:
            opened(given)
        return {*vars(given)}

    assert "client" not in asyncio.run(work())


def test_a_switched_off_tool_is_not_opened() -> None:
    async def work(given: ToolServices) -> None:
        with pytest.raises(ValueError, match="not enough values"):
            opened(given, decoded(external_web_access=False))

    run(work, WebSearchSettings())


@pytest.mark.shared
def test_a_recorded_search_is_exported_as_llama_stack_holds_it(tmp_path: Path) -> None:
    with Upstream() as service:
        service.script(reply(FOUND))
        search_recorded(tmp_path / "ours", "record", tavily(service), "latest Python version")
    [entry] = Collection(tmp_path / "ours").tools.entries
    path = write(tmp_path / "theirs", entry.call)
    written = json.loads(path.read_text())
    recorded = json.loads(next(shared("recordings/llama-stack").glob("869b23ea9f*.json")).read_text())
    assert path.name == f"{tool_hash('tavily', 'web_search', {'query': 'latest Python version'})}.json"
    assert written["response"]["body"]["__type__"] == recorded["response"]["body"]["__type__"]
    assert written["response"]["body"]["__data__"].keys() == recorded["response"]["body"]["__data__"].keys()
    again = search_recorded(tmp_path / "theirs", "replay", WebSearchSettings(), "latest Python version")
    assert again == [RESULT]


def test_T16_a_recorded_refusal_is_replayed_if_that_is_asked(tmp_path: Path) -> None:
    with Upstream() as service:
        service.script(reply({"detail": "boom"}, status=500))
        recorded = search_recorded(tmp_path, "record", tavily(service), "q")
    assert recorded == [{"error": "Web search (tavily): HTTP 500: boom"}]
    again = search_recorded(tmp_path, "replay", WebSearchSettings(), "q", replay_failures=True)
    assert again == recorded
    with pytest.raises(RecordingNotFound, match=r"the recorded web search failed: .* HTTP 500: boom"):
        search_recorded(tmp_path, "replay", WebSearchSettings(), "q")


@pytest.mark.parametrize(
    ("answer", "status"), [(reply({"results": []}), "completed"), (reply({}, status=500), "failed")]
)
def test_T15_T16_the_run_goes_on(answer: Answer, status: str) -> None:
    """An empty result and a failure both lead to an answer of the model."""
    function = {"name": "web_search", "arguments": asking("q")}
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": function}]
    replies = [
        [chunk(tool_calls=calls), chunk(finish="tool_calls")],
        [chunk("Nobody knows."), chunk(finish="stop")],
    ]
    model = ScriptedModel(*([msgspec.json.encode(each) for each in said] for said in replies))
    body: JSON = {"model": "m", "input": "?", "tools": [{"type": "web_search"}]}

    async def work(given: ToolServices) -> Run:
        played = Run(body, model, lambda tools, _: [opened(given, tool) for tool in tools])
        await played.play()
        return played

    with Upstream() as service:
        service.script(answer)
        played = run(work, tavily(service))
    for event in played.events:
        check_event(event)
    response = played.events[-1]["response"]
    search_call, message = response["output"]
    assert (response["status"], search_call["status"]) == ("completed", status)
    assert "results" not in search_call
    assert message["content"][0]["text"] == "Nobody knows."
