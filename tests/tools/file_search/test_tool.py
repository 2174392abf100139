"""File search in the loop: its function, events, item, and errors."""

import asyncio
import json

import msgspec
import pytest

from antiphon.engine.hosted.items import for_client, for_model
from antiphon.engine.ports import HostedCall
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, InvalidRequest, NotFound, UpstreamUnreachable
from antiphon.settings.tools import FileSearchSettings, ToolsSettings
from antiphon.tools.context import FileSearch, ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.events import Event, OutputItemDone
from antiphon.wire.items import FileSearchCall
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import FileSearchTool
from tests.support.schemas import check_event
from tests.tools.web_search.searching import led, unchanged

HIT: JSONObject = {
    "file_id": "file-1",
    "filename": "code.txt",
    "score": 0.75,
    "text": "The code word is BLUE_FALCON.",
    "attributes": {"region": "eu"},
}
LIFE = [
    "output_item.added",
    "file_search_call.in_progress",
    "file_search_call.searching",
    "file_search_call.completed",
    "output_item.done",
]


def finding(results: list[JSONObject] | AntiphonError, asked: list[str] | None = None) -> FileSearch:
    """Return a search with these results, which adds its queries to `asked`."""

    async def search(tool: FileSearchTool, query: str) -> list[JSONObject]:
        if asked is not None:
            asked.append(query)
        if isinstance(results, AntiphonError):
            raise results
        return results

    return search


async def hanging(tool: FileSearchTool, query: str) -> list[JSONObject]:
    await asyncio.Event().wait()
    raise AssertionError


def searched(
    search: FileSearch | None,
    arguments: str = '{"query": "code word"}',
    settings: FileSearchSettings | None = None,
    tool: FileSearchTool | None = None,
) -> tuple[list[Event], FileSearchCall]:
    """Run one call as the engine does; return its events and its item."""

    async def life() -> tuple[list[Event], FileSearchCall]:
        services = await ToolServices.open(ToolsSettings(file_search=settings or FileSearchSettings()))
        try:
            context = ToolContext(
                services=services, request=RequestContext(), wrap=unchanged, file_search=search
            )
            [hosted] = open_tools([tool or FileSearchTool(vector_store_ids=["vs_1"])], context)
            call = hosted.call("file_search", arguments)
            events = await led(call)
            assert isinstance(call.item, FileSearchCall)
            return events, call.item
        finally:
            await services.close()

    return asyncio.run(life())


def types(events: list[Event]) -> list[str]:
    return [str(event.__struct_config__.tag).removeprefix("response.") for event in events]


def plain(event: Event) -> JSONObject:
    decoded: JSONObject = msgspec.json.decode(msgspec.json.encode(event))
    return decoded


def test_the_events_are_openais() -> None:
    events, item = searched(finding([HIT]))
    assert types(events) == LIFE
    for event in events:
        check_event(plain(event))
    added = plain(events[0])["item"]
    assert (added["status"], added["queries"], added["results"]) == ("in_progress", [], None)
    done = plain(events[-1])["item"]
    assert (done["status"], done["queries"], done["results"]) == ("completed", ["code word"], [HIT])
    assert item.id is not msgspec.UNSET
    assert str(item.id).startswith("fs_")


def test_results_are_shown_to_those_who_include_them() -> None:
    _, item = searched(finding([HIT]))
    assert for_client(item, ()) == msgspec.structs.replace(item, results=None)
    assert for_client(item, ("file_search_call.results",)) == item


def test_the_model_receives_llama_stacks_texts() -> None:
    _, item = searched(finding([HIT]))
    what = for_model(item)
    assert what is not None
    assert (what.name, json.loads(what.arguments)) == ("file_search", {"query": "code word"})
    texts = [part["text"] for part in what.output if isinstance(part, dict)]
    assert texts[0] == "file_search tool found 1 chunks:\nBEGIN of file_search tool results.\n"
    assert texts[1] == (
        "[1] document_id: file-1, score: 0.75, attributes: {'region': 'eu'} cite as <|file-1|>\n"
        "The code word is BLUE_FALCON.\n"
    )


def test_an_empty_store_gives_an_empty_list_and_the_run_goes_on() -> None:
    events, item = searched(finding([]))
    assert types(events) == LIFE
    assert (item.status, item.results) == ("completed", [])


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ('{"query": "  code word "}', "code word"),
        ('{"queries": ["one", "two", 3]}', "one\ntwo"),
        ('{"query": ["one"]}', "one"),
        ('"bare"', "bare"),
        (json.dumps({"query": "x" * 10_000}), "x" * 8192),
    ],
)
def test_what_models_write_is_understood(arguments: str, query: str) -> None:
    asked: list[str] = []
    _, item = searched(finding([], asked), arguments)
    assert asked == item.queries == [query]


