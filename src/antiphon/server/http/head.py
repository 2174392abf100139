"""Rules for the head of a request, and the response to a request that breaks HTTP's rules."""

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec
from httptools import HttpParserCallbackError, HttpParserError, HttpRequestParser, parse_url
from starlette.types import Scope

from antiphon.errors import InvalidRequest
from antiphon.server.http.exchange import CLOSE, Header, head
from antiphon.wire.errors import ErrorEnvelope

MAX_HEAD = 64 * 1024
"""Size limit of a request line with its headers, and of trailers, in bytes."""
MAX_HEADERS = 1000
TOO_LARGE = f"headers or trailers too large; expected at most {MAX_HEADERS} with {MAX_HEAD} bytes"
_BODY = frozenset({b"content-length", b"transfer-encoding"})
"""Headers of requests with a body."""


def new_parser(callbacks: object) -> HttpRequestParser:
    """Return the parser of a connection."""
    parser = HttpRequestParser(callbacks)
    # Data after the last request of a connection is not an error.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def check_version(version: str, hosts: int) -> None:
    """Check the HTTP version of a request, and the number of its `Host` headers.

    Raises:
        InvalidRequest: The version isn't supported, or the number is wrong.
    """
    if version != "1.1" and version != "1.0":
        raise InvalidRequest(f"unsupported version {version}; expected 1.1 or 1.0")
    if hosts > 1 or (version == "1.1" and not hosts):
        raise InvalidRequest(f"expected one Host header, but got {hosts}")


def check_coding(value: bytes) -> None:
    """Check a `Transfer-Encoding` header.

    Raises:
        InvalidRequest: The body has another coding than `chunked`, or a second one.
    """
    if value.strip().lower() != b"chunked":
        raise InvalidRequest("unsupported Transfer-Encoding; expected chunked")


def check_size(url: bytes, headers: list[Header]) -> None:
    """Check the size of a head.

    Raises:
        InvalidRequest: It is over the limit.
    """
    size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
    if size > MAX_HEAD or len(headers) > MAX_HEADERS:
        raise InvalidRequest(TOO_LARGE)


def request_scope(parser: HttpRequestParser, version: str, url: bytes, addresses: Scope) -> Scope:
    """Return the ASGI scope of a request, without its headers.

    Args:
        parser: Parser that has read the head.
        version: HTTP version of the request.
        url: Target of the request.
        addresses: Addresses of client and server.
    """
    target = parse_url(url)
    path = target.path.decode("ascii")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "scheme": "http",
        "method": parser.get_method().decode("ascii"),
        "path": unquote(path) if "%" in path else path,
        "raw_path": target.path,
        "query_string": target.query or b"",
        "root_path": "",
        "state": {},
        **addresses,
    }


def opens_websocket(scope: Scope) -> bool:
    """Return whether a request with `Connection: upgrade` opens a WebSocket.

    RFC 6455 requires GET and HTTP/1.1, and frames must not follow a body. Other requests are served as if
    they had no `Upgrade` header.
    """
    headers: list[Header] = scope["headers"]
    if scope["method"] != "GET" or scope["http_version"] != "1.1":
        return False
    if any(name in _BODY and value != b"0" for name, value in headers):
        return False
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in headers)


def as_bytes(scope: Scope, url: bytes, headers: Iterable[Header]) -> bytes:
    """Return the head of a request with other headers."""
    lines = [f"{scope['method']} ".encode() + url + f" HTTP/{scope['http_version']}".encode()]
    lines += [b"%b: %b" % header for header in headers]
    return b"\r\n".join([*lines, b"", b""])


def refusal(why: str, headers: Iterable[Header]) -> list[bytes]:
    """Return a response that rejects malformed HTTP and ends the connection.

    Args:
        why: Reason for the client.
        headers: Headers of every response.
    """
    error = InvalidRequest(f"Invalid HTTP request: {why}.")
    body = msgspec.json.encode(ErrorEnvelope(error.body()))
    about = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return [head(error.status, [*headers, *about, CLOSE]), body]


def reason(error: HttpParserError) -> str:
    """Return the cause of a parser error."""
    if isinstance(error.__context__, InvalidRequest):
        return error.__context__.message
    if isinstance(error, HttpParserCallbackError):  # `parse_url` failed.
        return "its target is neither a path nor a URL"
    return str(error)
