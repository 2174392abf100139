"""Guarded, anonymous downloads of client-provided URLs, limited in time and size."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2

from antiphon.errors import AddressNotFetched, InvalidRequest
from antiphon.net.addresses import parse_url
from antiphon.net.guard import Guard
from antiphon.net.transport import GuardedTransport

MAX_REDIRECTS = 5
_HEADERS = {
    "User-Agent": "antiphon",
    "Accept": "*/*",
    # The body is decompressed here, so that its decompressed size is limited.
    "Accept-Encoding": "gzip",
}
_READ = 64 * 1024


@dataclass(frozen=True)
class Fetched:
    """The content at a URL."""

    url: str
    """The final URL, after redirects."""
    content_type: str
    """The media type in lower case, without parameters; may be empty."""
    charset: str | None
    """The text encoding, if the server names it."""
    body: bytes
    """The content, decompressed."""
    is_whole: bool
    """Whether `body` is complete; the rest of a body larger than the limit is omitted."""


async def fetch(guard: Guard, url: str, *, seconds: float, max_bytes: int, param: str | None) -> Fetched:
    """Fetch a URL with GET and follow at most five redirects.

    The request has no cookies, credentials or headers of the client.

    Args:
        guard: The guard that checks the URL and each redirect.
        url: The URL that the client provided.
        seconds: Time limit for the whole download.
        max_bytes: Size limit of the decompressed body; the rest is neither read nor decompressed.
        param: The request parameter that errors name.

    Raises:
        InvalidRequest: The URL is malformed.
        AddressNotAllowed: The URL or a redirect leads to a forbidden address.
        AddressNotFetched: Anything else went wrong.
    """
    target = parse_url(url, param)
    try:
        async with (
            asyncio.timeout(seconds),
            httpx2.AsyncClient(
                transport=GuardedTransport(guard, param=param),
                headers=_HEADERS,
                timeout=seconds,
                trust_env=False,
            ) as client,
        ):
            for _ in range(MAX_REDIRECTS + 1):
                request = client.build_request("GET", target)
                response = await client.send(request, stream=True)
                try:
                    location = _location(response)
                    if location is None:
                        return await _read(response, max_bytes, param)
                finally:
                    await response.aclose()
                client.cookies.clear()
                target = _next(target, location, param)
    except (TimeoutError, httpx2.TimeoutException) as error:
        raise _failed(url, f"it took longer than {seconds:g} seconds", param) from error
    except (httpx2.HTTPError, zlib.error) as error:
        raise _failed(url, str(error) or type(error).__name__, param) from error
    raise _failed(url, f"it redirects more than {MAX_REDIRECTS} times", param)


def _location(response: httpx2.Response) -> str | None:
    return response.headers.get("Location") if response.is_redirect else None


def _next(target: httpx2.URL, location: str, param: str | None) -> httpx2.URL:
    """Return the parsed target of a redirect; a relative one is resolved first."""
    try:
        return parse_url(str(target.join(location)), param)
    except (InvalidRequest, httpx2.InvalidURL, ValueError) as error:
        raise _failed(str(target), "it redirects to an invalid http(s) URL", param) from error


async def _read(response: httpx2.Response, max_bytes: int, param: str | None) -> Fetched:
    url = str(response.url)
    if response.status_code != 200:
        raise _failed(url, f"the server returned status {response.status_code}", param)
    body = bytearray()
    async for part in _decoded(response, max_bytes, param):
        body += part
        if len(body) > max_bytes:
            break
    content_type, _, _ = response.headers.get("Content-Type", "").partition(";")
    return Fetched(
        url=url,
        content_type=content_type.strip().lower(),
        charset=response.charset_encoding,
        body=bytes(body[:max_bytes]),
        is_whole=len(body) <= max_bytes,
    )


async def _decoded(response: httpx2.Response, max_bytes: int, param: str | None) -> AsyncIterator[bytes]:
    """Yield the body, decompressed in parts of limited size."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity":
        async for part in response.aiter_raw():
            yield part
        return
    if encoding not in ("gzip", "x-gzip"):
        raise _failed(str(response.url), f"its encoding {encoding[:20]!r} wasn't requested", param)
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    async for part in response.aiter_raw():
        while part:
            yield inflate.decompress(part, _READ)
            part = inflate.unconsumed_tail
        if inflate.eof:
            return
    yield inflate.flush()
    if not inflate.eof:
        raise _failed(str(response.url), "its compressed body is incomplete", param)


def _failed(url: str, reason: str, param: str | None) -> AddressNotFetched:
    """Return the error, without the query of the URL, which may contain a key."""
    return AddressNotFetched(f"Error while downloading {url.partition('?')[0][:300]}: {reason}.", param=param)
