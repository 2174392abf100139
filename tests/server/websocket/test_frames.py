"""Frames that a connection rejects, and handshakes that open none."""

import json
from contextlib import closing
from socket import create_connection
from urllib.parse import urlsplit

import pytest

from antiphon.testing import serve
from tests.server.client import SECONDS, check_life_cycle, get
from tests.server.faults import TEXT
from tests.server.sockets import Socket
from tests.support.serving import Serving
from tests.support.upstream import Upstream

BAD: dict[str, tuple[str | bytes, int, str, str | None]] = {
    "broken": ("{", 400, "invalid_json", None),
    "empty": ("", 400, "invalid_json", None),
    "too_deep": ("[" * 100_000, 400, "invalid_json", None),
    "nul": ('{"type": "response.create", "input": "\\u0000"}', 400, "invalid_json", None),
    "array": ("[]", 400, "invalid_type", None),
    "no_type": ('{"model": "up/m"}', 400, "missing_required_parameter", "type"),
    "type_is_a_number": ('{"type": 1}', 400, "invalid_type", "type"),
    "unknown_type": ('{"type": "response.cancel"}', 400, "invalid_value", "type"),
    "no_input": ('{"type": "response.create", "model": "up/m"}', 400, "missing_required_parameter", "input"),
    "binary": (b'{"type": "response.create"}', 400, "unsupported_content_type", None),
    "too_big": ('{"input": "' + "x" * 1_000_000 + '"}', 413, "request_too_large", None),
    "background": (
        '{"type": "response.create", "model": "up/m", "input": "x", "background": true}',
        400,
        "unsupported_parameter",
        "background",
    ),
    "stream_id_is_empty": (
        '{"type": "response.create", "stream_id": ""}',
        400,
        "invalid_stream_id",
        "stream_id",
    ),
    "stream_id_is_a_number": (
        '{"type": "response.create", "stream_id": 1}',
        400,
        "invalid_stream_id",
        "stream_id",
    ),
    "stream_id_is_too_long": (
        '{"type": "response.create", "stream_id": "' + "x" * 257 + '"}',
        400,
        "invalid_stream_id",
        "stream_id",
    ),
    "stream_id_is_far_too_long": (
        '{"type": "response.create", "stream_id": "' + "x" * 5000 + '"}',
        400,
        "invalid_stream_id",
        "stream_id",
    ),
    "stream_id_has_a_space": (
        '{"type": "response.create", "stream_id": "a b"}',
        400,
        "invalid_stream_id",
        "stream_id",
    ),
    "stream_id_has_a_line_break": (
        '{"type": "response.create", "stream_id": "a\\n"}',
        400,
        "invalid_stream_id",
        "stream_id",
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_frame(
    server: Serving, upstream: Upstream, bad: tuple[str | bytes, int, str, str | None]
) -> None:
    frame, status, code, param = bad
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        socket.send(frame)
        error = socket.refusal()
        assert (error["status"], error["code"], error["param"]) == (status, code, param)
        assert error["type"] == "invalid_request_error"
        assert upstream.chats == []
        assert socket.response(store=False)["status"] == "completed"


def test_stream_means_nothing(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        for stream in (True, False, None):
            events = socket.ask(stream=stream, stream_options={"include_obfuscation": False})
            check_life_cycle(events)


def test_a_frame_that_is_far_too_big_ends_the_connection() -> None:
    with serve(mode="live", backends=[], max_body_bytes=1000) as server, Socket(server.url) as socket:
        socket.send("x" * 1001)
        assert socket.refusal()["code"] == "request_too_large"
        socket.send("x" * 2001)
        assert socket.refusal() == {
            "status": 413,
            "type": "invalid_request_error",
            "code": "request_too_large",
            "param": None,
            "message": "The message is larger than 2000 bytes, or has too many fragments.",
        }
        assert socket.closed()[0] == 1009


def test_a_client_that_is_still_sending_reads_the_error() -> None:
    """Unread data would reset the connection before."""
    with serve(mode="live", backends=[]) as server, Socket(server.url) as socket:
        socket.send("x" * 40_000_000)
        assert socket.refusal()["code"] == "request_too_large"
        assert socket.closed()[0] == 1009


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("has_upgrade", [False, True])
def test_a_handshake_without_an_upgrade(server: Serving, version: str, has_upgrade: bool) -> None:
    """A proxy has removed one of its two headers, or speaks HTTP/1.0."""
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    lines = [
        f"GET /v1/responses HTTP/{version}",
        "Host: h",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *(["Upgrade: websocket"] if has_upgrade else ["Connection: close"]),
    ]
    with closing(create_connection((host, port), SECONDS)) as raw, raw.makefile("rb") as answer:
        raw.sendall("\r\n".join([*lines, "", ""]).encode())
        assert answer.readline().split()[1] == b"426"
        headers = {
            line.split(b":")[0].lower(): line.split(b":")[1].strip()
            for line in iter(answer.readline, b"\r\n")
        }
        assert headers[b"upgrade"] == b"websocket"
        body = json.loads(answer.read(int(headers[b"content-length"])))
    assert body["error"]["code"] == "upgrade_required"
    assert "proxy" in body["error"]["message"]
    assert get(server.url, "/responses").status == 200
