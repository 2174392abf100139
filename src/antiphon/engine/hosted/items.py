"""Calls of hosted tools: what the model is told of them, and what of them the caller sees. Pure.

The words are those of llama-stack, so that recordings made with it answer here too.
"""

import json
from collections.abc import Container, Iterator
from itertools import combinations

import msgspec
from msgspec import UNSET

from antiphon.wire.chat import ChatContentPart
from antiphon.wire.items import (
    CodeInterpreterCall,
    FileSearchCall,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Reasoning,
    WebSearchCall,
)
from antiphon.wire.json import JSON, JSONObject

HostedItem = WebSearchCall | FileSearchCall | CodeInterpreterCall | McpCall
"""What a call of a hosted tool becomes."""

_HIDEABLE = (
    "reasoning.encrypted_content",
    "web_search_call.results",
    "web_search_call.action.sources",
    "file_search_call.results",
    "code_interpreter_call.outputs",
)
"""The values of `include` that concern the items here."""
_UNFINISHED = frozenset({"in_progress", "searching", "interpreting", "calling"})
_PAGE_ACTIONS = {"open_page": ("url",), "find_in_page": ("url", "pattern")}
"""Further actions of web search, each a function of its own, with their arguments."""
_CITE = (
    " Cite sources immediately at the end of sentences before punctuation, using `<|file-id|>` format like "
    "'This is a fact <|file-Cn3MSNn72ENTiiq11Qda4A|>.'. Do not add extra punctuation. Use only the file IDs "
    "provided, do not invent new ones."
)


class Told(msgspec.Struct, frozen=True):
    """A call as a chat model knows it: a function's name, its arguments as JSON, and what it gave."""

    owner: str
    """Whose function it is: the label of an MCP server, else the function's own name."""
    name: str
    arguments: str
    output: str | list[ChatContentPart]


def told(item: HostedItem, max_tool_calls: int | None = None) -> Told | None:
    """Returns what the model is told of a call; None where nothing is known of it.

    A search whose results are not in the item, as when a client sends it back, is not told: what it brought
    is in the answer that follows. A call that never ended is told only with `max_tool_calls`, the limit for
    which it was skipped.
    """
    owner, name, arguments = _function(item)
    if item.status in _UNFINISHED:
        if max_tool_calls is None:
            return None
        skipped = f"Tool call skipped: maximum tool calls limit ({max_tool_calls}) reached."
        return Told(owner, name, arguments, skipped)
    output = _output(item)
    return None if output is None else Told(owner, name, arguments, output)


def denied(request: McpApprovalRequest, response: McpApprovalResponse) -> Told:
    """Returns what the model is told of a call that the caller did not approve."""
    text = "The user did not approve this tool call, and it was not made."
    if response.reason:
        text += f" Reason: {response.reason}"
    return Told(request.server_label, request.name, request.arguments, text)


def error_results(message: str) -> list[JSONObject]:
    """Returns the `results` of a failed search: the error that the model is told, and nobody is shown."""
    return [{"error": message}]


def shown(item: Item, include: Container[str]) -> Item:
    """Returns the item without what the caller has not asked to `include` (`wire.md` 2.6)."""
    if isinstance(item, Reasoning):
        hides = item.encrypted_content is not UNSET and "reasoning.encrypted_content" not in include
        return msgspec.structs.replace(item, encrypted_content=UNSET) if hides else item
    if isinstance(item, WebSearchCall):
        changes: dict[str, object] = {}
        if item.results is not UNSET and not _includes_results(item, include):
            changes["results"] = UNSET
        if item.action and "sources" in item.action and "web_search_call.action.sources" not in include:
            changes["action"] = {name: item.action[name] for name in item.action if name != "sources"}
        return msgspec.structs.replace(item, **changes) if changes else item
    if isinstance(item, FileSearchCall) and not _includes_results(item, include):
        return msgspec.structs.replace(item, results=None)
    if isinstance(item, CodeInterpreterCall) and "code_interpreter_call.outputs" not in include:
        return msgspec.structs.replace(item, outputs=None)
    return item


def tool_name(item: Item) -> str | None:
    """Return the name of the hosted tool that an item is a call of; None for other items."""
    if isinstance(item, McpListTools):
        return f"{item.server_label}.tools/list"
    if not isinstance(item, HostedItem):
        return None
    owner, name, _ = _function(item)
    return f"{owner}.{name}" if isinstance(item, McpCall) else name


