"""A seal for tests: boxes that tests can read."""

import base64

import msgspec

from antiphon.wire.json import JSON

PREFIX = "box:"


class OpenSeal:
    """Seals nothing: a box is its content in base64."""

    def seal(self, content: bytes) -> str:
        return PREFIX + base64.b64encode(content).decode()

    def open(self, box: str) -> bytes | None:
        return base64.b64decode(box.removeprefix(PREFIX)) if box.startswith(PREFIX) else None


def inside(box: str) -> JSON:
    """What a box of `OpenSeal` holds."""
    content = OpenSeal().open(box)
    assert content is not None, box
    return msgspec.json.decode(content)


def boxed(**content: JSON) -> str:
    """A box of `OpenSeal` with this content."""
    return OpenSeal().seal(msgspec.json.encode(content))
