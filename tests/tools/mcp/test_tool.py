"""MCP in whole responses: the loop, real servers, a scripted model. T1 to T14 as a client sees them."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator

import pytest

from antiphon.errors import InvalidRequest
from antiphon.settings.tools import ToolsSettings
from antiphon.wire.chat import ChatRequest
from antiphon.wire.items import McpApprovalResponse, Message
from antiphon.wire.json import JSONObject
from tests.engine.hosting import Hosting, Replies, calls, says
from tests.mcp_servers.running import Servers, servers
from tests.tools.conversing import ASKED, configured, context, converse, mcp, output

BOIL = ("get_boiling_point", '{"liquid_name":"myawesomeliquid"}')
LISTED = [
    "output_item.added mcp_list_tools",
    "mcp_list_tools.in_progress",
    "mcp_list_tools.completed",
    "output_item.done mcp_list_tools",
]
CALLED = [
    "output_item.added mcp_call",
    "mcp_call.in_progress",
    "mcp_call_arguments.delta",
    "mcp_call_arguments.done",
    "mcp_call.completed",
    "output_item.done mcp_call",
]
SAID = [
    "output_item.added message",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done message",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("mcp")) as started:
        yield started


def boiling() -> Replies:
    return Replies(calls(BOIL), says("-100"))


@pytest.mark.parametrize("path", ["/basic/mcp", "/basic/sse"])
def test_a_call_has_the_events_of_the_api(running: Servers, path: str) -> None:
    model = boiling()
    done = converse(model, [mcp(running, path)])
    assert done.kinds() == ["created", "in_progress", *LISTED, *CALLED, *SAID, "completed"]
    (listed,) = output(done, "mcp_list_tools")
    assert [tool["name"] for tool in listed["tools"]] == ["greet_everyone", "get_boiling_point"]
    assert [tool["annotations"] for tool in listed["tools"]] == [{"read_only": False}, {"read_only": True}]
    (made,) = output(done, "mcp_call")
    assert made == {
        "type": "mcp_call",
        "id": made["id"],
        "status": "completed",
        "approval_request_id": None,
        "arguments": BOIL[1],
        "error": None,
        "name": BOIL[0],
        "output": "-100",
        "server_label": "s",
    }
    added = next(event["item"] for event in done.events if event.get("item", {}).get("id") == made["id"])
    assert added == made | {"status": "in_progress", "arguments": "", "output": None}
    assert done.told()[-1]["content"] == "-100"
    assert model.requests[0]["tools"][1]["function"]["parameters"] == listed["tools"][1]["input_schema"]


def test_one_connection_serves_a_response_and_only_the_named_server_gets_the_token(running: Servers) -> None:
    before = len(running.log())
    tools = [
        mcp(running, "/private/basic/mcp", authorization="secret", headers={"X-Tenant": "blue"}),
        mcp(running, "/workflow/mcp", "other"),
    ]
    converse(Replies(calls(BOIL), calls(BOIL), says("-100")), tools)
    log = running.log()[before:]
    private = [entry for entry in log if entry["path"].startswith("/private")]
    assert [entry["rpc"] for entry in private].count("initialize") == 1
    assert [entry["rpc"] for entry in private].count("tools/call") == 2
    for entry in log:
        sent = (entry["headers"].get("authorization"), entry["headers"].get("x-tenant"))
        assert sent == (("Bearer secret", "blue") if entry in private else (None, None))


def test_two_labels_with_the_same_server_and_credentials_share_a_connection(running: Servers) -> None:
    before = len(running.log())
    labels = [mcp(running, "/basic/mcp", "one"), mcp(running, "/basic/mcp", "two")]
    done = converse(Replies(calls(BOIL, (f"two__{BOIL[0]}", BOIL[1])), says("Both.")), labels)
    assert [item["server_label"] for item in output(done, "mcp_call")] == ["one", "two"]
    assert running.asked(before).count("initialize") == 1
    before = len(running.log())
    tokens = [
        mcp(running, "/private/basic/mcp", "one", authorization="secret"),
        mcp(running, "/private/basic/mcp", "two", authorization="secret", headers={"X-Tenant": "blue"}),
    ]
    converse(Replies(says("None.")), tokens)
    assert running.asked(before).count("initialize") == 2


def test_a_list_in_the_context_is_used_and_nothing_is_asked_before_a_call(running: Servers) -> None:
    first = converse(Replies(says("Hello.")), [mcp(running, "/basic/mcp")])
    before = len(running.log())
    second = converse(Replies(says("Hello again.")), [mcp(running, "/basic/mcp")], context(first))
    assert second.output() == ["message"]
    assert running.log()[before:] == []
    third = converse(boiling(), [mcp(running, "/basic/mcp")], context(first))
    assert third.output() == ["mcp_call", "message"]
    assert running.asked(before) == ["initialize", "tools/call"]


def test_a_list_without_a_tool_that_is_now_allowed_is_fetched_again(running: Servers) -> None:
    first = converse(Replies(says("Hi.")), [mcp(running, "/basic/mcp", allowed_tools=["greet_everyone"])])
    assert [tool["name"] for tool in output(first, "mcp_list_tools")[0]["tools"]] == ["greet_everyone"]
    both = ["greet_everyone", "get_boiling_point"]
    second = converse(boiling(), [mcp(running, "/basic/mcp", allowed_tools=both)], context(first))
    assert second.output() == ["mcp_list_tools", "mcp_call", "message"]


def test_T11_a_tool_removed_after_the_list_fails_and_the_model_gets_the_error(running: Servers) -> None:
    first = converse(Replies(says("Hi.")), [mcp(running, "/basic/mcp")])
    second = converse(boiling(), [mcp(running, "/workflow/mcp")], context(first))
    (made,) = output(second, "mcp_call")
    assert made["status"] == "failed"
    assert "get_boiling_point" in json.dumps(made["error"])
    assert "get_boiling_point" in second.told()[-1]["content"]


def test_a_deferred_server_is_listed_and_its_functions_wait_for_a_search(running: Servers) -> None:
    model = Replies(calls(("tool_search", '{"query": "boiling point"}')), calls(BOIL), says("-100"))
    tools: list[JSONObject] = [mcp(running, "/basic/mcp", defer_loading=True), {"type": "tool_search"}]
    done = converse(model, tools)
    done.check()
    assert done.output() == [
        "mcp_list_tools",
        "tool_search_call",
        "tool_search_output",
        "mcp_call",
        "message",
    ]
    offered = [[tool["function"]["name"] for tool in request["tools"]] for request in model.requests]
    assert offered == [["tool_search"], [BOIL[0], "tool_search"], [BOIL[0], "tool_search"]]
    (found,) = output(done, "tool_search_output")
    assert [(tool["server_label"], tool["allowed_tools"]) for tool in found["tools"]] == [("s", [BOIL[0]])]
    (made,) = output(done, "mcp_call")
    assert (made["name"], made["status"], made["output"]) == (BOIL[0], "completed", "-100")
    again = Replies(says("Hello."))
    converse(again, tools, context(done))
    assert [tool["function"]["name"] for tool in again.requests[0]["tools"]] == [BOIL[0], "tool_search"]


def test_T6_servers_with_tools_of_one_name_are_distinguished(running: Servers) -> None:
    model = Replies(calls(BOIL, ("t__get_boiling_point", BOIL[1])), says("Both."))
    done = converse(model, [mcp(running, "/basic/mcp"), mcp(running, "/basic/sse", "t")])
    made = [(item["server_label"], item["name"], item["output"]) for item in output(done, "mcp_call")]
    assert made == [("s", BOIL[0], "-100"), ("t", BOIL[0], "-100")]


def failed(hosting: Hosting) -> tuple[int, str]:
    """Check the end of a response whose set-up failed; return the status for the client, and the message."""
    assert hosting.kinds() == [
        "created",
        "in_progress",
        *LISTED[:2],
        "mcp_list_tools.failed",
        LISTED[3],
        "error",
        "failed",
    ]
    assert hosting.loop.failure is not None
    error = hosting.events[-2]["error"]
    assert (error["type"], error["code"], error["param"]) == (
        "external_connector_error",
        "http_error",
        "tools",
    )
    assert output(hosting, "mcp_list_tools")[0]["error"] == error["message"]
    assert hosting.response["error"] == {
        "code": "server_error",
        "message": error["message"],
        "param": "tools",
        "type": "external_connector_error",
    }
    assert hosting.model.requests == [], "the model is not asked"
    return hosting.loop.failure.status, error["message"]


def test_T1_nobody_listens(running: Servers) -> None:
    tool = mcp(running, "") | {"server_url": "http://127.0.0.1:9/mcp"}
    status, message = failed(converse(boiling(), [tool]))
    assert status == 424
    assert message.startswith(
        "Error retrieving tool list from MCP server: 's'. Http status code: 424 (Failed Dependency)"
    )
    assert "no connection" in message


@pytest.mark.parametrize("path", ["/private/basic/mcp", "/private/basic/sse"])
def test_T2_a_wrong_token_is_401(running: Servers, path: str) -> None:
    status, message = failed(converse(boiling(), [mcp(running, path, authorization="wrong")]))
    assert status == 401
    assert "Http status code: 401 (Unauthorized)" in message
    assert "wrong" not in message


@pytest.mark.parametrize(
    "path", ["/hang", "/listing_hangs/mcp"], ids=["T3_initialize_hangs", "T4_tools_list_hangs"]
)
def test_a_hanging_server_ends_the_response(running: Servers, path: str) -> None:
    settings = ToolsSettings(timeout=0.3)
    status, message = failed(converse(boiling(), [mcp(running, path)], settings=settings))
    assert status == 424
    assert "did not answer within 0.3 s" in message


def test_T5_five_thousand_tools_are_offered(running: Servers) -> None:
    model = Replies(says("Many."))
    converse(model, [mcp(running, "/many/mcp")])
    assert len(model.requests[0]["tools"]) == 5000


def test_T7_a_tool_with_an_impossible_schema_is_omitted_and_named(
    running: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    model = Replies(says("Hi."))
    done = converse(model, [mcp(running, "/careless")])
    (listed,) = output(done, "mcp_list_tools")
    assert [tool["name"] for tool in listed["tools"]] == ["good", "no_type"]
    assert caplog.messages[-1].endswith("array, no_mapping, no_schema")
    assert [tool["function"]["name"] for tool in model.requests[0]["tools"]] == ["good", "no_type"]


@pytest.mark.parametrize(
    ("path", "call", "error", "told"),
    [
        (
            "/basic/mcp",
            ("get_boiling_point", '{"liquid_name":"water"}'),
            {"type": "mcp_tool_execution_error"},
            "water is unknown",
        ),
        ("/odd/mcp", ("refuse", "{}"), {"type": "mcp_protocol_error", "code": -32602}, "not like this"),
        ("/odd/mcp", ("hang", ""), {"type": "mcp_protocol_error", "code": -32000}, "did not answer within"),
        ("/odd/mcp", ("count", "[1]"), {"type": "mcp_protocol_error", "code": -32602}, "not a JSON object"),
        ("/odd/mcp", ("count", "{"), {"type": "mcp_protocol_error", "code": -32602}, "not a JSON object"),
    ],
    ids=["T8_error_result", "T8_protocol_error", "T9_hangs", "arguments of no object", "broken arguments"],
)
def test_a_failing_call_is_reported_and_the_model_continues(
    running: Servers, path: str, call: tuple[str, str], error: JSONObject, told: str
) -> None:
    settings = ToolsSettings(timeout=0.5)
    done = converse(Replies(calls(call), says("Sorry.")), [mcp(running, path)], settings=settings)
    assert done.kinds()[6:12] == [*CALLED[:4], "mcp_call.failed", CALLED[5]]
    (made,) = output(done, "mcp_call")
    assert (made["status"], made["output"], made["arguments"]) == ("failed", None, call[1])
    assert made["error"].items() >= error.items()
    assert told in done.told()[-1]["content"]
    assert done.response["status"] == "completed"


def test_a_server_that_stopped_before_a_call_is_reported(running: Servers) -> None:
    first = converse(Replies(says("Hi.")), [mcp(running, "/basic/mcp")])
    tool = mcp(running, "/refuse")
    done = converse(boiling(), [tool], context(first))
    (made,) = output(done, "mcp_call")
    assert made["error"]["type"] == "http_error"
    assert made["error"]["code"] == 500
    assert done.response["status"] == "completed"


def test_T10_a_session_that_expires_between_calls_begins_again(running: Servers) -> None:
    class Expiring(Replies):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
            await asyncio.to_thread(running.expire)
            async for payloads in super().stream(request):
                yield payloads

    before = len(running.log())
    done = converse(Expiring(calls(BOIL), calls(BOIL), says("-100")), [mcp(running, "/basic/mcp")])
    assert [item["output"] for item in output(done, "mcp_call")] == ["-100", "-100"]
    again = ["tools/call", "initialize", "tools/call"]
    assert running.asked(before) == ["initialize", "tools/list", *again, *again]


def test_what_is_too_much_is_cut(running: Servers) -> None:
    settings = ToolsSettings(max_bytes=100)
    done = converse(
        Replies(calls(("write", "{}")), says("Long.")), [mcp(running, "/odd/mcp")], settings=settings
    )
    assert output(done, "mcp_call")[0]["output"] == "ä" * 50 + "\n[cut: 100 of 8000 bytes]"


def ask_first(running: Servers) -> Hosting:
    """Return a turn that ends with the request to approve a call."""
    return converse(boiling(), [mcp(running, "/basic/mcp", require_approval="always")])


def approval(hosting: Hosting, approve: bool = True, **more: str) -> McpApprovalResponse:
    (request,) = output(hosting, "mcp_approval_request")
    return McpApprovalResponse(approval_request_id=request["id"], approve=approve, **more)


def test_a_call_that_needs_approval_ends_the_turn(running: Servers) -> None:
    before = len(running.log())
    done = ask_first(running)
    assert done.kinds() == [
        *("created", "in_progress", *LISTED),
        *("output_item.added mcp_approval_request", "output_item.done mcp_approval_request", "completed"),
    ]
    (request,) = output(done, "mcp_approval_request")
    assert {key: request[key] for key in ("arguments", "name", "server_label")} == {
        "arguments": BOIL[1],
        "name": BOIL[0],
        "server_label": "s",
    }
    assert request["id"].startswith("mcpr_")
    assert "tools/call" not in running.asked(before)


def test_an_approved_call_is_made_before_the_model_is_asked(running: Servers) -> None:
    first = ask_first(running)
    tools = [mcp(running, "/basic/mcp", require_approval="always")]
    model = Replies(says("-100"))
    second = converse(model, tools, context(first, approval(first)))
    assert second.kinds() == ["created", "in_progress", *CALLED, *SAID, "completed"]
    (made,) = output(second, "mcp_call")
    assert made["approval_request_id"] == output(first, "mcp_approval_request")[0]["id"]
    assert made["output"] == "-100"
    assert second.told()[-1]["content"] == "-100"


def test_an_approved_call_is_not_made_twice(running: Servers) -> None:
    first = ask_first(running)
    tools = [mcp(running, "/basic/mcp", require_approval="always")]
    items = context(first, approval(first))
    second = converse(Replies(says("-100")), tools, items)
    again = [*items, *context(second)[1:], Message(role="user", content="Thanks")]
    third = converse(Replies(says("You are welcome.")), tools, again)
    assert third.output() == ["message"]


def test_T12_a_denied_call_is_not_made_and_the_model_gets_the_reason(running: Servers) -> None:
    first = ask_first(running)
    before = len(running.log())
    tools = [mcp(running, "/basic/mcp", require_approval="always")]
    model = Replies(says("Then not."))
    second = converse(model, tools, context(first, approval(first, approve=False, reason="too hot")))
    assert second.output() == ["message"]
    assert "too hot" in json.dumps(second.told())
    assert running.log()[before:] == []


def test_T13_an_approval_for_another_response_is_400(running: Servers) -> None:
    first = ask_first(running)
    with pytest.raises(InvalidRequest, match="No approval request found with id 'mcpr_") as caught:
        converse(boiling(), [mcp(running, "/basic/mcp")], [ASKED, approval(first)])
    assert caught.value.status == 400


def test_T14_a_request_sent_back_with_reordered_arguments_is_approved_once(running: Servers) -> None:
    call = ("get_boiling_point", '{"liquid_name": "myawesomeliquid", "celsius": false}')
    tools = [mcp(running, "/basic/mcp", require_approval="always")]
    first = converse(Replies(calls(call), says("-148")), tools)
    items = context(first)
    (request,) = [item for item in context(first) if type(item).__name__ == "McpApprovalRequest"]
    request.arguments = '{"celsius":false,"liquid_name":"myawesomeliquid"}'  # type: ignore[union-attr]
    second = converse(Replies(says("-148")), tools, [*items, request, approval(first)])
    assert [item["output"] for item in output(second, "mcp_call")] == ["-148"]


def test_some_tools_need_approval_and_others_do_not(running: Servers) -> None:
    tools = [mcp(running, "/basic/mcp", require_approval={"never": {"read_only": True}})]
    done = converse(Replies(calls(BOIL, ("greet_everyone", '{"url":"x"}'))), tools)
    assert done.output() == ["mcp_list_tools", "mcp_call", "mcp_approval_request"]


def test_S14_configured_servers_may_be_private_and_named_ones_may_not(running: Servers) -> None:
    settings = configured(running, connector_gmail="/basic/mcp")
    by_label = {"type": "mcp", "server_label": "connector_gmail", "require_approval": "never"}
    by_connector = by_label | {"server_label": "s", "connector_id": "connector_gmail"}
    for tool in (by_label, by_connector):
        done = converse(boiling(), [tool], settings=settings, allow_hosts=())
        assert output(done, "mcp_call")[0]["output"] == "-100"
    before = len(running.log())
    refused = converse(boiling(), [mcp(running, "/basic/mcp")], settings=settings, allow_hosts=())
    assert refused.loop.failure is not None
    assert (refused.loop.failure.status, refused.loop.failure.code) == (400, "address_not_allowed")
    assert refused.loop.failure.param == "tools[0].server_url"
    assert running.log()[before:] == []
