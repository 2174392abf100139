"""Kinds of tools that the client runs and that have items of their own: a table that `tools/` fills.

A kind defines everything about such a tool: the function for the model, the item and the events of a call,
and the call and its output as the model receives them later. Functions and custom tools have no kind.
"""

from collections.abc import Mapping
from typing import Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from antiphon.wire.chat import ChatFunction
from antiphon.wire.content import ToolOutputPart
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import ITEM_PREFIXES, Item, ItemStatus
from antiphon.wire.tools import Tool

CallType = TypeVar("CallType", bound=Struct)
OutputType = TypeVar("OutputType", bound=Struct)


class ClientCall(Generic[CallType]):
    """One call while its arguments arrive. It has no deltas; subclasses can stream parts of the item."""

    def __init__(self, item: CallType) -> None:
        """Begin a call with its item in progress, which `finish` completes."""
        self.item = item
        self._is_announced = False

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        """Return the events of the next piece of the arguments."""
        return self.announce(output_index)

    def finish(self, arguments: str, status: ItemStatus) -> str | None:
        """Complete the item, and return the error in the arguments, if there is one.

        Args:
            arguments: All arguments.
            status: The status of the item; arguments of an incomplete item are cut off.
        """
        raise TypeError(f"{type(self).__name__} has no end")

    def closing(self, output_index: int) -> list[Event]:
        """Return the last events, after `finish`."""
        return [*self.announce(output_index), OutputItemDone(output_index, as_item(self.item))]

    def announce(self, output_index: int) -> list[Event]:
        """Return the first event of the item, once."""
        if self._is_announced:
            return []
        self._is_announced = True
        # A copy: the item changes while the event waits to be sent.
        begun = msgspec.structs.replace(self.item, status="in_progress")
        return [OutputItemAdded(output_index, as_item(begun))]


class ClientKind(Generic[CallType, OutputType]):
    """One kind of tool; subclasses define the methods without a default."""

    name: str
    """The name of the function, unless another tool has it."""
    tools: tuple[type[Struct], ...]
    """The types of the tool in requests."""
    choices: tuple[str, ...]
    """The types of a tool choice that choose the tool."""
    call: type[CallType]
    """The type of calls on the wire."""
    output: type[OutputType]
    """The type of outputs on the wire."""

    @property
    def prefix(self) -> str:
        """The prefix of the ids of calls."""
        return ITEM_PREFIXES[str(self.call.__struct_config__.tag)]

    def function(self, tool: Tool, param: str) -> ChatFunction | None:
        """Return the function for the model, without its name; None if the client does not run this tool.

        Raises:
            InvalidRequest: The tool at `param` is invalid.
        """
        raise TypeError(f"{type(self).__name__} has no function")

    def begin(self, tool: Tool, item_id: str, call_id: str) -> ClientCall[CallType]:
        """Return a new call by the model."""
        raise TypeError(f"{type(self).__name__} has no calls")

    def arguments(self, item: CallType) -> str:
        """Return the arguments of an earlier call, as the model wrote them."""
        raise TypeError(f"{type(self).__name__} has no arguments")

    def answer(self, item: OutputType) -> str | list[ToolOutputPart]:
        """Return an output as the model receives it."""
        raise TypeError(f"{type(self).__name__} has no answer")

    def waits(self, item: CallType) -> bool:
        """Return whether the client has to answer a call."""
        return True


class ClientFunction(Struct, frozen=True):
    """A tool of a request that the client runs, as a function."""

    kind: ClientKind[Struct, Struct]
    tool: Tool

    def begin(self, item_id: str, call_id: str) -> ClientCall[Struct]:
        """Return a new call by the model."""
        return self.kind.begin(self.tool, item_id, call_id)


ClientFunctions = Mapping[str, ClientFunction]
"""The tools that the client runs, by their names at the backend."""

_by_tool: dict[type[Struct], ClientKind[Struct, Struct]] = {}
_by_call: dict[type[Struct], ClientKind[Struct, Struct]] = {}
_by_output: dict[type[Struct], ClientKind[Struct, Struct]] = {}


def register_client_kind(kind: ClientKind[CallType, OutputType]) -> None:
    """Add a kind to the table."""
    # The keys are the types of items and tools, so that each kind receives its own only.
    entry = cast("ClientKind[Struct, Struct]", kind)
    _by_call[kind.call] = _by_output[kind.output] = entry
    _by_tool.update(dict.fromkeys(kind.tools, entry))


def kind_of_tool(tool: Tool) -> ClientKind[Struct, Struct] | None:
    """Return the kind of a tool; None for tools of other types."""
    return _by_tool.get(type(tool))


def kind_of_call(item: Item) -> ClientKind[Struct, Struct] | None:
    """Return the kind of a call; None for items of other types."""
    return _by_call.get(type(item))


def kind_of_output(item: Item) -> ClientKind[Struct, Struct] | None:
    """Return the kind of an output; None for items of other types."""
    return _by_output.get(type(item))


def chosen_by(kind: str) -> tuple[str, ...]:
    """Return the names of the tools that a tool choice of type `kind` chooses."""
    return tuple({entry.name for entry in _by_tool.values() if kind in entry.choices})


def as_item(item: Struct) -> Item:
    """Return an item of a kind as an item of the wire."""
    return cast(Item, item)
