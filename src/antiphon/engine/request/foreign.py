"""Calls of tools that only other servers have, as short texts.

Clients bring these items along in a history. Chat models have no form for them.
"""

from antiphon.wire.items import (
    Item,
    Message,
    Program,
    ProgramOutput,
)

_MOST = 1000
"""Characters of an item's content that the model receives."""


def as_message(item: Item) -> Message | None:
    """Return a foreign item as a message; None for items of other types.

    A call is a message of the model, which made it. An output is a message of the user, whose client sent it.
    """
    if (call := _call(item)) is not None:
        return Message(role="assistant", content=_bracketed(*call))
    if (output := _output(item)) is not None:
        return Message(role="user", content=_bracketed(*output))
    return None


def _call(item: Item) -> tuple[str, str] | None:
    """Return the kind of a call, and its content."""
    match item:
        case Program():
            return "Program", item.code
    return None


def _output(item: Item) -> tuple[str, str] | None:
    """Return the kind of an output, and its content."""
    match item:
        case ProgramOutput():
            return "Output of the program", item.result
    return None


def _bracketed(kind: str, content: str) -> str:
    if len(content) > _MOST:
        content = content[:_MOST] + "..."
    return f"[{kind}: {content}]" if content else f"[{kind}]"
