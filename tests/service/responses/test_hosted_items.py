"""Hosted tools and their state: storage, results for the client, and the end of a request."""

import asyncio

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.engine.ports import HostedTools
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, UpstreamRefused
from antiphon.service.responses.responses import Responses
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.lists import PageQuery
from antiphon.wire.responses import CreateResponse
from tests.engine.hosting import RESULTS, WEB_SEARCH, FakeSearch
from tests.service.world import ME, Catalogue, World, call_function, say, user, wire

RESULTS_TOO = "web_search_call.results"
SOURCES_TOO = "web_search_call.action.sources"
ACTION: JSONObject = {"type": "search", "query": "one", "queries": ["one"]}
SHOWN: JSONObject = {"type": "web_search_call", "id": "ws_0", "status": "completed", "action": ACTION}
WHOLE = SHOWN | {
    "action": ACTION | {"sources": [{"type": "url", "url": RESULTS[0]["url"]}]},
    "results": RESULTS,
}


class Hosted:
    """A world whose requests have web search, which the model calls once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.tool = FakeSearch()
        world.responses = Responses(world.store, Catalogue(world.model), self._open)
        self.ask()

    async def _open(self, context: RequestContext, request: CreateResponse) -> HostedTools:
        assert context.owner == ME
        self.tool.position = 0
        return HostedTools([self.tool] if request.tools else [])

    def ask(self) -> None:
        asked = call_function("call_1", "web_search", '{"query":"one"}')
        self.world.model.script(asked, say("It is 128."))

    def respond(self, **more: JSON) -> JSONObject:
        return self.world.respond("Find.", tools=[WEB_SEARCH], **more)

    def get(self, response_id: str, *include: str) -> JSONObject:
        response: JSONObject = wire(self.world.run(self.world.responses.get(ME, response_id, include)))
        return response

    def told_results(self) -> bool:
        """Return whether the last model call had the results of the search."""
        contents = self.world.seen()
        return any("https://a.example/" in str(content) for content in contents)


@pytest.fixture
def hosted(world: World) -> Hosted:
    return Hosted(world)


def test_only_what_is_included_is_shown_and_all_is_stored(hosted: Hosted) -> None:
    response = hosted.respond()
    assert response["output"][0] == SHOWN
    assert hosted.get(response["id"])["output"][0] == SHOWN
    assert hosted.get(response["id"], RESULTS_TOO, SOURCES_TOO)["output"][0] == WHOLE


def test_what_the_request_includes_is_shown_at_once(hosted: Hosted) -> None:
    response = hosted.respond(include=[RESULTS_TOO, SOURCES_TOO])
    assert response["output"][0] == WHOLE
    assert hosted.get(response["id"])["output"][0] == SHOWN


def test_the_last_event_shows_no_more_than_the_others(hosted: Hosted) -> None:
    events = hosted.world.events(input="Find.", tools=[WEB_SEARCH])
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done
    assert done[0] == SHOWN


def test_a_later_turn_knows_what_was_found(hosted: Hosted) -> None:
    first = hosted.respond()
    hosted.world.respond("And?", previous_response_id=first["id"])
    assert hosted.told_results()


def test_items_that_are_sent_back_without_what_was_hidden_are_known(hosted: Hosted) -> None:
    first = hosted.respond()
    rows = hosted.world.rows()
    second = hosted.world.respond([user("Find."), *first["output"], user("And?")])
    assert hosted.told_results()
    # The search and the answer are stored already: only three messages are new.
    assert hosted.world.rows() == rows + 3
    assert hosted.world.input_items(second["id"])[1] == SHOWN


def test_items_that_were_changed_are_taken_as_they_are_sent(hosted: Hosted) -> None:
    first = hosted.respond()
    changed = first["output"][0] | {"results": [{"url": "https://b.example/"}]}
    hosted.world.respond([user("Find."), changed, user("And?")])
    assert any("https://b.example/" in str(content) for content in hosted.world.seen())
    assert not hosted.told_results()


def test_lists_show_what_they_are_asked_for(hosted: Hosted) -> None:
    world = hosted.world
    conversation = world.begin()
    hosted.respond(conversation=conversation)
    second = world.respond([WHOLE | {"id": "ws_given"}, user("And?")])
    query = PageQuery(limit=100, order="asc")
    for include, expected in (((), SHOWN), ((RESULTS_TOO, SOURCES_TOO), WHOLE)):
        pages = (
            world.run(world.conversations.list_items(ME, conversation, query, include)),
            world.run(world.responses.input_items(ME, second["id"], query, include)),
        )
        for page in pages:
            found = [item for item in wire(page)["data"] if item["type"] == "web_search_call"]
            assert [item | {"id": "ws_0"} for item in found] == [expected]
        item = world.run(world.conversations.get_item(ME, conversation, "ws_0", include))
        assert wire(item) == expected
        listed = wire(world.run(world.responses.list(ME, PageQuery(order="asc"), None, include)))
        assert listed["data"][0]["output"][0] == expected


def test_items_added_to_a_conversation_are_shown_alike(hosted: Hosted) -> None:
    world = hosted.world
    body = bodies.create_items.decode(msgspec.json.encode({"items": [WHOLE]}))
    page = world.run(
        world.conversations.add_items(RequestContext(owner=ME), world.begin(), body, [RESULTS_TOO])
    )
    assert wire(page)["data"][0]["results"] == RESULTS
    assert "sources" not in wire(page)["data"][0]["action"]


def test_tools_are_closed_when_the_response_has_ended(hosted: Hosted) -> None:
    hosted.respond()
    assert hosted.tool.closed == 1


def test_tools_are_closed_when_the_caller_leaves(hosted: Hosted) -> None:
    async def left() -> None:
        hosted.tool.gates["one"] = asyncio.Event()
        async with await hosted.world.create(input="Find.", tools=[WEB_SEARCH]) as run:
            waiting = asyncio.create_task(run.response())
            await hosted.tool.reached("begin ws_0")
            waiting.cancel()
            await asyncio.wait([waiting])

    hosted.world.run(left())
    assert hosted.tool.closed == 1
    assert hosted.tool.log == ["begin ws_0", "cancelled ws_0"]


def test_tools_are_closed_when_the_request_is_refused(hosted: Hosted) -> None:
    with pytest.raises(InvalidRequest):
        hosted.respond(tool_choice={"type": "file_search"})
    assert hosted.tool.closed == 1


def test_a_tool_that_ends_the_response_gives_it_its_status(hosted: Hosted) -> None:
    hosted.tool.errors["one"] = UpstreamRefused("no list", upstream_status=424)
    with pytest.raises(UpstreamRefused) as caught:
        hosted.respond()
    assert caught.value.status == 424


def test_a_fault_of_a_tool_is_a_fault_of_the_server(hosted: Hosted, caplog: pytest.LogCaptureFixture) -> None:
    hosted.tool.errors["one"] = ZeroDivisionError("a mistake in the tool")
    events = hosted.world.events(input="Find.", tools=[WEB_SEARCH])
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert "a mistake" not in str(events)
    assert "a mistake" in caplog.text
    assert hosted.tool.closed == 1
