"""Rules for the head of a request, as h11 has them."""

import pytest

from antiphon.errors import InvalidRequest
from antiphon.server.http.head import (
    MAX_HEAD,
    MAX_HEADERS,
    as_bytes,
    check_coding,
    check_size,
    check_version,
    opens_websocket,
)
from tests.server.asgi import scope


@pytest.mark.parametrize(("version", "hosts"), [("1.1", 1), ("1.0", 0), ("1.0", 1)])
def test_versions_and_hosts_that_are_served(version: str, hosts: int) -> None:
    check_version(version, hosts)


@pytest.mark.parametrize("version", ["0.9", "1.2", "2.0", "3.0"])
def test_other_versions_are_refused(version: str) -> None:
    with pytest.raises(InvalidRequest, match=f"unsupported version {version}"):
        check_version(version, 1)


@pytest.mark.parametrize(("version", "hosts"), [("1.1", 0), ("1.1", 2), ("1.0", 2)])
def test_a_request_names_one_host(version: str, hosts: int) -> None:
    with pytest.raises(InvalidRequest, match=f"one Host header, but got {hosts}"):
        check_version(version, hosts)


@pytest.mark.parametrize("value", [b"chunked", b"Chunked", b" chunked\t"])
def test_the_coding_of_bodies(value: bytes) -> None:
    check_coding(value)


@pytest.mark.parametrize("value", [b"gzip, chunked", b"identity", b"chunked, chunked", b"xchunked", b""])
def test_other_codings_are_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match="Transfer-Encoding"):
        check_coding(value)


def test_the_size_of_a_head() -> None:
    check_size(b"/", [(b"a", b"b" * (MAX_HEAD - 6))])
    check_size(b"/", [(b"a", b"b")] * MAX_HEADERS)
    for url, headers in (
        (b"/", [(b"a", b"b" * (MAX_HEAD - 5))]),
        (b"/" * (MAX_HEAD + 1), []),
        (b"/", [(b"a", b"b")] * (MAX_HEADERS + 1)),
    ):
        with pytest.raises(InvalidRequest, match="too large"):
            check_size(url, headers)


@pytest.mark.parametrize(
    ("method", "version", "headers", "expected"),
    [
        ("GET", "1.1", {"upgrade": "websocket"}, True),
        ("GET", "1.1", {"upgrade": "WebSocket", "content-length": "0"}, True),
        ("GET", "1.1", {"upgrade": "h2c"}, False),
        ("GET", "1.1", {}, False),
        ("GET", "1.0", {"upgrade": "websocket"}, False),
        ("POST", "1.1", {"upgrade": "websocket"}, False),
        ("GET", "1.1", {"upgrade": "websocket", "content-length": "1"}, False),
        ("GET", "1.1", {"upgrade": "websocket", "transfer-encoding": "chunked"}, False),
    ],
)
def test_requests_that_open_websockets(
    method: str, version: str, headers: dict[str, str], expected: bool
) -> None:
    assert opens_websocket({**scope(method, headers=headers), "http_version": version}) is expected


def test_a_head_as_bytes() -> None:
    given = {**scope("GET", "/a"), "http_version": "1.0"}
    assert as_bytes(given, b"/a?b", [(b"x", b"y")]) == b"GET /a?b HTTP/1.0\r\nx: y\r\n\r\n"
