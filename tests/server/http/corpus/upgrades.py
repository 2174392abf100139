"""Requests for another protocol: WebSocket and others."""

from tests.server.http.corpus.case import GET, case, request

KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = b"Sec-WebSocket-Version: 13"
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")
TEXT = b"\x81\x81\0\0\0\0a"
PING = b"\x89\x81\0\0\0\0a"


def asked(*headers: bytes, line: bytes = b"GET / HTTP/1.1", body: bytes = b"") -> bytes:
    return request(line, *headers, body=body)


GOOD = asked(*UPGRADE, KEY, VERSION)
OPEN = "WS / -> 101"
FAILS = "-> 400 closed"
METHOD = "RFC 6455 4.1: the method is GET; uvicorn does not answer"
EARLY = "uvicorn drops what comes with the handshake"
SILENT = "uvicorn does not answer a handshake that websockets cannot read"

CASES = [
    case("websocket", GOOD, OPEN),
    case("websocket_in_two_reads", (GOOD[:40], GOOD[40:]), OPEN),
    case("websocket_in_other_case", asked(b"connection: upgrade", b"UPGRADE: WebSocket", KEY, VERSION), OPEN),
    case(
        "websocket_in_a_list",
        asked(b"Connection: keep-alive, Upgrade", b"Upgrade: websocket", KEY, VERSION),
        OPEN,
    ),
    case("websocket_with_a_path", asked(*UPGRADE, KEY, VERSION, line=b"GET /a?b HTTP/1.1"), "WS /a?b -> 101"),
    case("frame", (GOOD, TEXT), "WS /, FRAME / [a] -> 101"),
    case("frame_with_the_handshake", GOOD + TEXT, "WS /, FRAME / [a] -> 101", OPEN, EARLY),
    case(
        "half_a_frame_with_the_handshake",
        (GOOD + TEXT[:3], TEXT[3:]),
        "WS /, FRAME / [a] -> 101",
        "WS / -> 101 closed",
        EARLY,
    ),
    case("ping_with_the_handshake", GOOD + PING, OPEN),
    case("unmasked_frame", (GOOD, b"\x81\x01a"), "WS / -> 101 closed"),
    case("request_behind_the_handshake", GOOD + GET, "WS / -> 101 closed", OPEN, EARLY),
    case(
        "request_before_the_handshake",
        GET + GOOD,
        "GET /, GET / -> 200 200",
        "GET /, WS / -> 200 101",
        "a client does not ask before it has its response; the request is served without Upgrade",
    ),
    case("no_key", asked(*UPGRADE, VERSION), FAILS),
    case("short_key", asked(*UPGRADE, b"Sec-WebSocket-Key: a", VERSION), FAILS),
    case("two_keys", asked(*UPGRADE, KEY, KEY, VERSION), FAILS),
    case("no_websocket_version", asked(*UPGRADE, KEY), FAILS),
    case("other_websocket_version", asked(*UPGRADE, KEY, b"Sec-WebSocket-Version: 8"), FAILS),
    case("failed_handshake_and_more", asked(*UPGRADE, VERSION) + TEXT, FAILS),
    case("post", asked(*UPGRADE, KEY, VERSION, line=b"POST / HTTP/1.1"), "POST / -> 200", "->", METHOD),
    case(
        "post_with_a_body",
        asked(*UPGRADE, KEY, VERSION, b"Content-Length: 2", line=b"POST / HTTP/1.1", body=b"ab"),
        "POST / [ab] -> 200",
        "->",
        METHOD,
    ),
    case(
        "get_with_a_body",
        asked(*UPGRADE, KEY, VERSION, b"Content-Length: 2", body=b"ab"),
        "GET / [ab] -> 200",
        "->",
        SILENT,
    ),
    case(
        "get_with_chunks",
        asked(*UPGRADE, KEY, VERSION, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        "GET / -> 200",
        "->",
        SILENT,
    ),
    case("get_with_an_empty_body", asked(*UPGRADE, KEY, VERSION, b"Content-Length: 0"), OPEN),
    case(
        "old_websocket",
        asked(*UPGRADE, KEY, VERSION, line=b"GET / HTTP/1.0"),
        "GET / -> 200 closed",
        OPEN,
        "RFC 9110 7.8: ignore Upgrade in HTTP/1.0",
    ),
    case("websocket_without_connection", asked(b"Upgrade: websocket", KEY, VERSION), "GET / -> 200"),
    case("connection_without_upgrade", asked(b"Connection: Upgrade", KEY, VERSION), "GET / -> 200"),
    case(
        "websocket_without_host",
        b"GET / HTTP/1.1\r\n" + b"\r\n".join([*UPGRADE, KEY, VERSION]) + b"\r\n\r\n",
        FAILS,
    ),
    case(
        "two_protocols",
        asked(b"Connection: Upgrade", b"Upgrade: websocket, h2c", KEY, VERSION),
        "GET / -> 200",
    ),
    case(
        "two_upgrades",
        asked(*UPGRADE, b"Upgrade: h2c", KEY, VERSION),
        "-> 426 closed",
        "GET / -> 200",
        "uvicorn reads the last Upgrade alone",
    ),
    case("many_headers", asked(*UPGRADE, KEY, VERSION, *[b"A: b"] * 130), FAILS, "->", SILENT),
    case("long_header", asked(*UPGRADE, KEY, VERSION, b"A: " + b"b" * 9000), FAILS, "->", SILENT),
    case(
        "h2c",
        asked(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"),
        "GET / -> 200",
    ),
    case(
        "h2c_with_a_body",
        asked(
            b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: 2", line=b"POST / HTTP/1.1", body=b"ab"
        ),
        "POST / [ab] -> 200",
    ),
    case(
        "h2c_and_a_request", asked(b"Connection: Upgrade", b"Upgrade: h2c") + GET, "GET /, GET / -> 200 200"
    ),
    case("h2c_and_last", asked(b"Connection: Upgrade, close", b"Upgrade: h2c"), "GET / -> 200 closed"),
    case(
        "tls_upgrade",
        asked(b"Connection: Upgrade", b"Upgrade: TLS/1.0", line=b"OPTIONS / HTTP/1.1"),
        "OPTIONS / -> 200",
    ),
    case("connect_with_upgrade", request(b"CONNECT / HTTP/1.1", *UPGRADE, KEY, VERSION), FAILS, "->", METHOD),
]
