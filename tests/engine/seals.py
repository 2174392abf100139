"""A seal whose content tests can read."""

import base64

import msgspec

from antiphon.wire.json import JSON

PREFIX = "encrypted:"


class OpenSeal:
    """Seal that encrypts nothing: the text is the content in base64."""

    def seal(self, owner: str, content: bytes) -> str:
        return PREFIX + base64.b64encode(content).decode()

    def open(self, owner: str, sealed: str) -> bytes | None:
        return base64.b64decode(sealed.removeprefix(PREFIX)) if sealed.startswith(PREFIX) else None


def inside(encrypted: str) -> JSON:
    """Return the content of a text that `OpenSeal` made."""
    content = OpenSeal().open("me", encrypted)
    assert content is not None, encrypted
    return msgspec.json.decode(content)


def boxed(**content: JSON) -> str:
    """Return content as `OpenSeal` encrypts it."""
    return OpenSeal().seal("me", msgspec.json.encode(content))
