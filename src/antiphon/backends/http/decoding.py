"""Decompression of responses, in parts of limited size.

Requests ask for `identity`, but servers and proxies in between compress nevertheless.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from antiphon.backends.http.errors import Undecodable
from antiphon.backends.http.protocol import Response

_PART = 1024 * 1024
"""The most bytes that one read returns; Brotli may return twice as many."""
_MAX_CODINGS = 2
"""The most codings of one response; each multiplies its size."""


class _Decoder(Protocol):
    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed data in parts.

        Raises:
            ValueError: The data is invalid.
        """
        ...

    @property
    def is_finished(self) -> bool:
        """Whether the end of the compressed data has been decoded."""
        ...


class _Gzip:
    """The coding `gzip`, of one or several members."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def is_finished(self) -> bool:
        return self._inflate.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            yield _inflated(self._inflate, data)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data


class _Deflate:
    """The coding `deflate`, with zlib's header or, as some servers send it, without."""

    def __init__(self) -> None:
        self._start = b""
        self._inflate = zlib.decompressobj()

    @property
    def is_finished(self) -> bool:
        return self._inflate.eof

    def decode(self, data: bytes) -> Iterator[bytes]:
        if len(self._start) < 2:
            self._start = data = self._start + data
            if len(data) < 2:
                return
            if not _is_zlib_header(data):
                self._inflate = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        while data and not self._inflate.eof:
            yield _inflated(self._inflate, data)
            data = self._inflate.unconsumed_tail


def _inflated(inflate: "zlib._Decompress", data: bytes) -> bytes:
    try:
        return inflate.decompress(data, _PART)
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _is_zlib_header(data: bytes) -> bool:
    """Return whether the first two bytes are zlib's (RFC 1950)."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0


class _Brotli:
    """The coding `br`."""

    def __init__(self) -> None:
        import brotli  # Imported late: hardly any response needs it.

        self._decompressor = brotli.Decompressor()
        self._error = brotli.error

    @property
    def is_finished(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        while True:
            try:
                part: bytes = self._decompressor.process(data, output_buffer_limit=_PART)
            except self._error as error:
                raise ValueError("the data is not Brotli") from error
            if part:
                yield part
            data = b""
            if self.is_finished or (not part and self._decompressor.can_accept_more_data()):
                return


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
}


class Decoded:
    """A compressed response whose body is read decompressed.

    Raises:
        Undecodable: The coding isn't supported.
    """

    def __init__(self, inner: Response) -> None:
        self._inner = inner
        self._coding = inner.headers["content-encoding"]
        names = [name.strip().lower() for name in self._coding.split(",")]
        # The last coding was applied last.
        names = [name for name in reversed(names) if name not in ("", "identity")]
        if len(names) > _MAX_CODINGS or any(name not in _DECODERS for name in names):
            raise Undecodable(f"its content encoding {self._coding[:50]!r} isn't supported")
        self._decoders: list[_Decoder] = [_DECODERS[name]() for name in names]
        self._parts: Iterator[bytes] = iter(())
        self._has_data = False
        self._is_read = False

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._inner.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, with names in lower case."""
        return self._inner.headers

    @property
    def is_whole(self) -> bool:
        """Whether the decompressed body has been read to its end."""
        return self._is_read

    async def read(self) -> bytes:
        """Return some decompressed bytes; b"" at the end of the body.

        Raises:
            HttpError: The response failed or isn't compressed as it states.
        """
        while not self._is_read:
            try:
                for part in self._parts:
                    if part:
                        return part
            except ValueError as error:
                raise self._broken(str(error)) from error
            data = await self._inner.read()
            if data:
                self._has_data = True
                self._parts = _through(self._decoders, data)
            else:
                self._is_read = True
                if self._has_data and not all(decoder.is_finished for decoder in self._decoders):
                    raise self._broken("the data is incomplete")
        return b""

    async def close(self) -> None:
        """Abandon the rest of the response."""
        await self._inner.close()

    def _broken(self, reason: str) -> Undecodable:
        return Undecodable(f"its content encoding is {self._coding[:50]!r}, but {reason}")


def _through(decoders: list[_Decoder], data: bytes) -> Iterator[bytes]:
    """Yield `data` after all decoders."""
    if not decoders:
        yield data
        return
    for part in decoders[0].decode(data):
        yield from _through(decoders[1:], part)


async def decoded(response: Response) -> Response:
    """Return a response with a decompressed body.

    Raises:
        Undecodable: The coding isn't supported.
    """
    if response.headers.get("content-encoding", "identity").strip().lower() == "identity":
        return response
    try:
        return Decoded(response)
    except Undecodable:
        await response.close()
        raise
