"""A seal for tests, whose content tests can read."""

import base64

import msgspec

from antiphon.wire.json import JSON

PREFIX = "encrypted:"


class OpenSeal:
    """Seals nothing: a encrypted is its content in base64."""

    def seal(self, content: bytes) -> str:
        return PREFIX + base64.b64encode(content).decode()

    def open(self, encrypted: str) -> bytes | None:
        return base64.b64decode(encrypted.removeprefix(PREFIX)) if encrypted.startswith(PREFIX) else None


def inside(encrypted: str) -> JSON:
    """What a encrypted of `OpenSeal` holds."""
    content = OpenSeal().open(encrypted)
    assert content is not None, encrypted
    return msgspec.json.decode(content)


def boxed(**content: JSON) -> str:
    """Content as `OpenSeal` encrypts it."""
    return OpenSeal().seal(msgspec.json.encode(content))