def has_failed(item: Item) -> bool:
    """Return whether a hosted tool call has ended with an error."""
    if isinstance(item, McpCall | McpListTools):
        return bool(item.error)
    if isinstance(item, WebSearchCall | FileSearchCall):
        return item.status == "failed" or _error_in(item.results) is not None
    return isinstance(item, CodeInterpreterCall) and item.status == "failed"


def shown_forms(item: Item) -> Iterator[Item]:
    """Yields every form in which a caller may have seen the item, the whole one first."""
    if isinstance(item, WebSearchCall | FileSearchCall | CodeInterpreterCall | Reasoning):
        kind = str(item.__struct_config__.tag)
        hideable = [name for name in _HIDEABLE if name.startswith(f"{kind}.")]
        for size in range(len(hideable), -1, -1):
            for include in combinations(hideable, size):
                yield shown(item, include)
    else:
        yield item


def _includes_results(item: WebSearchCall | FileSearchCall, include: Container[str]) -> bool:
    return f"{item.__struct_config__.tag}.results" in include and _error_in(item.results) is None


def _function(item: HostedItem) -> tuple[str, str, str]:
    """Whose function was called, its name and the arguments."""
    if isinstance(item, McpCall):
        return item.server_label, item.name, item.arguments
    if isinstance(item, WebSearchCall):
        name, arguments = _web_action(item)
    elif isinstance(item, FileSearchCall):
        name, arguments = "file_search", {"query": "\n".join(item.queries)}
    else:
        name, arguments = "code_interpreter", {"code": item.code or ""}
    return name, name, json.dumps(arguments)


def _web_action(item: WebSearchCall) -> tuple[str, JSONObject]:
    action = item.action or {}
    kind = action.get("type")
    if isinstance(kind, str) and kind in _PAGE_ACTIONS:
        return kind, {name: action.get(name) or "" for name in _PAGE_ACTIONS[kind]}
    queries = action.get("queries")
    joined = "\n".join(map(str, queries)) if isinstance(queries, list) else ""
    return "web_search", {"query": action.get("query") or joined}


def _output(item: HostedItem) -> str | list[ChatContentPart] | None:
    if isinstance(item, McpCall):
        if isinstance(item.output, str) and not item.error:
            return item.output
        return _error_text(item.error) or item.output or "The tool gave no output."
    if isinstance(item, CodeInterpreterCall):
        return _logs(item.outputs) if isinstance(item.outputs, list) else None
    if not isinstance(item.results, list):
        return None
    error = _error_in(item.results)
    if error is not None:
        return error
    if isinstance(item, FileSearchCall):
        return _file_results("\n".join(item.queries), item.results)
    name, arguments = _web_action(item)
    results = {"top_k" if name == "web_search" else "results": item.results}
    return json.dumps(arguments | results)  # With Python's separators: what models were told in recordings.


def _error_in(results: JSON) -> str | None:
    """The error that stands in the place of a search's results."""
    if isinstance(results, list) and len(results) == 1 and isinstance(only := results[0], dict):
        return str(only["error"]) if only.keys() == {"error"} else None
    return None


def _error_text(error: JSON) -> str:
    """The words of an MCP error, in each of its forms (`wire.md` 2.2)."""
    if not isinstance(error, dict):
        return error if isinstance(error, str) else ""
    content = error.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or error.get("message") or "The tool call failed.")


def _logs(outputs: list[JSONObject]) -> str:
    return "\n".join(str(output.get("logs", f"[{output.get('type')}]")) for output in outputs)


def _file_results(query: str, results: list[JSONObject]) -> list[ChatContentPart]:
    head = f"file_search tool found {len(results)} chunks:\nBEGIN of file_search tool results.\n"
    task = f'The above results were retrieved to help answer the user\'s query: "{query}". Use them as '
    task += f"supporting information only in answering this query.{_CITE if results else ' '}\n"
    hits = [_hit(number, result) for number, result in enumerate(results, 1)]
    return [_text(text) for text in (head, *hits, "END of file_search tool results.\n", task)]


def _hit(number: int, result: JSONObject) -> str:
    file_id, attributes = result.get("file_id"), result.get("attributes")
    about = f"[{number}] document_id: {file_id}, score: {result.get('score')}"
    if attributes:  # In Python's form, as in recordings.
        about += f", attributes: {attributes}"
    return f"{about} cite as <|{file_id}|>\n{result.get('text')}\n"


def _text(text: str) -> ChatContentPart:
    return {"type": "text", "text": text}
