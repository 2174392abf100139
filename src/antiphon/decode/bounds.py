"""Bounds of JSON bodies, checked before a body is decoded into objects.

Decoding costs time and memory per value, and the objects are then visited one by one. The checks here cost a
fraction of that: they search bytes and make no objects.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from itertools import accumulate

import msgspec
from msgspec import Raw, Struct

from antiphon.decode.explain import array_too_long
from antiphon.errors import InvalidRequest, RequestTooLarge

MAX_ITEMS = 2048
"""Default maximum length of the arrays in a request."""
MAX_DEPTH = 100
"""Maximum nesting of arrays and objects."""
MAX_VALUES = 400_000
"""Maximum number of values in a body, keys included: about as many as decode in 40 ms."""

FLAT = 2 * MAX_DEPTH
"""Size in bytes up to which no body is nested too deeply."""
LONG = 512 * 1024
"""Size in bytes from which a body is checked in slices, and decoded by a thread; a shorter one is quick."""
_SLICE = 256 * 1024
_MAX_METADATA = 128 * 1024
"""Size in bytes of 16 pairs of the longest keys and values, with each character escaped twice."""
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_NO_SEPARATOR = bytes(set(range(256)) - set(b"[]{},:"))
_CLOSING = b"]}"
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_FEW_ROUNDS = 8


async def check_structure(body: bytes) -> None:
    """Check the nesting of a body and the number of its values.

    Long bodies are checked in slices, between which the event loop serves others. Invalid JSON can pass.

    Raises:
        InvalidRequest: The body is nested too deeply.
        RequestTooLarge: The body has too many values.
    """
    if len(body) <= LONG:
        if _may_be_deep(body):
            _check_depth(_Structure().feed(body))
        return
    structure, found, values = _Structure(), list[bytes](), 0
    for piece in _pieces(body):
        found.append(structure.feed(piece))
        values += len(found[-1].translate(None, _CLOSING))
        if values > MAX_VALUES:
            raise RequestTooLarge(f"The request body has more than {MAX_VALUES} values.")
        await asyncio.sleep(0)
    _check_depth(b"".join(found))


class Lengths:
    """Maximum lengths of the arrays and the metadata at the top of a body.

    Arrays inside the entries of an array, such as the parts of a message, have a maximum length, too.

    Args:
        arrays: The maximum length of each array by its key; None for the server's maximum.
        objects: The keys of metadata.
    """

    def __init__(self, arrays: Mapping[str, int | None], objects: Collection[str] = ()) -> None:
        self._arrays = arrays
        self._objects = objects
        self._outline = msgspec.json.Decoder(_outline([*arrays, *objects]))

    def check(self, body: bytes, most: int) -> None:
        """Check the lengths in a body. Invalid JSON, or another value than an object, can pass.

        Args:
            body: The body.
            most: The server's maximum.

        Raises:
            InvalidRequest: An array or the metadata is too long.
        """
        members = _members(self._outline, body)
        for name in self._objects:
            if (size := _size(members.get(name))) > _MAX_METADATA:
                raise _metadata_too_long(name, size)
        for name, own in self._arrays.items():
            for position, entry in enumerate(_entries(name, members.get(name), own or most)):
                # The arrays inside of items and tools have objects as entries.
                if _size(entry) > 2 * most and _has_more(bytes(entry), b"{", most):
                    for inner, value in _members(_INNER, entry).items():
                        _entries(f"{name}[{position}].{inner}", value, most)


def too_deep() -> InvalidRequest:
    """Return the error for a body that is nested too deeply."""
    return InvalidRequest(
        "We could not parse the JSON body of your request: it is nested too deeply.", code="invalid_json"
    )


class _Structure:
    """The brackets, commas and colons outside of strings in a body that comes in pieces."""

    def __init__(self) -> None:
        self._in_string = False

    def feed(self, piece: bytes) -> bytes:
        """Return the brackets, commas and colons of the next piece, which splits no escape."""
        if b"\\" in piece:
            piece = piece.replace(b"\\\\", b"").replace(b'\\"', b"")
        parts = piece.split(b'"')
        outside = b"".join(parts[self._in_string :: 2])
        self._in_string ^= len(parts) % 2 == 0
        return outside.translate(None, _NO_SEPARATOR)


def _pieces(body: bytes) -> Iterator[bytes]:
    """Yield a body in pieces that don't end between a backslash and its character."""
    start = 0
    while start < len(body):
        piece = body[start : start + _SLICE]
        if (len(piece) - len(piece.rstrip(b"\\"))) % 2:
            piece = body[start : start + len(piece) + 1]
        yield piece
        start += len(piece)


def _has_more(text: bytes, character: bytes, most: int) -> bool:
    """Return whether a character occurs more than `most` times; counting would read all of a long text."""
    at = -1
    for _ in range(most + 1):
        at = text.find(character, at + 1)
        if at < 0:
            return False
    return True


def _may_be_deep(body: bytes) -> bool:
    """Return whether a body may be nested too deeply, also by brackets in its strings.

    Of pairs inside each other, a replacement removes only the innermost one. Few replacements remove all
    pairs of a usual body.
    """
    brackets = body.translate(None, _NO_BRACKET)
    for _ in range(_FEW_ROUNDS):
        brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
    return len(brackets) > MAX_DEPTH - 2 * _FEW_ROUNDS


def _check_depth(structure: bytes) -> None:
    steps = structure.translate(_STEPS, b",:")
    if max(accumulate(memoryview(steps).cast("b")), default=0) > MAX_DEPTH:
        raise too_deep()


def _outline(names: Collection[str]) -> type[Struct]:
    """Return a type with the JSON text of some members; the others are skipped."""
    return msgspec.defstruct("Outline", [(name, Raw, Raw()) for name in names])


_INNER = msgspec.json.Decoder(
    _outline(["content", "output", "outputs", "results", "summary", "tool_calls", "tools"])
)
"""Decodes the arrays inside of items, messages and tools."""


def _members(outline: msgspec.json.Decoder[Struct], body: bytes | Raw) -> dict[str, Raw]:
    """Return the members of an object; none of another value."""
    try:
        return msgspec.structs.asdict(outline.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _size(value: Raw | None) -> int:
    return 0 if value is None else memoryview(value).nbytes


def _entries(place: str, value: Raw | None, most: int) -> list[Raw]:
    """Return the entries of an array; none of another value, or of a short one.

    Raises:
        InvalidRequest: The array is too long.
    """
    if value is None or _size(value) <= 2 * most or bytes(memoryview(value)[:1]) != b"[":
        return []
    try:
        entries = msgspec.json.decode(value, type=list[Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    if len(entries) > most:
        raise array_too_long(place, most, len(entries))
    return entries


def _metadata_too_long(param: str, size: int) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{param}': object too long. Expected an object with at most 16 properties, with names of "
        f"at most 64 and values of at most 512 characters, but got an object of {size} bytes instead.",
        code="object_above_max_properties",
        param=param,
    )
