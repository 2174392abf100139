"""The message of a model, put together from the items that it became."""

from collections.abc import Iterable

from antiphon.engine.hosted.kinds import kind_of
from antiphon.engine.request.content import plain_text
from antiphon.engine.request.custom_tools import call_as_function, native_call
from antiphon.engine.request.functions import Renamed, flat_name, hosted_name
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage, ChatToolCall
from antiphon.wire.content import Refusal
from antiphon.wire.items import (
    CustomToolCall,
    FunctionCall,
    Item,
    McpApprovalRequest,
    McpListTools,
    Message,
    Reasoning,
)


def reply_of(items: Iterable[Item], renamed: Renamed, capabilities: Capabilities) -> ChatMessage:
    """Return the message of one model call.

    Args:
        items: The items from the beginning of the call to that of the next one.
        renamed: The hosted functions that have another name at the backend.
        capabilities: The features of the backend.
    """
    texts: list[str] = []
    refusals: list[str] = []
    reasoning: list[str] = []
    calls: list[ChatToolCall] = []
    for item in items:
        if isinstance(item, Message):
            if isinstance(item.content, list):
                refusals += [part.refusal for part in item.content if isinstance(part, Refusal)]
            texts.append("" if refusals else plain_text(item.content))
        elif isinstance(item, Reasoning):
            reasoning += [part.text for part in item.content or item.summary]
        else:
            calls += _calls(item, len(calls), renamed, capabilities)
    reply: ChatMessage = {"role": "assistant", "content": "\n".join(texts)}
    if refusals:
        reply["refusal"] = "\n".join(refusals)
    if reasoning:
        reply["reasoning_content"] = "\n".join(reasoning)
    if calls:
        reply["tool_calls"] = calls
    return reply


def _calls(item: Item, place: int, renamed: Renamed, capabilities: Capabilities) -> list[ChatToolCall]:
    """Return the call that an item is; none for items of other kinds."""
    match item:
        case FunctionCall():
            return [_function(item.call_id, _own_name(item), item.arguments)]
        case CustomToolCall():
            of_its_kind = native_call if capabilities.custom_tools else call_as_function
            return [of_its_kind(item.call_id, _own_name(item), item.input)]
        case McpListTools():
            return []
        case McpApprovalRequest():
            owner, name, arguments = item.server_label, item.name, item.arguments
        case _:
            kind = kind_of(item)
            if kind is None:
                return []
            called = kind.function(item)
            owner, name, arguments = called.owner, called.name, called.arguments
    return [_function(f"call_{place}", renamed.get((owner, name)) or hosted_name(owner, name), arguments)]


def _own_name(item: FunctionCall | CustomToolCall) -> str:
    return flat_name(item.namespace, item.name) if item.namespace else item.name


def _function(call_id: str, name: str, arguments: str) -> ChatToolCall:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
