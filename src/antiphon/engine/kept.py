"""The part of an earlier response that a fork keeps."""

from itertools import chain

from msgspec import Struct

from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import Item


class Kept(Struct, frozen=True, kw_only=True):
    """The output of an earlier response up to one of its model calls, which another response begins with."""

    source: str
    """The ID of the earlier response."""
    before: list[Item]
    """The items before the first model call: lists of tools, and calls that the client approved."""
    rounds: list[list[Item]]
    """The items of each model call, with those of the hosted tools that it called."""
    steps: list[str]
    """The JSON texts of its steps."""

    @property
    def items(self) -> list[Item]:
        """All items in order."""
        return [*self.before, *chain.from_iterable(self.rounds)]

    def events(self) -> list[Event]:
        """Return the events of the items."""
        return [
            event
            for index, item in enumerate(self.items)
            for event in (OutputItemAdded(index, item), OutputItemDone(index, item))
        ]
