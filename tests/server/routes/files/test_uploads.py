"""Uploads in parts."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, call, post
from tests.server.forms import FORM, form, part
from tests.support.postgresql import ON_BOTH
from tests.support.serving import MAX_FILE, Serving

pytestmark = ON_BOTH


def begun(url: str, size: int, **more: JSON) -> str:
    body: JSONObject = {
        "filename": "notes.txt",
        "purpose": "assistants",
        "bytes": size,
        "mime_type": "text/plain",
        **more,
    }
    answer = post(url, "/uploads", body)
    assert answer.status == 200, answer.body
    upload_id: str = answer.json["id"]
    return upload_id


def add(url: str, upload_id: str, data: bytes) -> Reply:
    return call(url, "POST", f"/uploads/{upload_id}/parts", form(part("data", data, "blob")), FORM)


def added(url: str, upload_id: str, data: bytes) -> str:
    answer = add(url, upload_id, data)
    assert answer.status == 200, answer.body
    part_id: str = answer.json["id"]
    return part_id


def contents(server: Serving) -> set[str]:
    return {path.name for path in Path(server.file_services.files.folder.path).iterdir()}


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=url, api_key="none", max_retries=0, _strict_response_validation=True
    ) as opened:
        yield opened


def test_the_parts_become_a_file_in_the_order_of_the_request(url: str, client: openai.OpenAI) -> None:
    upload = client.uploads.create(
        filename="notes.txt", purpose="assistants", bytes=11, mime_type="text/plain"
    )
    assert (upload.status, upload.expires_at - upload.created_at) == ("pending", 3600)
    second = client.uploads.parts.create(upload.id, data=b" world")
    first = client.uploads.parts.create(upload.id, data=b"Hello")
    checksum = hashlib.md5(b"Hello world", usedforsecurity=False).hexdigest()
    done = client.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=checksum)
    assert done.status == "completed"
    assert done.file is not None
    assert (done.file.filename, done.file.bytes, done.file.purpose) == ("notes.txt", 11, "assistants")
    assert client.files.content(done.file.id).read() == b"Hello world"


def test_openais_helper_uploads_a_file_in_chunks(client: openai.OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"0123456789" * 1000)
    done = client.uploads.upload_file_chunked(
        file=path, mime_type="text/plain", purpose="user_data", part_size=3000
    )
    assert done.file is not None
    assert client.files.content(done.file.id).read() == path.read_bytes()


def test_the_content_of_parts_is_deleted_after_the_end(url: str, server: Serving) -> None:
    upload_id = begun(url, 2)
    parts = [added(url, upload_id, b"a"), added(url, upload_id, b"b")]
    cancelled = begun(url, 2)
    left = added(url, cancelled, b"c")
    assert {*parts, left} <= contents(server)
    assert post(url, f"/uploads/{upload_id}/complete", {"part_ids": parts}).status == 200
    assert post(url, f"/uploads/{cancelled}/cancel", {}).json["status"] == "cancelled"
    server.call(server.file_services.delete_expired())
    assert {*parts, left}.isdisjoint(contents(server))


@pytest.mark.parametrize("end", ["complete", "cancel"])
def test_an_upload_that_has_ended_accepts_nothing(url: str, end: str) -> None:
    upload_id = begun(url, 1)
    part_id = added(url, upload_id, b"a")
    body: JSONObject = {"part_ids": [part_id]} if end == "complete" else {}
    assert post(url, f"/uploads/{upload_id}/{end}", body).status == 200
    for answer in (
        add(url, upload_id, b"b"),
        post(url, f"/uploads/{upload_id}/complete", {"part_ids": [part_id]}),
        post(url, f"/uploads/{upload_id}/cancel", {}),
    ):
        assert (answer.status, answer.error["code"]) == (400, "upload_not_pending")


def test_a_wrong_list_of_parts_completes_nothing(url: str, server: Serving) -> None:
    upload_id, other = begun(url, 4), begun(url, 1)
    one, two, foreign = added(url, upload_id, b"ab"), added(url, upload_id, b"cd"), added(url, other, b"x")
    before = contents(server)
    for parts, param in [
        ([one], "part_ids"),
        ([one, one], "part_ids[1]"),
        ([one, two, foreign], "part_ids[2]"),
        ([one, "part_none"], "part_ids[1]"),
        ([], "part_ids"),
    ]:
        answer = post(url, f"/uploads/{upload_id}/complete", {"part_ids": parts})
        assert (answer.status, answer.error["param"]) == (400, param), answer.body
    wrong = post(url, f"/uploads/{upload_id}/complete", {"part_ids": [one, two], "md5": "0" * 32})
    assert (wrong.status, wrong.error["param"]) == (400, "md5")
    assert contents(server) == before
    assert post(url, f"/uploads/{upload_id}/complete", {"part_ids": [two, one]}).json["file"]["bytes"] == 4


def test_parts_over_the_declared_size_are_refused_and_leave_nothing(url: str, server: Serving) -> None:
    upload_id = begun(url, 3)
    added(url, upload_id, b"ab")
    before = contents(server)
    answer = add(url, upload_id, b"cd")
    assert (answer.status, answer.error["param"]) == (400, "data")
    assert contents(server) == before


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"bytes": MAX_FILE + 1}, "bytes"),
        ({"bytes": 0}, "bytes"),
        ({"bytes": "1"}, "bytes"),
        ({"filename": ""}, "filename"),
        ({"filename": "a/"}, "filename"),
        ({"purpose": "fun"}, "purpose"),
        ({"mime_type": None}, "mime_type"),
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "expires_after.seconds"),
    ],
)
def test_a_wrong_upload_is_refused(url: str, change: JSONObject, param: str) -> None:
    body: JSONObject = {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}
    answer = post(url, "/uploads", body | change)
    assert (answer.status, answer.error["param"]) == (400, param)


def test_the_name_is_the_last_part_of_a_path(url: str) -> None:
    upload_id = begun(url, 1, filename="../../etc/pass\twd")
    answer = post(url, f"/uploads/{upload_id}/complete", {"part_ids": [added(url, upload_id, b"x")]})
    assert answer.json["file"]["filename"] == "passwd"


def test_a_part_without_data_and_an_unknown_upload_are_refused(url: str) -> None:
    upload_id = begun(url, 1)
    empty = call(url, "POST", f"/uploads/{upload_id}/parts", form(part("other", b"x")), FORM)
    assert (empty.status, empty.error["param"]) == (400, "data")
    assert add(url, "upload_none", b"x").status == 404
    assert post(url, "/uploads/upload_none/complete", {"part_ids": ["part_1"]}).status == 404
