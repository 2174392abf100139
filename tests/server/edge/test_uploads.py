"""Uploads as forms: valid ones and malformed ones."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from antiphon.service.services import FileServices
from tests.server.client import call, get
from tests.server.forms import BOUNDARY, FORM, form, part, upload
from tests.support.serving import MAX_FILE, Serving

PURPOSE = part("purpose", b"assistants")
FILE = part("file", b"hello", "notes.txt")


def content(url: str, file_id: str) -> bytes:
    return get(url, f"/files/{file_id}/content").body


@pytest.mark.parametrize(
    "parts", [[PURPOSE, FILE], [FILE, PURPOSE], [FILE, part("more", b"x" * 100), PURPOSE]]
)
def test_the_parts_may_come_in_any_order(url: str, parts: list[bytes]) -> None:
    reply = upload(url, parts)
    assert reply.status == 200
    assert (reply.json["filename"], reply.json["bytes"], reply.json["purpose"]) == (
        "notes.txt",
        5,
        "assistants",
    )
    assert content(url, reply.json["id"]) == b"hello"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"--",
        f"\r\n--{BOUNDARY}x".encode(),
        b"\r\n-" * 1000,
        bytes(range(256)) * 1000,
        b"\0" * 100,
    ],
)
def test_bytes_come_back_as_they_were(url: str, body: bytes) -> None:
    reply = upload(url, [PURPOSE, part("file", body, "data.bin")])
    assert reply.json["bytes"] == len(body)
    assert content(url, reply.json["id"]) == body


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("/absolute/path.txt", "path.txt"),
        ("C:\\Users\\me\\notes.txt", "notes.txt"),
        ("späte Größe 日本.txt", "späte Größe 日本.txt"),
        ("a\tb.txt", "ab.txt"),
        ("..", ".."),
    ],
)
def test_names_are_shown_but_never_paths(server: Serving, given: str, kept: str) -> None:
    """S25: the file name has no influence on the place of the file."""
    reply = upload(server.url, [PURPOSE, part("file", b"hello", given)])
    assert reply.json["filename"] == kept
    assert content(server.url, reply.json["id"]) == b"hello"
    assert get(server.url, f"/files/{reply.json['id']}").json["filename"] == kept


@pytest.mark.parametrize("file_id", ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "file-0"])
def test_ids_are_no_paths_either(url: str, file_id: str) -> None:
    for path in (f"/files/{file_id}", f"/files/{file_id}/content"):
        assert get(url, path).status == 404


@pytest.mark.parametrize(
    ("parts", "param", "code"),
    [
        ([FILE], "purpose", "missing_required_parameter"),
        ([PURPOSE], "file", "missing_required_parameter"),
        ([PURPOSE, part("file", b"no name")], "file", "invalid_type"),
        ([PURPOSE, part("file", b"x", "")], "file", "invalid_type"),
        ([PURPOSE, part("file", b"x", "dir/")], "file", "invalid_value"),
        ([PURPOSE, part("file", b"x", "n" * 256)], "file", "invalid_value"),
        ([part("purpose", b"fun"), FILE], "purpose", "invalid_value"),
        ([part("purpose", b"a\0b"), FILE], None, "invalid_value"),
        ([PURPOSE, FILE, FILE], None, "invalid_form"),
        ([PURPOSE, *[part("x", b"y")] * 20, FILE], None, "invalid_form"),
        (
            [PURPOSE, FILE, part("expires_after[anchor]", b"created_at")],
            "expires_after.seconds",
            "missing_required_parameter",
        ),
        (
            [PURPOSE, FILE, part("expires_after[seconds]", b"3600")],
            "expires_after.anchor",
            "missing_required_parameter",
        ),
        (
            [PURPOSE, FILE, part("expires_after[anchor]", b"now"), part("expires_after[seconds]", b"3600")],
            "expires_after.anchor",
            "invalid_value",
        ),
        *(
            (
                [
                    PURPOSE,
                    FILE,
                    part("expires_after[anchor]", b"created_at"),
                    part("expires_after[seconds]", text),
                ],
                "expires_after.seconds",
                "invalid_value",
            )
            for text in (b"3599", b"2592001", b"soon", b"-3600", b"9" * 5000)
        ),
    ],
)
def test_errors_of_a_form_are_reported(url: str, parts: list[bytes], param: str | None, code: str) -> None:
    reply = upload(url, parts)
    assert reply.status == 400
    assert (reply.error["param"], reply.error["code"], reply.error["type"]) == (
        param,
        code,
        "invalid_request_error",
    )


WHOLE = form(PURPOSE, FILE)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        (WHOLE[:-10], FORM, "invalid_form"),
        (b"", FORM, "invalid_form"),
        (b"no form at all", FORM, "invalid_form"),
        (f"--{BOUNDARY}\r\n\r\nno head\r\n--{BOUNDARY}--\r\n".encode(), FORM, "invalid_form"),
        (WHOLE, {"Content-Type": "application/json"}, "unsupported_content_type"),
        (WHOLE, {"Content-Type": "multipart/form-data"}, "unsupported_content_type"),
        (WHOLE, {"Content-Type": f"multipart/form-data; boundary={'b' * 300}"}, "invalid_form"),
    ],
)
def test_what_is_no_form_is_refused(url: str, body: bytes, headers: dict[str, str], code: str) -> None:
    reply = upload(url, body, headers)
    assert (reply.status, reply.error["code"]) == (400, code)


def test_a_file_has_the_largest_size_or_is_refused(url: str) -> None:
    """S24: an upload that would fill the disk stops at the limit."""
    assert upload(url, [PURPOSE, part("file", b"x" * MAX_FILE, "large.txt")]).json["bytes"] == MAX_FILE
    reply = upload(url, [PURPOSE, part("file", b"x" * (MAX_FILE + 1), "larger.txt")])
    assert (reply.status, reply.error["code"], reply.error["param"]) == (413, "request_too_large", "file")


def test_what_is_not_the_file_is_bounded_too(url: str) -> None:
    reply = upload(url, [part("other", b"x" * 100_000), PURPOSE, FILE])
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


def left_over(server: Serving) -> list[Path]:
    """Return the files in the folder that aren't the bytes of an upload."""
    services: FileServices = server.file_services
    return [path for path in services.files.folder.path.iterdir() if not path.name.startswith("file-")]


def test_nothing_is_left_of_uploads_that_failed(server: Serving) -> None:
    for body in (WHOLE[:-10], form(FILE), form(PURPOSE, part("file", b"x" * (MAX_FILE + 1), "l.txt"))):
        assert upload(server.url, body).status >= 400
    assert left_over(server) == []


def test_nothing_is_left_of_an_upload_that_is_broken_off(server: Serving) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as client:
        head = f"POST /v1/files HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM['Content-Type']}\r\n"
        client.sendall(f"{head}Content-Length: 9999\r\n\r\n".encode())
        client.sendall(PURPOSE + part("file", b"x" * 2000, "half.txt"))
        while not left_over(server):  # Each answer takes a turn of the server's loop.
            assert get(server.url, "/files").status == 200
    while left_over(server):
        assert get(server.url, "/files").status == 200


def test_a_deleted_files_bytes_are_gone(server: Serving) -> None:
    file_id = upload(server.url, [PURPOSE, FILE]).json["id"]
    path = server.file_services.files.folder.path_of(file_id)
    assert path.read_bytes() == b"hello"
    assert call(server.url, "DELETE", f"/files/{file_id}").json["deleted"] is True
    assert not path.exists()
