"""Stored responses as recordings, which a replay answers from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import msgspec
from msgspec import Raw, Struct

from antiphon.engine.hosted.items import error_in
from antiphon.engine.reply.whole import unfold_reply
from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.errors import ContextLengthExceeded
from antiphon.recording.calls.recorded import Address, RecordedCall, RecordedError
from antiphon.recording.files.scope_file import ScopeWriter
from antiphon.recording.files.secrets import find_in_call
from antiphon.recording.seam.record import chat_address
from antiphon.service.files.containers import DATA
from antiphon.service.log.entries import LoggedResponse
from antiphon.service.log.sent import ModelCall
from antiphon.tools.code_interpreter.items import written_files
from antiphon.tools.code_interpreter.tool import NAME, RUN
from antiphon.tools.mcp.calls import LIST, decoded_arguments
from antiphon.tools.web_search.calls import PAGES
from antiphon.tools.web_search.options import template
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from antiphon.wire.items import (
    CodeInterpreterCall,
    FileSearchCall,
    Item,
    McpCall,
    McpListTools,
    WebSearchCall,
)
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.log import LoggedError, LoggedUsage, ModelStep
from antiphon.wire.tools import Tool, WebSearchTool

_RUNNING = ("queued", "in_progress")


class Recording(Struct, kw_only=True):
    """A recording of the model and tool calls of a response, or the reason why there is none."""

    file: str = ""
    """Name of the file."""
    text: str = ""
    """Content of the file; empty if there is none."""
    problem: str = ""
    """The reason why there is no recording."""
    notes: list[str] = []
    """Warnings about the replay, for the page."""


def recording_of(logged: LoggedResponse, calls: Sequence[ModelCall | None]) -> Recording:
    """Return the calls of a response as a file of recordings, which answers in any scope.

    The replies aren't streams, because the log has the items that a stream became and not its chunks.

    Args:
        logged: The response.
        calls: The model call of each step.
    """
    problem = _problem(logged, calls)
    if problem:
        return Recording(problem=problem)
    writer = ScopeWriter(DEFAULT_SCOPE)
    for call in _recorded(logged, calls):
        findings = find_in_call(call)
        if findings:
            return Recording(problem=f"The calls contain text that looks like a secret: {findings[0]}")
        writer.add(call)
    return Recording(
        file=f"{logged.entry.id}.json", text=writer.content().decode(), notes=_notes(logged, calls)
    )


def _problem(logged: LoggedResponse, calls: Sequence[ModelCall | None]) -> str:
    steps = list(zip(logged.steps, calls, strict=True))
    if logged.response is None:
        return "The server has not stored the response."
    if logged.response.status in _RUNNING:
        return "The response is in progress."
    if logged.left_out or not steps:
        return "The log doesn't have all model calls of the response."
    if any(isinstance(step, ModelStep) and call is None for step, call in steps):
        return "The log or the database doesn't have all parts of the requests to the backend."
    return ""


def _notes(logged: LoggedResponse, calls: Sequence[ModelCall | None]) -> list[str]:
    notes = []
    if any(call is not None and not call.sent.is_exact for call in calls):
        notes.append("The requests may differ in details from those that were sent.")
    if any(isinstance(item, FileSearchCall) for item in logged.output):
        notes.append("A replay searches the vector stores again, so it needs the same ones.")
    if any(isinstance(item, CodeInterpreterCall) for item in logged.output):
        notes.append("The files that the code wrote are empty in a replay, except for its charts.")
    return notes


def _recorded(logged: LoggedResponse, calls: Sequence[ModelCall | None]) -> Iterator[RecordedCall]:
    """Yield the calls that a replay needs, in the order in which they began."""
    assert logged.response is not None
    items = {str(item.id): item for item in logged.output}
    for step, call in zip(logged.steps, calls, strict=True):
        if isinstance(step, ModelStep):
            if call is not None and not (step.error is not None and step.error.type == "cancelled"):
                yield _chat(logged, step, call)
        elif (item := items.get(step.item or "")) is not None:
            made = _tool_call(item, logged.response.tools)
            if made is not None:
                yield _of_tool(made)


def _chat(logged: LoggedResponse, step: ModelStep, call: ModelCall) -> RecordedCall:
    body = call.sent.body
    assert isinstance(body, dict)
    reply: JSONObject = {
        "id": f"chatcmpl-{logged.entry.id.removeprefix('resp_')}",
        "object": "chat.completion",
        "created": int(logged.entry.created_at),
        "model": body.get("model"),
        "choices": [{"index": 0, "message": call.reply, "finish_reason": step.finish or "stop"}],
    }
    if step.usage is not None:
        reply["usage"] = _usage(step.usage)
    text = msgspec.json.encode(reply)
    recorded = RecordedCall(
        kind="chat",
        request=cast(JSONObject, body),
        address=chat_address(call.backend, call.capabilities),
        parts=(Raw(text),),
    )
    if step.error is None:
        return recorded
    has_begun = bool(call.reply.get("content") or call.reply.get("tool_calls"))
    parts = tuple(Raw(chunk) for chunk in unfold_reply(text, include_usage=False)[:1]) if has_begun else ()
    return replace(recorded, streamed=has_begun, parts=parts, error=_error(step.error))


def _usage(usage: LoggedUsage) -> JSONObject:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _error(error: LoggedError) -> RecordedError:
    message = error.message or ""
    if error.code == ContextLengthExceeded.code:
        return RecordedError(message=message, type=ContextLengthExceeded.__name__)
    body = {"message": message, "code": error.code, "param": error.param}
    return RecordedError(message=message, status_code=error.status, body=body)


class _ToolCall(NamedTuple):
    """A call that leaves the server, with its outcome."""

    provider: str
    name: str
    arguments: JSONObject
    outcome: JSON | RecordedError


def _tool_call(item: Item, tools: list[Tool]) -> _ToolCall | None:
    """Return the call that an item is of; None for tools that the server runs itself."""
    match item:
        case McpListTools():
            return _ToolCall(item.server_label, LIST, {}, _tool_list(item))
        case McpCall():
            return _ToolCall(
                item.server_label, item.name, decoded_arguments(item.arguments) or {}, _mcp_outcome(item)
            )
        case WebSearchCall():
            return _web_call(item, tools)
        case CodeInterpreterCall():
            return _code_call(item)
        case _:
            return None


def _tool_list(item: McpListTools) -> JSON:
    if item.error:
        return {"error": {"message": str(item.error)}}
    return {
        "tools": [
            {
                "name": tool.get("name"),
                "description": tool.get("description"),
                "inputSchema": tool.get("input_schema"),
                "annotations": {"readOnlyHint": bool((tool.get("annotations") or {}).get("read_only"))},
            }
            for tool in item.tools
        ]
    }


def _mcp_outcome(item: McpCall) -> JSON | RecordedError:
    error = item.error if isinstance(item.error, dict) else {}
    message = str(error.get("message"))
    match error.get("type"):
        case "http_error":
            return RecordedError(message=message, status_code=int(error["code"]))
        case "mcp_protocol_error":
            return {"error": {"code": error.get("code"), "message": message}}
        case "mcp_tool_execution_error":
            return {"content": error.get("content"), "isError": True}
    return {"content": [{"type": "text", "text": item.output or ""}]}


def _web_call(item: WebSearchCall, tools: list[Tool]) -> _ToolCall:
    tool = next((tool for tool in tools if isinstance(tool, WebSearchTool)), WebSearchTool())
    search = template(tool, 0)
    action = item.action or {}
    kind = action.get("type")
    failure = error_in(item.results)
    if kind in ("open_page", "find_in_page"):
        given = {name: action.get(name) for name in ("url", "pattern") if name in action}
        outcome: JSON = {"error_message": failure} if failure is not None else {"results": item.results or []}
        return _ToolCall(PAGES, str(kind), given | search.domains, outcome)
    query = str(action.get("query") or "")
    outcome = (
        {"error_message": failure} if failure is not None else {"query": query, "top_k": item.results or []}
    )
    # A replay answers searches of every provider.
    provider = SEARCH_PROVIDERS[0].name
    return _ToolCall(provider, "web_search", search.with_query(query).arguments, outcome)


def _code_call(item: CodeInterpreterCall) -> _ToolCall:
    """Return the run of a call; its item has the paths of files, and not their contents."""
    logs: list[str] = []
    images: list[str] = []
    paths: list[str] = []
    for output in item.outputs or ():
        if isinstance(text := output.get("logs"), str):
            logs.append(text)
        elif isinstance(url := output.get("url"), str):
            images.append(url.partition(",")[2])
        else:
            paths += written_files(output)
    has_failed = item.status == "failed"
    outcome: JSONObject = {
        "logs": "" if has_failed else "".join(logs[:1]),
        "result": "".join(logs[1:]) or None,
        "images": images,
        "files": {path.removeprefix(DATA): "" for path in paths},
        "error": "".join(logs[:1]) if has_failed else None,
    }
    return _ToolCall(NAME, RUN, {"code": item.code or ""}, outcome)


def _of_tool(made: _ToolCall) -> RecordedCall:
    address = Address(url="", endpoint="", provider=made.provider, tool_name=made.name)
    call = RecordedCall(kind="tool", request=made.arguments, address=address)
    if isinstance(made.outcome, RecordedError):
        return replace(call, error=made.outcome)
    return replace(call, parts=(Raw(msgspec.json.encode(made.outcome)),))
