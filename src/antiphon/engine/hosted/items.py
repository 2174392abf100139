"""Items of hosted tool calls, as the model receives them and as the client sees them. Pure.

The wording is that of llama-stack, so that its recordings answer here too.
"""

from collections.abc import Container, Iterator
from itertools import combinations

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.kinds import HostedKind, kind_of
from antiphon.wire.chat import ChatContentPart
from antiphon.wire.items import (
    ComputerCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Reasoning,
)
from antiphon.wire.json import JSON, JSONObject

_UNFINISHED = frozenset({"in_progress", "searching", "interpreting", "calling", "generating"})
_REASONING = "reasoning.encrypted_content"
_SCREENSHOT = "computer_call_output.output.image_url"


class ForModel(msgspec.Struct, frozen=True):
    """A call as a chat model receives it."""

    owner: str
    """The label of an MCP server, else the function's own name."""
    name: str
    arguments: str
    """A JSON text."""
    output: str | list[ChatContentPart]


def for_model(item: Item, max_tool_calls: int | None = None) -> ForModel | None:
    """Return a hosted tool call as the model receives it; None if it is omitted.

    A search without results, as clients send it back, is omitted: the answer that follows has its content.

    Args:
        item: The call.
        max_tool_calls: The limit of the response. Only with it the model receives a call that never ended,
            with the limit as the reason.
    """
    kind = kind_of(item)
    assert kind is not None
    called = kind.function(item)
    if getattr(item, "status", None) in _UNFINISHED:
        if max_tool_calls is None:
            return None
        skipped = f"Tool call skipped: maximum tool calls limit ({max_tool_calls}) reached."
        return ForModel(called.owner, called.name, called.arguments, skipped)
    output = kind.output(item)
    return None if output is None else ForModel(called.owner, called.name, called.arguments, output)


def denied(request: McpApprovalRequest, response: McpApprovalResponse) -> ForModel:
    """Return a call that the client did not approve, as the model receives it."""
    text = "The user did not approve this tool call, and it was not made."
    if response.reason:
        text += f" Reason: {response.reason}"
    return ForModel(request.server_label, request.name, request.arguments, text)


def for_client(item: Item, include: Container[str]) -> Item:
    """Return the item without the parts that the request does not `include`."""
    if isinstance(item, Reasoning):
        hides = item.encrypted_content is not UNSET and _REASONING not in include
        return msgspec.structs.replace(item, encrypted_content=UNSET) if hides else item
    if isinstance(item, ComputerCallOutput):
        hides = isinstance(item.output.image_url, str) and _SCREENSHOT not in include
        screenshot = msgspec.structs.replace(item.output, image_url=UNSET) if hides else item.output
        return msgspec.structs.replace(item, output=screenshot) if hides else item
    kind = kind_of(item)
    return item if kind is None else _as_item(kind, item, include)


def client_forms(item: Item) -> Iterator[Item]:
    """Yield every form in which a client may have seen the item, the whole one first."""
    includes = _includes(item)
    for size in range(len(includes), -1, -1):
        for include in combinations(includes, size):
            yield for_client(item, include)


def _includes(item: Item) -> tuple[str, ...]:
    """Return the values of `include` that show hidden parts of the item."""
    if isinstance(item, Reasoning):
        return (_REASONING,)
    if isinstance(item, ComputerCallOutput):
        return (_SCREENSHOT,)
    kind = kind_of(item)
    return () if kind is None else kind.includes


def tool_name(item: Item) -> str | None:
    """Return the name of the hosted tool that an item is a call of; None for other items."""
    if isinstance(item, McpListTools):
        return f"{item.server_label}.tools/list"
    kind = kind_of(item)
    if kind is None:
        return None
    called = kind.function(item)
    return f"{called.owner}.{called.name}" if isinstance(item, McpCall) else called.name


def has_failed(item: Item) -> bool:
    """Return whether a hosted tool call has ended with an error."""
    if isinstance(item, McpListTools):
        return bool(item.error)
    kind = kind_of(item)
    return kind is not None and kind.has_failed(item)


def error_results(message: str) -> list[JSONObject]:
    """Return the `results` of a failed search: an error that the model receives and no client sees."""
    return [{"error": message}]


def error_in(results: JSON) -> str | None:
    """Return the error that is in place of a search's results."""
    if isinstance(results, list) and len(results) == 1 and isinstance(only := results[0], dict):
        return str(only["error"]) if only.keys() == {"error"} else None
    return None


def _as_item(kind: HostedKind[msgspec.Struct], item: Item, include: Container[str]) -> Item:
    shown = kind.for_client(item, include)
    assert isinstance(shown, type(item))
    return shown
