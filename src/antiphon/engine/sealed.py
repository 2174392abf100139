"""What sealed boxes hold: the model's own reasoning, and what a compaction stands for.

Clients keep boxes (`encrypted_content`) and send them back, and cannot read or change them. How they are
sealed is the business of the `Seal`; what is in them is defined here. Pure.
"""

import msgspec
from msgspec import Struct

from antiphon.engine.request_context import Seal
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.chat import ReasoningDetail
from antiphon.wire.items import Compaction, Item, Message, Reasoning


class ReasoningBox(Struct, tag="reasoning", omit_defaults=True):
    """Reasoning as the backend gave it."""

    source: str
    """The model whose reasoning it is, by its backend's name for it: a replay knows no other."""
    text: str = ""
    details: list[ReasoningDetail] = []
    """The backend's own entries, with what only it can read."""


class CompactionBox(Struct, tag="compaction", omit_defaults=True):
    """A summary of what was said and done so far."""

    summary: str
    messages: list[Message] | None = None
    """The messages that were kept; None: they stand before the compaction, as items of their own."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ReasoningBox | CompactionBox).decode


class Boxes:
    """Seals and opens the boxes of one response; `source` is its model's name.

    Without a `seal` nothing is sealed, and no box can be opened.
    """

    def __init__(self, seal: Seal | None = None, source: str = "") -> None:
        self.source = source
        self._seal = seal

    @property
    def are_sealed(self) -> bool:
        """Whether there is a seal."""
        return self._seal is not None

    def seal(self, content: ReasoningBox | CompactionBox) -> str:
        """Returns the box; there must be a seal."""
        assert self._seal is not None
        return self._seal.seal(_encode(content))

    def reasoning(self, item: Reasoning) -> ReasoningBox | None:
        """Returns what the item's box holds; None where there is none that can be opened."""
        content = self._opened(item.encrypted_content) if isinstance(item.encrypted_content, str) else None
        return content if isinstance(content, ReasoningBox) else None

    def compaction(self, item: Compaction) -> CompactionBox:
        """Returns what the compaction stands for; raises `InvalidEncryptedContent`."""
        content = self._opened(item.encrypted_content)
        if not isinstance(content, CompactionBox):
            raise InvalidEncryptedContent(item.encrypted_content, param="input")
        return content

    def context(self, items: list[Item]) -> list[Item]:
        """Returns what of a context the model still sees.

        A compaction that holds the kept messages stands for everything before it. Raises
        `InvalidEncryptedContent`.
        """
        for position in range(len(items) - 1, -1, -1):
            item = items[position]
            if isinstance(item, Compaction):
                messages = self.compaction(item).messages
                if messages is not None:
                    return [*messages, *items[position:]]
        return items

    def _opened(self, box: str) -> ReasoningBox | CompactionBox | None:
        content = self._seal.open(box) if self._seal is not None else None
        return None if content is None else _decode(content)
