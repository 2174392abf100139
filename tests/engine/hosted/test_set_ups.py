import asyncio

import pytest

from antiphon.engine.ports import HostedTools
from antiphon.errors import InvalidRequest, UpstreamRefused
from antiphon.wire.items import Item, McpApprovalRequest, McpApprovalResponse, McpListTools, Message
from antiphon.wire.json import JSONObject
from tests.engine.hosting import (
    FakeMcp,
    FakeSearch,
    Hosting,
    Replies,
    calls,
    function,
    mcp,
    says,
)
from tests.engine.replies import as_wire

F: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}
LOOK = ("look", '{"at":1}')
MESSAGE = [
    "output_item.added message",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done message",
]


def test_one_server_is_listed_first() -> None:
    model = Replies(calls(LOOK), says("Seen."))
    hosting = Hosting(model, [mcp()], FakeMcp()).run()
    assert hosting.kinds() == [
        "created",
        "in_progress",
        "output_item.added mcp_list_tools",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "output_item.done mcp_list_tools",
        "output_item.added mcp_call",
        "mcp_call.in_progress",
        "mcp_call.completed",
        "output_item.done mcp_call",
        *MESSAGE,
        "completed",
    ]
    assert model.requests[0]["tools"] == [function("look")]
    assert hosting.told()[-1]["content"] == "look of s"
    hosting.check()


def test_a_server_that_is_listed_in_the_context_is_not_asked_again() -> None:
    items: list[Item] = [
        McpListTools(id="mcpl_0", server_label="s", tools=[]),
        Message(role="user", content="Hi"),
    ]
    hosting = Hosting(Replies(calls(LOOK), says("Seen.")), [mcp()], FakeMcp(), items=items).run()
    assert hosting.output() == ["mcp_call", "message"]


def test_several_servers_are_set_up_together_and_close_as_they_finish() -> None:
    one, two = FakeMcp(0, "one"), FakeMcp(1, "two")

    async def made() -> Hosting:
        one.gates["setup"] = asyncio.Event()
        hosting = Hosting(Replies(says("Seen.")), [mcp("one"), mcp("two")], one, two)
        async for batch in hosting.loop.events():
            hosting.events += as_wire(batch)
            if hosting.events[-1]["type"] == "response.output_item.done":
                one.gates["setup"].set()
        return hosting

    hosting = asyncio.run(made())
    kinds = [
        (event["type"].removeprefix("response."), event["output_index"]) for event in hosting.events[2:10]
    ]
    assert kinds == [
        ("output_item.added", 0),
        ("mcp_list_tools.in_progress", 0),
        ("output_item.added", 1),
        ("mcp_list_tools.in_progress", 1),
        ("mcp_list_tools.completed", 1),
        ("output_item.done", 1),
        ("mcp_list_tools.completed", 0),
        ("output_item.done", 0),
    ]
    assert [item["id"] for item in hosting.response["output"][:2]] == ["mcpl_one", "mcpl_two"]
    assert hosting.events[10]["output_index"] == 2


def test_a_server_that_cannot_be_listed_ends_the_response_and_stops_the_others() -> None:
    one, two = FakeMcp(0, "one"), FakeMcp(1, "two")
    one.gates["setup"] = asyncio.Event()
    two.errors["setup"] = UpstreamRefused("no list", upstream_status=424)
    hosting = Hosting(Replies(says("never")), [mcp("one"), mcp("two")], one, two).run()
    assert hosting.kinds()[-4:] == [
        "mcp_list_tools.failed",
        "output_item.done mcp_list_tools",
        "error",
        "failed",
    ]
    assert [item["id"] for item in hosting.response["output"]] == ["mcpl_two"]
    assert one.log == ["begin mcpl_one", "cancelled mcpl_one"]
    assert hosting.model.requests == []


def test_an_approval_ends_the_turn() -> None:
    tool, model = FakeMcp(tools=["look", "delete"]), Replies(calls(("delete", '{"x":1}'), LOOK))
    tool.unapproved = {"delete"}
    hosting = Hosting(model, [mcp()], tool).run()
    assert hosting.output() == ["mcp_list_tools", "mcp_approval_request", "mcp_call"]
    assert hosting.response["status"] == "completed"
    assert (len(model.requests), tool.made) == (1, [LOOK])
    hosting.check()


