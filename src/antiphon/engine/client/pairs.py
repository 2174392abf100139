"""Calls that the client answers, and their outputs, in lists of items."""

from collections.abc import Iterable

from antiphon.engine.client.kinds import kind_of_call, kind_of_output
from antiphon.wire.items import CustomToolCall, CustomToolCallOutput, FunctionCall, FunctionCallOutput, Item


def called_id(item: Item) -> str | None:
    """Return the ID that the output of a call refers to; None for items that aren't such calls.

    It is empty for a call that the server has answered itself, in the next output without an ID.
    """
    if isinstance(item, FunctionCall | CustomToolCall) or kind_of_call(item) is not None:
        return _call_id(item)
    return None


def answered_id(item: Item) -> str | None:
    """Return the ID of the call that an output belongs to; None for items that aren't such outputs."""
    if isinstance(item, FunctionCallOutput | CustomToolCallOutput) or kind_of_output(item) is not None:
        return _call_id(item)
    return None


def asks_client(items: Iterable[Item]) -> bool:
    """Return whether the items contain a call that the client has to answer."""
    return any(_waits(item) for item in items)


def words_of(item: Item) -> str:
    """Return the words for a call in messages, such as `local shell call`."""
    kind = str(item.__struct_config__.tag).removesuffix("_output")
    return "function call" if kind == "custom_tool_call" else kind.replace("_", " ")


def _waits(item: Item) -> bool:
    if isinstance(item, FunctionCall | CustomToolCall):
        return item.is_async is not True
    kind = kind_of_call(item)
    return kind is not None and kind.waits(item)


def _call_id(item: Item) -> str:
    call_id = getattr(item, "call_id", None)
    return call_id if isinstance(call_id, str) else ""
