"""Multipart forms, byte by byte."""

from collections.abc import Iterable, Mapping

from tests.server.client import Reply, call

BOUNDARY = "----boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    """Return one part of a form, with the line that begins it."""
    named = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n'
    kind = "" if filename is None else "Content-Type: text/plain\r\n"
    return f"{head}{kind}\r\n".encode() + value + b"\r\n"


def form(*parts: bytes) -> bytes:
    """Return a whole form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def upload(url: str, parts: Iterable[bytes] | bytes, headers: Mapping[str, str] = FORM) -> Reply:
    """Post a form to `/files`, given as parts or as bytes."""
    return call(url, "POST", "/files", parts if isinstance(parts, bytes) else form(*parts), headers)


def uploaded(url: str, text: str, filename: str = "notes.txt", purpose: str = "assistants") -> str:
    """Upload a file and return its id."""
    reply = upload(url, [part("purpose", purpose.encode()), part("file", text.encode(), filename)])
    assert reply.status == 200, reply.body
    file_id: str = reply.json["id"]
    return file_id
