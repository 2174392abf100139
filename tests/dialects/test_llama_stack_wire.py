"""Requests and events in the form of llama-stack's clients."""

import msgspec
import pytest

from antiphon.dialects.llama_stack import DIALECTS, OPENAI, Dialect
from antiphon.dialects.llama_stack_wire import shown_events, with_defaults
from antiphon.wire.events import Event
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tool_events import McpCallArgumentsDelta, McpCallArgumentsDone, McpCallInProgress
from antiphon.wire.tools import McpTool, Tool, WebSearchTool

THEIRS = [DIALECTS["llama-stack-2025"], DIALECTS["llama-stack"]]


def approvals(dialect: Dialect, *tools: Tool) -> list[object]:
    request = CreateResponse(model="m", input="Hi", tools=[*tools])
    given = with_defaults(request, dialect).tools or []
    assert request.tools == [*tools]
    return [tool.require_approval for tool in given if isinstance(tool, McpTool)]


@pytest.mark.parametrize("dialect", THEIRS)
def test_only_an_absent_approval_has_a_default(dialect: Dialect) -> None:
    tools: list[Tool] = [
        WebSearchTool(),
        McpTool(server_label="a"),
        McpTool(server_label="b", require_approval="always"),
        McpTool(server_label="c", require_approval={"never": {"tool_names": ["x"]}}),
        McpTool(server_label="d", require_approval=None),
    ]
    filtered = {"never": {"tool_names": ["x"]}}
    assert approvals(dialect, *tools) == ["never", "always", filtered, "never"]


def test_openais_requests_stay_the_same() -> None:
    request = CreateResponse(model="m", input="Hi", tools=[McpTool(server_label="a")])
    assert with_defaults(request, OPENAI) is request


EVENTS: list[Event] = [
    McpCallInProgress("mcp_1", 0, 5),
    McpCallArgumentsDelta("mcp_1", 0, "{}", 6),
    McpCallArgumentsDone("mcp_1", 0, "{}", 7),
]


@pytest.mark.parametrize("dialect", THEIRS)
def test_argument_events_have_a_dot(dialect: Dialect) -> None:
    shown = [msgspec.to_builtins(event) for event in shown_events(EVENTS, "resp_1", dialect)]
    place = {"item_id": "mcp_1", "output_index": 0}
    assert shown == [
        {"type": "response.mcp_call.in_progress", **place, "sequence_number": 5},
        {"type": "response.mcp_call.arguments.delta", **place, "delta": "{}", "sequence_number": 6},
        {"type": "response.mcp_call.arguments.done", **place, "arguments": "{}", "sequence_number": 7},
    ]


def test_openais_events_stay_the_same() -> None:
    assert shown_events(EVENTS, "resp_1", OPENAI) is EVENTS
