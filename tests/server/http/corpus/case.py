"""A raw input and its outcome."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """Bytes of a client, and the outcome.

    An outcome is a text such as `POST /a [body], GET / -> 200 200 closed`: the requests that the application
    read whole, with their bodies and the headers that begin with `x`; the statuses of the responses; and
    whether the server closed the connection.
    """

    name: str
    pieces: tuple[bytes, ...]
    """Writes of the client; the server reads each by itself."""
    ours: str
    """Outcome with our protocol."""
    h11: str | None = None
    """Outcome with uvicorn's protocol over h11, where it differs."""
    why: str | None = None
    """Reason for the difference."""
    ends: bool = False
    """Whether the client closes its sending side at last."""


REFUSED = "-> 400 closed"
"""Outcome of malformed HTTP: an answer, and no request for the application."""


def case(
    name: str, sent: bytes | tuple[bytes, ...], ours: str, h11: str | None = None, why: str | None = None
) -> Case:
    """Return a case; `sent` is what comes in one read, or in several."""
    return Case(name, sent if isinstance(sent, tuple) else (sent,), ours, h11, why)


def refused(
    name: str, sent: bytes | tuple[bytes, ...], h11: str | None = None, why: str | None = None
) -> Case:
    """Return a case of malformed HTTP."""
    return case(name, sent, REFUSED, h11, why)


def request(
    line: bytes = b"GET / HTTP/1.1", *headers: bytes, host: bytes | None = b"Host: h", body: bytes = b""
) -> bytes:
    """Return a request with a Host header, unless `host` says otherwise."""
    lines = [line, *([] if host is None else [host]), *headers]
    return b"\r\n".join([*lines, b"", b""]) + body


GET = request()
CHUNKED = request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked")
END = b"0\r\n\r\n"
