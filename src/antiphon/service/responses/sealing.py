"""Sealed boxes: texts that clients keep and only this server can make, read or change.

A box is authenticated encryption (AES-SIV, RFC 5297) under a key that is made of the server's secret. The
owner is part of what is authenticated, so that nobody can use a box of somebody else. The same content gives
the same box, which tells no more than that it is the same; in return frozen runs are equal to the byte, and
no nonce can be used twice.
"""

import base64
import binascii
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from antiphon.engine.sealed import Boxes
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.items import Compaction, InputItem, Reasoning

_PREFIX = "antiphon1."
"""Tells our boxes from those of others, and this form from later ones."""
_INFO = b"antiphon sealed boxes 1"
_KEY_BYTES = 64  # two keys of 256 bits: AES-SIV authenticates under one and encrypts under the other


class Sealing:
    """Makes the seals of all owners from the server's secret, a text that nobody can guess."""

    def __init__(self, secret: str) -> None:
        key = HKDF(algorithm=SHA512(), length=_KEY_BYTES, salt=None, info=_INFO).derive(secret.encode())
        self._cipher = AESSIV(key)

    def of(self, owner: str) -> "OwnerSeal":
        """Returns the seal of one owner."""
        return OwnerSeal(self._cipher, owner)


class OwnerSeal:
    """A `Seal` whose boxes only one owner can use."""

    def __init__(self, cipher: AESSIV, owner: str) -> None:
        self._cipher = cipher
        self._context = [b"owner", owner.encode()]

    def seal(self, content: bytes) -> str:
        """Returns a box with `content`, which must not be empty."""
        sealed = self._cipher.encrypt(content, self._context)
        return _PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, box: str) -> bytes | None:
        """Returns what is in the box; None if it was not sealed with this seal, or was changed since."""
        encoded = box.removeprefix(_PREFIX)
        if not is_ours(box) or "+" in encoded or "/" in encoded:  # The decoder takes these for "-" and "_".
            return None
        try:
            sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return self._cipher.decrypt(sealed, self._context)
        except (binascii.Error, ValueError, InvalidTag):
            return None


def is_ours(box: str) -> bool:
    """Whether the box has the form of those that Antiphon makes."""
    return box.startswith(_PREFIX)


def check_boxes(items: Sequence[InputItem], boxes: Boxes) -> None:
    """Raises `InvalidEncryptedContent`, with its place, for a box that cannot be used.

    Reasoning in a box of another server is let through: clients that change servers send their history along,
    and what the box hides was never meant for this server's models. A compaction stands for the history
    itself, and without it there is none.
    """
    for position, item in enumerate(items):
        param = f"input[{position}].encrypted_content"
        if isinstance(item, Compaction):
            try:
                boxes.compaction(item)
            except InvalidEncryptedContent as error:
                raise InvalidEncryptedContent(item.encrypted_content, param=param) from error
        elif isinstance(item, Reasoning):
            box = item.encrypted_content
            if isinstance(box, str) and is_ours(box) and boxes.reasoning(item) is None:
                raise InvalidEncryptedContent(box, param=param)
