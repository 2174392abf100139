"""What most hosted tools have in common."""

from typing import Generic, TypeVar

import msgspec

from antiphon.engine.ports import HostedCall
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import Item

ItemType = TypeVar("ItemType", bound=Item)


class BasicTool:
    """A `HostedTool` without set-up, approvals and connections; `functions` and `call` are still missing."""

    def __init__(self, position: int) -> None:
        self._position = position

    @property
    def position(self) -> int:
        """The tool's place in the request's `tools`."""
        return self._position

    def setup(self, items: list[Item]) -> HostedCall | None:
        """Returns None: nothing is to be done before the model is called."""
        return None

    def approved(self, items: list[Item]) -> list[HostedCall]:
        """Returns nothing: no call needs an approval."""
        return []

    async def close(self) -> None:
        """Does nothing: there are no connections."""


class BasicCall(Generic[ItemType]):
    """A `HostedCall` that sends its item as it stands when it opens and when it closes; `run` is missing."""

    def __init__(self, item: ItemType) -> None:
        self._item = item

    @property
    def item(self) -> ItemType:
        """The item as it stands."""
        return self._item

    @property
    def ends_turn(self) -> bool:
        """False: nobody has to answer."""
        return False

    def opening(self, output_index: int) -> list[Event]:
        """Returns `output_item.added`."""
        # A copy: the item changes while the event waits to be sent.
        return [OutputItemAdded(output_index, msgspec.structs.replace(self.item))]

    def closing(self, output_index: int) -> list[Event]:
        """Returns `output_item.done`."""
        return [OutputItemDone(output_index, self.item)]

    def skip(self, output_index: int) -> list[Event]:
        """Returns the events of an item that closes as it was opened."""
        return [*self.opening(output_index), *self.closing(output_index)]
