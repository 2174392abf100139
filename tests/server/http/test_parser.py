"""The parser's protocols, wherever the reads of a request end."""

import pytest
from httptools import HttpParserError, HttpParserUpgrade

from antiphon.server.http.parser import RequestParser

RTSP = b"GET /a RTSP/1.0\r\nHost: h\r\n\r\n"
ICE = b"SOURCE /a ICE/1.0\r\nHost: h\r\n\r\n"
LOOKALIKE = b"POST /a HTTP/1.1\r\nX: GET /a RTSP/1.0\r\nContent-Length: 34\r\n\r\n"
QUOTE = b"GET /a RTSP/1.0\r\n\r\n:SOURCE / ICE/1.0\r"[:34]


class Requests:
    """Callbacks that keep each target."""

    def __init__(self) -> None:
        self.has_target = False
        self.begun = 0
        self.ended = 0
        self.body = b""

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, _: bytes) -> None:
        self.has_target = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1


def reads(data: bytes) -> list[list[bytes]]:
    """Return the data in one read, in any two, and byte by byte."""
    two = [[data[:at], data[at:]] for at in range(1, len(data))]
    return [[data], *two, [data[at : at + 1] for at in range(len(data))]]


def feed(pieces: list[bytes]) -> Requests:
    """Return what a parser reports of the reads."""
    requests = Requests()
    parser = RequestParser(requests)
    for piece in pieces:
        parser.feed(piece)
    return requests


@pytest.mark.parametrize("before", [b"", b"\r\n", LOOKALIKE + QUOTE])
@pytest.mark.parametrize("data", [RTSP, ICE, RTSP.replace(b" R", b"  R"), RTSP.replace(b"1.0", b"1.1")])
def test_other_protocols_are_refused(before: bytes, data: bytes) -> None:
    for pieces in reads(before + data):
        with pytest.raises(HttpParserError, match=r"^Expected HTTP/$"):
            feed(pieces)


def test_names_of_other_protocols_may_be_in_headers_and_bodies() -> None:
    for pieces in reads(2 * (LOOKALIKE + QUOTE)):
        requests = feed(pieces)
        assert (requests.begun, requests.ended, requests.body) == (2, 2, 2 * QUOTE)


def test_the_rest_after_another_protocol_is_found() -> None:
    head = b"GET / HTTP/1.1\r\nHost: h RTSP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    with pytest.raises(HttpParserUpgrade) as caught:
        feed([head + b"\n rest \n"])
    assert caught.value.args == (len(head),)