def approval(*, approve: bool) -> list[Item]:
    return [
        Message(role="user", content="Hi"),
        McpListTools(id="mcpl_0", server_label="s", tools=[]),
        McpApprovalRequest(id="mcpr_1", arguments='{"at":1}', name="look", server_label="s"),
        McpApprovalResponse(id="mcpa_1", approval_request_id="mcpr_1", approve=approve, reason="not now"),
    ]


def test_an_approved_call_is_made_before_the_model_is_called() -> None:
    hosting = Hosting(Replies(says("Seen.")), [mcp()], FakeMcp(), items=approval(approve=True)).run()
    assert hosting.output() == ["mcp_call", "message"]
    assert hosting.response["output"][0]["approval_request_id"] == "mcpr_1"
    hosting.check()
    user, asked, tool = hosting.told()
    assert (user["content"], asked["tool_calls"][0]["function"]["name"], tool["content"]) == (
        "Hi",
        "look",
        "look of s",
    )


def test_a_forced_choice_is_still_to_be_made_after_an_approved_call() -> None:
    model = Replies(says("Seen."))
    body: JSONObject = {"tool_choice": "required"}
    Hosting(model, [mcp()], FakeMcp(), body=body, items=approval(approve=True)).run()
    assert [request["tool_choice"] for request in model.requests] == ["required"]


def test_T12_a_denied_call_is_not_made_and_the_model_gets_the_reason() -> None:
    tool = FakeMcp()
    hosting = Hosting(Replies(says("As you wish.")), [mcp()], tool, items=approval(approve=False)).run()
    assert tool.made == []
    assert hosting.output() == ["message"]
    asked, told = hosting.told()[1:]
    assert asked["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert told["content"] == (
        "The user did not approve this tool call, and it was not made. Reason: not now"
    )


def test_T6_tools_of_two_servers_with_one_name() -> None:
    one, two = FakeMcp(1, "one"), FakeMcp(2, "two", ["look", "f"])
    model = Replies(calls(LOOK, ("two__look", '{"at":2}'), ("two__f", "{}")), says("Seen."))
    hosting = Hosting(model, [F, mcp("one"), mcp("two")], one, two).run()
    names = [tool["function"]["name"] for tool in model.requests[0]["tools"]]
    assert names == ["f", "look", "two__look", "two__f"]
    assert one.made == [LOOK]
    assert two.made == [("look", '{"at":2}'), ("f", "{}")]
    made = [item for item in hosting.response["output"] if item["type"] == "mcp_call"]
    assert [(item["server_label"], item["name"]) for item in made] == [
        ("one", "look"),
        ("two", "look"),
        ("two", "f"),
    ]
    told = [call["function"]["name"] for call in hosting.told()[1]["tool_calls"]]
    assert told == ["look", "two__look", "two__f"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [mcp(), {"type": "image_generation"}]}, "tools[1]"),
        ({"tools": [mcp(), F, F]}, "tools[2].name"),
    ],
)
def test_errors_of_the_tools_are_reported_before_anything_is_set_up(body: JSONObject, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Hosting(Replies(says("never")), [], FakeMcp(), body=body)
    assert caught.value.param == param


def test_a_choice_that_no_listed_tool_fits_fails_in_the_stream() -> None:
    body: JSONObject = {"tool_choice": {"type": "mcp", "server_label": "s", "name": "jump"}}
    hosting = Hosting(Replies(says("never")), [mcp()], FakeMcp(), body=body).run()
    assert hosting.kinds()[-2:] == ["error", "failed"]
    assert hosting.events[-2]["error"]["param"] == "tool_choice"


def test_all_tools_are_closed() -> None:
    one, other = FakeSearch(), FakeMcp(1)
    asyncio.run(HostedTools([one, other]).close())
    assert (one.closed, other.closed) == (1, 1)


def test_an_approval_of_a_call_that_is_cut_off_is_not_requested() -> None:
    tool = FakeMcp(tools=["look", "delete"])
    tool.unapproved = {"delete"}
    hosting = Hosting(Replies(calls(("delete", '{"x":1}'), finish="length")), [mcp()], tool).run()
    assert [item["type"] for item in hosting.response["output"]] == ["mcp_list_tools"]
    assert hosting.response["status"] == "incomplete"
