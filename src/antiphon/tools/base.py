"""Base classes of hosted tools."""

from collections.abc import Sequence
from typing import Generic, TypeVar

import msgspec

from antiphon.engine.ports import HostedCall, StreamedCall
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import Item

ItemType = TypeVar("ItemType", bound=Item)


class BasicTool:
    """A `HostedTool` without set-up, approvals and connections; subclasses add `functions` and `call`."""

    def __init__(self, position: int) -> None:
        self._position = position

    @property
    def position(self) -> int:
        """The tool's place in the request's `tools`."""
        return self._position

    def setup(self, items: list[Item]) -> HostedCall | None:
        """Return None: no set-up runs before the model is called."""
        return None

    async def prepare(self, items: list[Item]) -> None:
        """Do nothing: the tool needs no look at the context."""

    def approved(self, items: list[Item]) -> list[HostedCall]:
        """Return no calls: none needs an approval."""
        return []

    def begin(self, name: str) -> StreamedCall | None:
        """Return None: a call begins with its whole arguments."""
        return None

    async def close(self) -> None:
        """Do nothing: there are no connections."""


class BasicCall(Generic[ItemType]):
    """A `HostedCall` that sends its item when it opens and when it closes; subclasses add `run`."""

    def __init__(self, item: ItemType) -> None:
        self._item = item

    @property
    def item(self) -> ItemType:
        """The item in its present state."""
        return self._item

    @property
    def ends_turn(self) -> bool:
        """False: the client has nothing to answer."""
        return False

    @property
    def following(self) -> Sequence[Item]:
        """No items: the call is the only one."""
        return ()

    def opening(self, output_index: int) -> list[Event]:
        """Return `output_item.added`."""
        # A copy: the item changes while the event waits to be sent.
        return [OutputItemAdded(output_index, msgspec.structs.replace(self.item))]

    def closing(self, output_index: int) -> list[Event]:
        """Return `output_item.done`."""
        return [OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """Return the events of an item that closes in the state in which it opened."""
        return [*self.opening(output_index), *self.closing(output_index)]
