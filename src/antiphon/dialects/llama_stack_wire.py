"""Requests, events and bodies as clients of llama-stack send and receive them. Pure."""

from typing import TypeVar

import msgspec
from msgspec.structs import astuple

from antiphon.dialects.llama_stack import Dialect
from antiphon.wire.events import ContentPartAdded, ContentPartDone, Event, OutputItemAdded, OutputItemDone
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tool_events import McpCallArgumentsDelta, McpCallArgumentsDone
from antiphon.wire.tools import McpTool, Tool

RequestType = TypeVar("RequestType", bound=CreateResponse)


def with_defaults(request: RequestType, dialect: Dialect) -> RequestType:
    """Return a request with the defaults of the dialect where they aren't OpenAI's."""
    if not request.tools or dialect.default_approval == "always":
        return request
    tools = [_with_approval(tool, dialect.default_approval) for tool in request.tools]
    return msgspec.structs.replace(request, tools=tools)


def shown_events(events: list[Event], response_id: str, dialect: Dialect) -> list[Event]:
    """Return the events of a response in the form of the dialect."""
    if dialect.names_response:
        events = [_naming(event, response_id) for event in events]
    if dialect.dots_argument_events:
        events = [_dotted(event) for event in events]
    return events


class _OutputItemAdded(OutputItemAdded, kw_only=True):
    response_id: str


class _OutputItemDone(OutputItemDone, kw_only=True):
    response_id: str


class _ContentPartAdded(ContentPartAdded, kw_only=True):
    response_id: str


class _ContentPartDone(ContentPartDone, kw_only=True):
    response_id: str


class _ArgumentsDelta(McpCallArgumentsDelta, tag="response.mcp_call.arguments.delta"):
    pass


class _ArgumentsDone(McpCallArgumentsDone, tag="response.mcp_call.arguments.done"):
    pass


def _with_approval(tool: Tool, approval: str) -> Tool:
    if isinstance(tool, McpTool) and not tool.require_approval:
        return msgspec.structs.replace(tool, require_approval=approval)
    return tool


def _naming(event: Event, response_id: str) -> Event:
    match event:
        case OutputItemAdded():
            return _OutputItemAdded(*astuple(event), response_id=response_id)
        case OutputItemDone():
            return _OutputItemDone(*astuple(event), response_id=response_id)
        case ContentPartAdded():
            return _ContentPartAdded(*astuple(event), response_id=response_id)
        case ContentPartDone():
            return _ContentPartDone(*astuple(event), response_id=response_id)
    return event


def _dotted(event: Event) -> Event:
    match event:
        case McpCallArgumentsDelta():
            return _ArgumentsDelta(*astuple(event))
        case McpCallArgumentsDone():
            return _ArgumentsDone(*astuple(event))
    return event
