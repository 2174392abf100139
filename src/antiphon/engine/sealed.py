"""Encrypted content: a model's own reasoning, and the content behind a compaction.

Clients keep `encrypted_content` and send it back; they can neither read nor change it. The `Seal` encrypts;
this module defines the plain content.
"""

import msgspec
from msgspec import Struct

from antiphon.engine.request_context import LOCAL_OWNER, Seal
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.chat import ReasoningDetail
from antiphon.wire.configuration import ConfigurationUpdate
from antiphon.wire.items import Compaction, Item, Message, Reasoning


class SealedReasoning(Struct, tag="reasoning", omit_defaults=True):
    """Reasoning as the backend sent it."""

    source: str
    """The backend's name for the model that reasoned; replay has no other name."""
    text: str = ""
    """The text of the reasoning."""
    details: list[ReasoningDetail] = []
    """The backend's own entries, with data that only the backend can read."""


class SealedCompaction(Struct, tag="compaction", omit_defaults=True):
    """A summary of the conversation so far."""

    summary: str
    """The model's summary."""
    messages: list[Message] | None = None
    """The messages that were kept; None if they precede the compaction as items of their own."""
    configuration: ConfigurationUpdate | None = None
    """The settings that the context had changed; None without a change."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(SealedReasoning | SealedCompaction).decode


class Sealed(Struct, frozen=True):
    """Encrypted content of one response."""

    sealing: Seal | None = None
    """Encrypts and decrypts; None does neither."""
    source: str = ""
    """The backend's name for the model of the response."""
    owner: str = LOCAL_OWNER
    """The owner of the response."""

    @property
    def has_seal(self) -> bool:
        """Whether content can be encrypted."""
        return self.sealing is not None

    def seal(self, content: SealedReasoning | SealedCompaction) -> str:
        """Return the encrypted content; there must be a seal."""
        assert self.sealing is not None
        return self.sealing.seal(self.owner, _encode(content))

    def reasoning(self, item: Reasoning) -> SealedReasoning | None:
        """Return the decrypted reasoning of an item; None without readable content."""
        encrypted = item.encrypted_content
        content = self._opened(encrypted) if isinstance(encrypted, str) else None
        return content if isinstance(content, SealedReasoning) else None

    def compaction(self, item: Compaction) -> SealedCompaction:
        """Return the content of a compaction.

        Raises:
            InvalidEncryptedContent: This server cannot decrypt it for this owner.
        """
        content = self._opened(item.encrypted_content)
        if not isinstance(content, SealedCompaction):
            raise InvalidEncryptedContent(item.encrypted_content, param="input")
        return content

    def context(self, items: list[Item]) -> list[Item]:
        """Return the items of a context that the model receives.

        A compaction that contains the kept messages replaces everything before it.

        Raises:
            InvalidEncryptedContent: This server cannot decrypt the compaction for this owner.
        """
        for position in range(len(items) - 1, -1, -1):
            item = items[position]
            if isinstance(item, Compaction):
                messages = self.compaction(item).messages
                if messages is not None:
                    return [*messages, *items[position:]]
        return items

    def _opened(self, encrypted: str) -> SealedReasoning | SealedCompaction | None:
        content = self.sealing.open(self.owner, encrypted) if self.sealing is not None else None
        return None if content is None else _decode(content)