@pytest.mark.parametrize("arguments", ["", "{", "{}", "7", "null", '{"query": " "}', '{"query": 7}'])
def test_a_call_without_a_query_fails_and_the_model_gets_the_error(arguments: str) -> None:
    asked: list[str] = []
    events, item = searched(finding([], asked), arguments)
    assert types(events) == [*LIFE[:3], "output_item.done"]
    assert (item.status, item.queries, asked) == ("failed", [], [])
    what = for_model(item)
    assert what is not None
    assert "expected a 'query'" in str(what.output)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NotFound("Vector store with id 'vs_1' not found."), "'vs_1' not found"),
        (UpstreamUnreachable("up: cannot connect"), "up: cannot connect"),
    ],
    ids=["T17_gone_meanwhile", "embedding_model"],
)
def test_a_failed_search_is_reported_to_the_model_and_not_shown(error: AntiphonError, says: str) -> None:
    events, item = searched(finding(error))
    assert types(events) == [*LIFE[:3], "output_item.done"]
    assert item.status == "failed"
    assert for_client(item, ("file_search_call.results",)) == msgspec.structs.replace(item, results=None)
    what = for_model(item)
    assert what is not None
    assert says in str(what.output)


def test_a_search_that_hangs_is_ended() -> None:
    _, item = searched(hanging, settings=FileSearchSettings(timeout=0.01))
    assert item.status == "failed"
    assert "longer than 0.01 seconds" in str(item.results)


def test_no_more_searches_run_at_a_time_than_is_set() -> None:
    running, most, free = 0, 0, asyncio.Event()

    async def busy(tool: FileSearchTool, query: str) -> list[JSONObject]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await free.wait()
        running -= 1
        return [HIT]

    async def life() -> list[str | None]:
        services = await ToolServices.open(ToolsSettings(file_search=FileSearchSettings(concurrency=2)))
        try:
            made: list[HostedCall] = []
            for _ in range(5):  # Each request has its own tools; the limit is one for the server.
                context = ToolContext(
                    services=services, request=RequestContext(), wrap=unchanged, file_search=busy
                )
                [hosted] = open_tools([FileSearchTool(vector_store_ids=["vs_1"])], context)
                made.append(hosted.call("file_search", '{"query": "q"}'))
            tasks = [asyncio.create_task(call.run()) for call in made]
            for _ in range(100):  # enough turns of the event loop for all of them to begin
                await asyncio.sleep(0)
            free.set()
            await asyncio.gather(*tasks)
            return [call.item.status for call in made if isinstance(call.item, FileSearchCall)]
        finally:
            await services.close()

    assert asyncio.run(life()) == ["completed"] * 5
    assert most == 2


def test_results_are_cut_at_the_limit() -> None:
    long = HIT | {"text": "é" * 50}
    _, item = searched(finding([long, long, long]), settings=FileSearchSettings(max_bytes=125))
    assert isinstance(item.results, list)
    assert [len(result["text"]) for result in item.results] == [50, 12]


def test_a_skipped_call_closes_as_it_was_opened() -> None:
    async def skip() -> list[Event]:
        services = await ToolServices.open(ToolsSettings())
        try:
            context = ToolContext(
                services=services,
                request=RequestContext(),
                wrap=unchanged,
                file_search=finding([]),
            )
            [hosted] = open_tools([FileSearchTool(vector_store_ids=["vs_1"])], context)
            return hosted.call("file_search", '{"query": "q"}').skip(0)
        finally:
            await services.close()

    events = asyncio.run(skip())
    assert types(events) == [*LIFE[:3], "output_item.done"]
    assert isinstance(events[-1], OutputItemDone)
    assert plain(events[-1])["item"]["status"] == "searching"


@pytest.mark.parametrize(
    ("search", "ids", "param"),
    [
        (finding([]), [], "tools[0].vector_store_ids"),
        (None, ["vs_1"], "tools[0].type"),
    ],
    ids=["no store", "no files"],
)
def test_what_cannot_be_searched_is_refused(search: FileSearch | None, ids: list[str], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        searched(search, tool=FileSearchTool(vector_store_ids=ids))
    assert caught.value.param == param
