"""Requests to backends, prepared for any number of calls."""

from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit

from msgspec import Struct
from msgspec.structs import replace

Headers = tuple[tuple[str, str], ...]
"""Pairs of names and values."""

_LENGTH = "Content-Length: "
_PATH_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


class Origin(Struct, frozen=True):
    """The endpoint of a connection."""

    host: str
    """An ASCII name or an IP address without brackets."""
    port: int
    """The TCP port."""
    is_tls: bool
    """Whether the connection uses TLS."""


class Target(Struct, frozen=True):
    """A reusable request without its body."""

    method: str
    """The HTTP method."""
    url: str
    """The URL."""
    headers: Headers
    """The headers, without `Host` and `Content-Length`."""
    origin: Origin
    """The server."""
    head: bytes
    """The request line and headers, up to the value of `Content-Length`."""


@lru_cache(maxsize=256)
def target(method: str, url: str, headers: Headers = ()) -> Target:
    """Return a target for any number of requests."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    host = parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode()
    shown = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        shown += f":{parts.port}"
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    if parts.query:
        path += "?" + quote(parts.query, safe=_PATH_CHARACTERS)
    # A key may come from a file of two lines.
    headers = tuple((name, " ".join(value.splitlines())) for name, value in headers)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {shown}", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join([*lines, _LENGTH]).encode()
    return Target(method, url, headers, Origin(host, parts.port or (443 if is_tls else 80), is_tls), head)


def with_headers(target: Target, headers: Mapping[str, str]) -> Target:
    """Return the target of one request with more headers, whose values are ASCII without line breaks."""
    added = tuple(headers.items())
    lines = "".join(f"{name}: {value}\r\n" for name, value in added)
    head = target.head.removesuffix(_LENGTH.encode()) + (lines + _LENGTH).encode("ascii")
    return replace(target, headers=target.headers + added, head=head)
