"""Kinds of hosted tools: a table that the folders of the tools fill.

A kind defines everything about a tool except running it: the tool as the response shows it, its call as the
model receives it, and its item as the client sees it.
"""

from collections.abc import Callable, Container
from typing import Generic, TypeVar, cast

from msgspec import Struct

from antiphon.wire.chat import ChatContentPart
from antiphon.wire.items import Item
from antiphon.wire.tools import Tool

ItemType = TypeVar("ItemType", bound=Struct)
ToolType = TypeVar("ToolType", bound=Struct)


class CalledFunction(Struct, frozen=True):
    """The function that the model called."""

    owner: str
    """The label of an MCP server, else the function's own name."""
    name: str
    arguments: str
    """A JSON text."""


class HostedKind(Generic[ItemType]):
    """The items of one type of hosted tool call; subclasses define the methods without a default."""

    item: type[ItemType]
    """The type of the items on the wire."""
    includes: tuple[str, ...] = ()
    """The values of `include` that show hidden parts of the items."""

    def function(self, item: ItemType) -> CalledFunction:
        """Return the function that the model called."""
        raise TypeError(f"{type(self).__name__} has no function")

    def output(self, item: ItemType) -> str | list[ChatContentPart] | None:
        """Return the output as the model receives it; None if the item does not hold it."""
        raise TypeError(f"{type(self).__name__} has no output")

    def for_client(self, item: ItemType, include: Container[str]) -> ItemType:
        """Return the item without the parts that the request does not include."""
        return item

    def has_failed(self, item: ItemType) -> bool:
        """Return whether the call ended with an error."""
        raise TypeError(f"{type(self).__name__} has no outcome")


_kinds: dict[type[Struct], HostedKind[Struct]] = {}
_echoes: dict[type[Struct], Callable[[Struct], Struct]] = {}


def register_kind(kind: HostedKind[ItemType]) -> None:
    """Add a kind to the table; a second kind of the same items replaces the first."""
    # The key is the type of the items, so that each kind receives its own items only.
    _kinds[kind.item] = cast("HostedKind[Struct]", kind)


def register_echo(tool: type[ToolType], echo: Callable[[ToolType], ToolType]) -> None:
    """Add the function that returns a tool as responses show it, with its defaults and without secrets."""
    _echoes[tool] = cast("Callable[[Struct], Struct]", echo)


def kind_of(item: Item) -> HostedKind[Struct] | None:
    """Return the kind of a hosted tool call; None for items of other types."""
    return _kinds.get(type(item))


def echoed(tool: Tool) -> Tool:
    """Return a hosted tool as responses show it; tools of other types unchanged."""
    echo = _echoes.get(type(tool))
    return tool if echo is None else cast(Tool, echo(tool))
