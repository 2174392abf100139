"""Encrypted content, which clients keep and only this server can make or decrypt.

The encryption is authenticated (AES-SIV, https://www.rfc-editor.org/rfc/rfc5297), under a key that is
derived from the server's secret. The owner is part of the authenticated data, so that no owner can use the
content of another. Equal content encrypts to equal text, which reveals only that it is equal. In return,
responses with the setting `freeze` are reproducible byte for byte, and no nonce can be used twice.
"""

import base64
import binascii
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from antiphon.engine.sealed import Sealed
from antiphon.engine.slices import in_slices
from antiphon.errors import InvalidEncryptedContent
from antiphon.wire.items import Compaction, InputItem, Reasoning

_PREFIX = "antiphon1."
"""Marks the content of Antiphon, and this format among later ones."""
_INFO = b"antiphon sealed boxes 1"
_KEY_BYTES = 64  # Two keys of 256 bits: AES-SIV authenticates with one and encrypts with the other.


class Sealing:
    """The `Seal` of a server.

    Args:
        secret: The server's secret, from which the key is derived.
    """

    def __init__(self, secret: str) -> None:
        key = HKDF(algorithm=SHA512(), length=_KEY_BYTES, salt=None, info=_INFO).derive(secret.encode())
        self._cipher = AESSIV(key)

    def seal(self, owner: str, content: bytes) -> str:
        """Return `content`, which must not be empty, as encrypted text."""
        sealed = self._cipher.encrypt(content, [b"owner", owner.encode()])
        return _PREFIX + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, owner: str, sealed: str) -> bytes | None:
        """Return the content; None if it is of another server or owner, or was changed."""
        encoded = sealed.removeprefix(_PREFIX)
        # The decoder reads "+" and "/" like "-" and "_".
        if not is_ours(sealed) or "+" in encoded or "/" in encoded:
            return None
        try:
            encrypted = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            return self._cipher.decrypt(encrypted, [b"owner", owner.encode()])
        except (binascii.Error, ValueError, InvalidTag):
            return None


def is_ours(encrypted: str) -> bool:
    """Return whether encrypted text has the form that Antiphon makes."""
    return encrypted.startswith(_PREFIX)


async def check_sealed(items: Sequence[InputItem], sealed: Sealed) -> None:
    """Check the encrypted content of a request.

    Reasoning that another server encrypted passes: clients that change servers send their history along, and
    this server's models could not read it in any case. A compaction must be readable: it is in place of the
    history.

    Raises:
        InvalidEncryptedContent: An item cannot be decrypted; `param` names it.
    """

    def check(some: Sequence[tuple[int, InputItem]]) -> None:
        for position, item in some:
            _check(item, f"input[{position}].encrypted_content", sealed)

    encrypted = [each for each in enumerate(items) if isinstance(each[1], Compaction | Reasoning)]
    await in_slices(check, encrypted)


def _check(item: InputItem, param: str, sealed: Sealed) -> None:
    if isinstance(item, Compaction):
        try:
            sealed.compaction(item)
        except InvalidEncryptedContent as error:
            raise InvalidEncryptedContent(item.encrypted_content, param=param) from error
    elif isinstance(item, Reasoning):
        encrypted = item.encrypted_content
        if isinstance(encrypted, str) and is_ours(encrypted) and sealed.reasoning(item) is None:
            raise InvalidEncryptedContent(encrypted, param=param)
