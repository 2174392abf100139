"""`/v1/containers`: containers, their files, limits and refusals; no test runs code."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, call, get, post
from tests.server.forms import FORM, form, part, uploaded
from tests.support.postgresql import ON_BOTH

pytestmark = ON_BOTH


def delete(url: str, path: str) -> Reply:
    return call(url, "DELETE", path)


def created(url: str, **more: JSON) -> JSONObject:
    reply = post(url, "/containers", {"name": "mine"} | more)
    assert reply.status == 200, reply.body
    container: JSONObject = reply.json
    return container


def add(url: str, container: str, content: bytes, name: str = "notes.txt") -> Reply:
    return call(url, "POST", f"/containers/{container}/files", form(part("file", content, name)), FORM)


def test_a_container_is_created_listed_and_deleted(url: str) -> None:
    container = created(url)
    assert container["object"] == "container"
    assert container["id"].startswith("cntr_")
    assert container["expires_after"] == {"anchor": "last_active_at", "minutes": 20}
    assert (container["status"], container["memory_limit"]) == ("running", "1g")
    path = f"/containers/{container['id']}"
    assert get(url, path).json["name"] == "mine"
    assert container["id"] in [each["id"] for each in get(url, "/containers").json["data"]]
    assert get(url, "/containers?name=another").json["data"] == []
    assert delete(url, path).json == {"id": container["id"], "object": "container.deleted", "deleted": True}
    assert get(url, path).error["message"] == f"Container with id '{container['id']}' not found."
    assert delete(url, path).status == 404


def test_a_file_is_added_read_and_deleted(url: str) -> None:
    path = f"/containers/{created(url)['id']}/files"
    added = add(url, path.split("/")[2], b"hello")
    file = added.json
    assert (file["object"], file["path"], file["bytes"], file["source"]) == (
        "container.file",
        "/mnt/data/notes.txt",
        5,
        "user",
    )
    assert file["id"].startswith("cfile_")
    assert get(url, f"{path}/{file['id']}").json == file
    content = get(url, f"{path}/{file['id']}/content")
    assert content.body == b"hello"
    assert content.headers["content-disposition"].startswith("attachment")
    assert content.headers["x-content-type-options"] == "nosniff"
    assert get(url, path).json["data"] == [file]
    assert delete(url, f"{path}/{file['id']}").json["deleted"] is True
    for missing in (get(url, f"{path}/{file['id']}"), get(url, f"{path}/{file['id']}/content")):
        assert missing.status == 404
    assert delete(url, f"{path}/{file['id']}").status == 404


def test_uploaded_files_are_copied(url: str) -> None:
    file_id = uploaded(url, "a,b", "table.csv")
    container = created(url, file_ids=[file_id])
    path = f"/containers/{container['id']}/files"
    (file,) = get(url, path).json["data"]
    assert file["path"] == "/mnt/data/table.csv"
    again = post(url, path, {"file_id": file_id}).json
    assert again["path"] == "/mnt/data/2-table.csv"
    assert delete(url, f"/files/{file_id}").status == 200
    assert get(url, f"{path}/{file['id']}/content").body == b"a,b", "the copy is its own"
    assert post(url, path, {"file_id": file_id}).status == 404


def test_files_are_read_page_by_page(url: str) -> None:
    container = created(url)["id"]
    made = [add(url, container, b"x", f"{number}.txt").json["id"] for number in range(3)]
    first = get(url, f"/containers/{container}/files?limit=2&order=asc").json
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (made[:2], True)
    rest = get(url, f"/containers/{container}/files?limit=2&order=asc&after={made[1]}").json
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == (made[2:], False)


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "a/../../b", "/etc/passwd"])
def test_a_name_never_leads_out_of_the_folder(url: str, name: str) -> None:
    reply = add(url, created(url)["id"], b"x", name)
    if reply.status == 200:
        assert reply.json["path"].count("/") == 3, reply.json
        assert ".." not in reply.json["path"]
    else:
        assert reply.error["param"] == "file"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"name": ""}, "name", "invalid_value"),
        ({"name": "x" * 513}, "name", "invalid_value"),
        ({}, "name", "missing_required_parameter"),
        ({"name": "a", "memory_limit": "16g"}, "memory_limit", "unsupported_value"),
        ({"name": "a", "memory_limit": "2g"}, "memory_limit", "invalid_value"),
        ({"name": "a", "skills": [{"type": "skill_reference"}]}, "skills", "unsupported_value"),
        (
            {"name": "a", "network_policy": {"type": "allowlist", "allowed_domains": ["a.example"]}},
            "network_policy",
            "unsupported_value",
        ),
    ],
)
def test_containers_that_cannot_be_made_are_refused(url: str, body: JSON, param: str, code: str) -> None:
    error = post(url, "/containers", body).error
    assert (error["param"], error["code"]) == (param, code)


def test_an_unknown_file_makes_no_container(url: str) -> None:
    before = len(get(url, "/containers").json["data"])
    assert post(url, "/containers", {"name": "a", "file_ids": ["file-none"]}).status == 404
    assert len(get(url, "/containers").json["data"]) == before


def test_a_disabled_network_is_accepted(url: str) -> None:
    policy = {"type": "disabled"}
    assert created(url, network_policy=policy)["network_policy"] == policy
