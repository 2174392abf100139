import asyncio
import gzip
import zlib
from collections.abc import Mapping, Sequence

import brotli
import pytest

from antiphon.backends.http import decoding
from antiphon.backends.http.decoding import decoded
from antiphon.backends.http.errors import Undecodable

TEXT = b"".join(b"A line with the number %d.\n" % number for number in range(5000))


def bare_deflate(data: bytes) -> bytes:
    squeezed = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeezed.compress(data) + squeezed.flush()


SQUEEZED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT),
    "GZip ": gzip.compress(TEXT),
    "gzip, identity": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "deflate": zlib.compress(TEXT),
    " deflate": bare_deflate(TEXT),
    "br": brotli.compress(TEXT),
    "gzip, br": brotli.compress(gzip.compress(TEXT)),
    "": TEXT,
    "identity": TEXT,
}


class Inner:
    """A response whose body comes in the given parts."""

    def __init__(self, coding: str | None, parts: Sequence[bytes]) -> None:
        self.status = 200
        self.headers: Mapping[str, str] = {} if coding is None else {"content-encoding": coding}
        self.is_whole = False
        self.is_closed = False
        self._parts = list(parts)

    async def read(self) -> bytes:
        self.is_whole = len(self._parts) <= 1
        return self._parts.pop(0) if self._parts else b""

    async def close(self) -> None:
        self.is_closed = True


def parts_of(inner: Inner) -> list[bytes]:
    async def run() -> list[bytes]:
        response = await decoded(inner)
        parts = []
        while part := await response.read():
            parts.append(part)
        assert response.is_whole
        assert await response.read() == b""
        await response.close()
        return parts

    try:
        return asyncio.run(run())
    finally:
        assert inner.is_closed


@pytest.mark.parametrize("size", [1, 2, 100, 10_000_000])
@pytest.mark.parametrize("coding", SQUEEZED)
def test_a_body_is_decompressed(coding: str, size: int) -> None:
    data = SQUEEZED[coding]
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    assert b"".join(parts_of(Inner(coding, parts))) == TEXT


def test_a_response_that_is_not_compressed_is_itself() -> None:
    inner = Inner(None, [b"a"])
    assert asyncio.run(decoded(inner)) is inner


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_body_may_be_empty(coding: str) -> None:
    assert parts_of(Inner(coding, [])) == []


@pytest.mark.parametrize("coding", ["zstd", "compress", "gzip, x", "gzip, gzip, gzip"])
def test_an_unknown_coding_is_named(coding: str) -> None:
    with pytest.raises(Undecodable) as caught:
        parts_of(Inner(coding, [b"a"]))
    assert str(caught.value) == f"its content encoding {coding!r} isn't supported"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, br"])
def test_what_is_not_compressed_as_it_says(coding: str) -> None:
    with pytest.raises(Undecodable) as caught:
        parts_of_unclosed(Inner(coding, [b'{"choices": []}']))
    assert str(caught.value).startswith(f"its content encoding is {coding!r}, but ")


async def first_of(inner: Inner) -> bytes:
    return await (await decoded(inner)).read()


@pytest.mark.parametrize("coding", ["gzip", "deflate", " deflate", "br", "gzip, br"])
def test_an_incomplete_body_is_an_error(coding: str) -> None:
    inner = Inner(coding, [SQUEEZED[coding][:-9]])
    with pytest.raises(Undecodable, match="the data is incomplete"):
        parts_of_unclosed(inner)


def parts_of_unclosed(inner: Inner) -> None:
    async def run() -> None:
        response = await decoded(inner)
        while await response.read():
            pass

    asyncio.run(run())


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, br"])
def test_a_bomb_is_read_in_parts(coding: str) -> None:
    size = 20 * 1024 * 1024
    bomb = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    }[coding](bytes(size))
    assert len(bomb) < 30_000
    parts = parts_of(Inner(coding, [bomb]))
    assert sum(map(len, parts)) == size
    assert max(map(len, parts)) <= 2 * decoding._PART


def test_what_has_come_of_a_stream_is_there_at_once() -> None:
    squeezed = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    first = squeezed.compress(b"data: 1\n\n") + squeezed.flush(zlib.Z_SYNC_FLUSH)
    assert asyncio.run(first_of(Inner("gzip", [first]))) == b"data: 1\n\n"
