"""When two requests are the same."""

import hashlib

from python_multipart.multipart import parse_options_header
from starlette.types import Scope


class Fingerprint:
    """What makes two requests the same: the URL and the body.

    The boundary of a multipart form is left out, because clients choose a new one for each attempt. `size`
    counts the bytes of the rest.
    """

    def __init__(self, scope: Scope) -> None:
        self.size = 0
        self._hash = hashlib.sha256(scope["path"].encode() + b"?" + scope["query_string"] + b"\0")
        self._boundary = _boundary_of(scope)
        self._pending = b""

    def feed(self, piece: bytes) -> None:
        """Takes the next piece of the body."""
        if not self._boundary:
            self._add(piece)
            return
        *parts, rest = (self._pending + piece).split(self._boundary)
        for part in parts:
            self._add(part)
        # A boundary may have begun in the last bytes.
        whole = max(0, len(rest) - len(self._boundary) + 1)
        self._add(rest[:whole])
        self._pending = rest[whole:]

    def digest(self) -> bytes:
        """Returns the fingerprint of a whole request."""
        self._add(self._pending)
        self._pending = b""
        return self._hash.digest()

    def _add(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)


def _boundary_of(scope: Scope) -> bytes:
    """Returns the boundary of a multipart form, empty for other bodies."""
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type, options = parse_options_header(value)
            return options.get(b"boundary", b"") if media_type == b"multipart/form-data" else b""
    return b""
