"""Forks: responses that begin with the output of an earlier one up to one of its model calls."""

from antiphon.engine.kept import Kept
from antiphon.engine.steps import ModelNote, StepNotes
from antiphon.wire.items import Item, McpCall, McpListTools, Message, WebSearchCall
from antiphon.wire.json import JSONObject
from tests.engine.hosting import RESULTS, WEB_SEARCH, FakeMcp, FakeSearch, Hosting, Replies, calls, mcp, says

ACTION: JSONObject = {"type": "search", "query": "ferry", "queries": ["ferry"]}
SEARCH = WebSearchCall(id="ws_kept", status="completed", action=ACTION, results=[*RESULTS])


def forked(
    model: Replies,
    tools: list[JSONObject],
    hosted: FakeSearch | FakeMcp,
    before: list[Item],
    rounds: list[list[Item]],
) -> Hosting:
    """Run a response that begins with kept items."""

    class Fork(Hosting):
        notes = StepNotes()
        kept = Kept(source="resp_0", before=before, rounds=rounds, steps=[])

    return Fork(model, tools, hosted).run()


def test_the_output_and_the_prompt_begin_with_the_kept_calls() -> None:
    original = Hosting(
        Replies(calls(("web_search", '{"query": "ferry"}')), says("It is 128.")), [WEB_SEARCH], FakeSearch()
    ).run()
    model, tool = Replies(says("It is 128.")), FakeSearch()
    fork = forked(model, [WEB_SEARCH], tool, [], [[SEARCH]])
    assert tool.made == []
    # The request of the fork's first call is that of the original's second one.
    assert _without_ids(model.requests[0]) == _without_ids(original.model.requests[1])
    assert [item["type"] for item in fork.response["output"]] == ["web_search_call", "message"]
    assert fork.response["output"][0]["id"] == "ws_kept"
    added = [event for event in fork.events if event["type"] == "response.output_item.added"]
    assert [(event["output_index"], event["item"]["type"]) for event in added] == [
        (0, "web_search_call"),
        (1, "message"),
    ]
    # Results are shown only to a client that asks for them.
    assert "results" not in added[0]["item"]


def test_kept_rounds_count_as_model_calls() -> None:
    model, search = Replies(calls(("web_search", '{"query": "b"}')), says("Fine.")), FakeSearch()

    class Fork(Hosting):
        kept = Kept(source="resp_0", before=[], rounds=[[SEARCH]], steps=[])

    fork = Fork(model, [WEB_SEARCH], search, max_rounds=2).run()
    assert fork.response["status"] == "incomplete"
    assert len(model.requests) == 1


def test_items_before_the_first_call_are_kept() -> None:
    listed = McpListTools(
        id="mcpl_kept",
        server_label="s",
        tools=[{"name": "look", "description": "", "input_schema": {}, "annotations": None}],
    )
    approved = McpCall(
        id="mcp_kept",
        status="completed",
        approval_request_id="mcpr_0",
        arguments="{}",
        error=None,
        name="look",
        output="seen",
        server_label="s",
    )
    model, server = Replies(says("Done.")), FakeMcp()
    fork = forked(model, [mcp()], server, [listed, approved], [])
    assert server.made == []
    assert [item["type"] for item in fork.response["output"]] == ["mcp_list_tools", "mcp_call", "message"]
    assert model.requests[0]["messages"][-1] == {
        "role": "tool",
        "tool_call_id": "call_kept",
        "content": "seen",
    }


def test_the_first_note_of_a_fork_is_after_the_kept_items() -> None:
    class Fork(Hosting):
        notes = StepNotes()
        kept = Kept(source="resp_0", before=[], rounds=[[SEARCH]], steps=[])

    Fork(Replies(says("Fine.")), [WEB_SEARCH], FakeSearch()).run()
    (note,) = Fork.notes.notes
    assert isinstance(note, ModelNote)
    assert note.output == 1


def test_a_follow_up_has_the_kept_items_in_its_context() -> None:
    fork = forked(Replies(says("Fine.")), [WEB_SEARCH], FakeSearch(), [], [[SEARCH]])
    assert [type(item) for item in fork.loop.items()] == [Message, WebSearchCall, Message]


def _without_ids(request: object) -> object:
    """Return a chat request without the IDs of its calls."""
    if isinstance(request, dict):
        return {
            name: _without_ids(value) for name, value in request.items() if name not in ("id", "tool_call_id")
        }
    return [_without_ids(each) for each in request] if isinstance(request, list) else request
