"""`/v1/files`: lists, errors, and protection of browsers from uploads."""

import pytest

from tests.server.client import call, get
from tests.server.forms import part, upload, uploaded
from tests.support.postgresql import ON_BOTH

pytestmark = ON_BOTH

FILE = part("file", b"hello", "notes.txt")


def lifetime(seconds: int) -> list[bytes]:
    return [
        part("expires_after[anchor]", b"created_at"),
        part("expires_after[seconds]", str(seconds).encode()),
    ]


def test_a_lifetime_is_shown_where_there_is_one(url: str) -> None:
    plain = upload(url, [part("purpose", b"assistants"), FILE]).json
    assert plain["expires_at"] is None
    short = upload(url, [part("purpose", b"assistants"), FILE, *lifetime(3600)]).json
    assert short["expires_at"] - short["created_at"] == 3600
    batch = upload(url, [part("purpose", b"batch"), FILE]).json
    assert batch["expires_at"] - batch["created_at"] == 30 * 86_400


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"])
def test_a_purpose_selects_files(url: str, purpose: str) -> None:
    file_id = uploaded(url, "hello", purpose=purpose)
    listed = get(url, f"/files?purpose={purpose}").json
    assert {each["purpose"] for each in listed["data"]} == {purpose}
    assert listed["first_id"] == file_id
    assert get(url, "/files?purpose=none").json == {
        "object": "list",
        "data": [],
        "first_id": None,
        "has_more": False,
        "last_id": None,
    }


def test_a_list_is_read_page_by_page(url: str) -> None:
    made = [uploaded(url, "hello", purpose="vision") for _ in range(3)]
    seen: list[str] = []
    page = get(url, "/files?limit=2&order=desc").json
    while page["data"]:
        seen += [each["id"] for each in page["data"]]
        assert page["last_id"] == seen[-1]
        page = get(url, f"/files?limit=2&order=desc&after={seen[-1]}").json
    assert seen[:3] == made[::-1]
    assert len(seen) == len(set(seen)) == len(get(url, "/files").json["data"])


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=x", "limit"),
        ("order=up", "order"),
        ("after=file-0%00", "after"),
        ("purpose=" + "p" * 300, "purpose"),
    ],
)
def test_wrong_parameters_of_a_list_are_named(url: str, query: str, param: str) -> None:
    reply = get(url, f"/files?{query}")
    assert (reply.status, reply.error["param"]) == (400, param)


def test_a_cursor_that_is_not_in_the_list_is_not_found(url: str) -> None:
    reply = get(url, "/files?after=file-0")
    assert (reply.status, reply.error["param"]) == (404, "after")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/files/file-0"), ("GET", "/files/file-0/content"), ("DELETE", "/files/file-0")],
)
def test_a_file_that_is_not_there_is_not_found(url: str, method: str, path: str) -> None:
    reply = call(url, method, path)
    assert reply.status == 404
    assert reply.error == {
        "message": "No such File object: file-0",
        "type": "invalid_request_error",
        "param": "id",
        "code": None,
    }


def test_a_browser_saves_an_upload_and_never_runs_it(url: str) -> None:
    file_id = uploaded(url, "<script>alert(1)</script>", filename='page".html')
    headers = get(url, f"/files/{file_id}/content").headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith("attachment; filename")
    assert "\n" not in headers["content-disposition"]
