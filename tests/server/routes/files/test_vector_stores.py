"""`/v1/vector_stores` beyond the tests with the SDK: errors, pages, changes."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import call, get, post
from tests.server.forms import uploaded
from tests.support.postgresql import ON_BOTH
from tests.support.serving import Serving

pytestmark = ON_BOTH


def created(url: str, **given: JSON) -> JSONObject:
    reply = post(url, "/vector_stores", given)
    assert reply.status == 200, reply.body
    store: JSONObject = reply.json
    return store


def attached(url: str, store_id: str, text: str, **given: JSON) -> JSONObject:
    """Upload a text and attach it; because it is small, it is ready before the answer."""
    reply = post(url, f"/vector_stores/{store_id}/files", {"file_id": uploaded(url, text), **given})
    assert reply.status == 200, reply.body
    file: JSONObject = reply.json
    return file


def test_a_store_without_anything_is_complete(url: str) -> None:
    reply = call(url, "POST", "/vector_stores", b"")
    store = reply.json
    assert (store["name"], store["status"], store["usage_bytes"], store["metadata"]) == (
        "",
        "completed",
        0,
        {},
    )
    assert store["file_counts"] == {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}
    assert "expires_after" not in store
    assert store["expires_at"] is None
    assert get(url, f"/vector_stores/{store['id']}").json == store


def test_a_store_is_made_with_files(url: str) -> None:
    ids = [uploaded(url, "Apples grow on trees."), uploaded(url, "Whales swim.")]
    static = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 10}}
    store = created(url, name="both", file_ids=ids, chunking_strategy=static)
    assert store["file_counts"]["completed"] == 2
    assert store["usage_bytes"] == len("Apples grow on trees.Whales swim.")
    assert get(url, f"/vector_stores/{store['id']}/files/{ids[0]}").json["chunking_strategy"] == static


def test_changes_change_what_they_name(url: str) -> None:
    days = {"anchor": "last_active_at", "days": 3}
    store = created(url, name="old", metadata={"a": "b"}, expires_after=days)
    assert store["expires_after"] == days
    assert store["expires_at"] - store["last_active_at"] == 3 * 86_400
    path = f"/vector_stores/{store['id']}"
    assert post(url, path, {"name": "new"}).json == store | {"name": "new"}
    changed = post(url, path, {"metadata": {"c": "d"}, "expires_after": None}).json
    assert (changed["name"], changed["metadata"], changed["expires_at"]) == ("new", {"c": "d"}, None)
    assert post(url, path, {"name": None, "metadata": None}).json["metadata"] == {}
    assert post(url, path, {}).json["name"] == ""


def test_lists_are_read_from_both_ends(url: str) -> None:
    ids = [created(url)["id"] for _ in range(3)]
    first = get(url, "/vector_stores?limit=2").json
    assert [each["id"] for each in first["data"]] == [ids[2], ids[1]]
    assert first["has_more"]
    back = get(url, f"/vector_stores?limit=1&before={ids[1]}").json
    assert [each["id"] for each in back["data"]] == [ids[2]]


def test_files_are_listed_by_status(url: str) -> None:
    store_id = created(url)["id"]
    good = attached(url, store_id, "Apples.")
    bad = attached(url, store_id, "   ")
    assert (good["status"], good["last_error"]) == ("completed", None)
    assert (bad["status"], bad["last_error"]["code"]) == ("failed", "invalid_file")
    assert bad["last_error"]["message"]
    for status, expected in (("completed", [good["id"]]), ("failed", [bad["id"]]), ("cancelled", [])):
        listed = get(url, f"/vector_stores/{store_id}/files?filter={status}").json
        assert [each["id"] for each in listed["data"]] == expected
    assert get(url, f"/vector_stores/{store_id}/files/{bad['id']}/content").json["data"] == []


def test_attributes_are_replaced_and_searched(url: str) -> None:
    store_id = created(url)["id"]
    file = attached(url, store_id, "Apples grow.", attributes={"year": 2020, "draft": True, "by": "me"})
    path = f"/vector_stores/{store_id}/files/{file['id']}"
    assert post(url, path, {"attributes": {"year": 2024.5}}).json["attributes"] == {"year": 2024.5}
    asked = {"query": "apples", "filters": {"type": "gt", "key": "year", "value": 2024}}
    (found,) = post(url, f"/vector_stores/{store_id}/search", asked).json["data"]
    assert found["attributes"] == {"year": 2024.5}
    assert post(url, path, {"attributes": None}).json["attributes"] == {}


def test_a_file_that_was_taken_out_or_deleted_is_not_found_any_more(url: str) -> None:
    store_id = created(url)["id"]
    out, deleted = attached(url, store_id, "Apples one."), attached(url, store_id, "Apples two.")
    search = f"/vector_stores/{store_id}/search"
    assert len(post(url, search, {"query": "apples"}).json["data"]) == 2
    gone = call(url, "DELETE", f"/vector_stores/{store_id}/files/{out['id']}").json
    assert gone == {"id": out["id"], "object": "vector_store.file.deleted", "deleted": True}
    assert get(url, f"/files/{out['id']}").status == 200
    assert call(url, "DELETE", f"/files/{deleted['id']}").status == 200
    assert post(url, search, {"query": "apples"}).json["data"] == []
    assert get(url, f"/vector_stores/{store_id}").json["file_counts"]["total"] == 0


def test_several_queries_are_answered_together(url: str) -> None:
    store_id = created(url)["id"]
    attached(url, store_id, "Apples grow on trees.")
    attached(url, store_id, "Whales swim in the ocean.")
    page = post(url, f"/vector_stores/{store_id}/search", {"query": ["whales", "apples"]}).json
    assert page["search_query"] == ["whales", "apples"]
    assert len(page["data"]) == 2
    one = {"query": ["whales", "apples"], "max_num_results": 1}
    assert len(post(url, f"/vector_stores/{store_id}/search", one).json["data"]) == 1


def test_a_batch_gives_each_file_its_own(url: str) -> None:
    store_id = created(url)["id"]
    ids = [uploaded(url, "Apples."), uploaded(url, "Whales.")]
    files = [{"file_id": each, "attributes": {"n": n}} for n, each in enumerate(ids)]
    path = f"/vector_stores/{store_id}/file_batches"
    batch = post(url, path, {"files": files}).json
    assert (batch["status"], batch["file_counts"]["completed"]) == ("completed", 2)
    listed = get(url, f"{path}/{batch['id']}/files").json["data"]
    assert {each["id"]: each["attributes"]["n"] for each in listed} == {ids[0]: 0, ids[1]: 1}
    assert post(url, f"{path}/{batch['id']}/cancel").json["status"] == "completed"


def test_a_batch_with_a_file_that_is_not_there_attaches_nothing(url: str) -> None:
    store_id = created(url)["id"]
    given = {"file_ids": [uploaded(url, "Apples."), "file-0"]}
    reply = post(url, f"/vector_stores/{store_id}/file_batches", given)
    assert (reply.status, reply.error["message"]) == (404, "No such File object: file-0")
    assert get(url, f"/vector_stores/{store_id}/files").json["data"] == []


@pytest.fixture(scope="module")
def store_id(shared_server: Serving) -> str:
    made: str = created(shared_server.url)["id"]
    return made


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("", {"name": 1}, "name", "invalid_type"),
        ("", {"name": "n" * 513}, "name", "string_above_max_length"),
        ("", {"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ("", {"metadata": {str(n): "" for n in range(17)}}, "metadata", "object_above_max_properties"),
        ("", {"file_ids": ["f"] * 501}, "file_ids", "array_above_max_length"),
        ("", {"expires_after": {"anchor": "now", "days": 1}}, "expires_after.anchor", "invalid_value"),
        (
            "",
            {"expires_after": {"anchor": "last_active_at", "days": 366}},
            "expires_after.days",
            "integer_above_max_value",
        ),
        ("", {"chunking_strategy": {"type": "odd"}}, "chunking_strategy.type", "invalid_value"),
        ("", {"embedding_dimension": "many"}, "embedding_dimension", "invalid_value"),
        ("", {"embedding_dimension": 0}, "embedding_dimension", "invalid_value"),
        ("/ID/files", {}, "file_id", "missing_required_parameter"),
        ("/ID/files", {"file_id": "f", "attributes": {"a": []}}, "attributes.a", "invalid_type"),
        (
            "/ID/files",
            {"file_id": "f", "attributes": {"a": "v" * 513}},
            "attributes.a",
            "string_above_max_length",
        ),
        (
            "/ID/files",
            {
                "file_id": "f",
                "chunking_strategy": {
                    "type": "static",
                    "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51},
                },
            },
            "chunking_strategy.static.chunk_overlap_tokens",
            "invalid_value",
        ),
        ("/ID/file_batches", {}, "file_ids", "missing_required_parameter"),
        ("/ID/file_batches", {"file_ids": []}, "file_ids", "array_below_min_length"),
        (
            "/ID/file_batches",
            {"file_ids": ["f"], "files": [{"file_id": "f"}]},
            "files",
            "mutually_exclusive_parameters",
        ),
        (
            "/ID/file_batches",
            {"files": [{"file_id": "f", "attributes": {"k" * 65: 1}}]},
            f"files[0].attributes.{'k' * 64}...",
            "property_name_above_max_length",
        ),
        ("/ID/search", {}, "query", "missing_required_parameter"),
        ("/ID/search", {"query": []}, "query", "invalid_value"),
        ("/ID/search", {"query": ""}, "query", "invalid_value"),
        ("/ID/search", {"query": "q" * 10_001}, "query", "invalid_value"),
        ("/ID/search", {"query": "q", "max_num_results": 51}, "max_num_results", "integer_above_max_value"),
        (
            "/ID/search",
            {"query": "q", "filters": {"type": "eq", "key": "k"}},
            "filters.value",
            "missing_required_parameter",
        ),
        (
            "/ID/search",
            {"query": "q", "ranking_options": {"score_threshold": 2}},
            "ranking_options.score_threshold",
            "invalid_value",
        ),
    ],
)
def test_errors_of_a_request_are_reported(
    url: str, store_id: str, path: str, body: JSONObject, param: str, code: str
) -> None:
    reply = post(url, "/vector_stores" + path.replace("ID", store_id), body)
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, param, code)


def test_after_and_before_exclude_each_other(url: str) -> None:
    reply = get(url, "/vector_stores?after=a&before=b")
    assert (reply.status, reply.error["code"]) == (400, "mutually_exclusive_parameters")


def test_an_unknown_status_is_refused(url: str, store_id: str) -> None:
    reply = get(url, f"/vector_stores/{store_id}/files?filter=done")
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, "filter", "invalid_value")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("POST", "", {"name": "n"}),
        ("DELETE", "", None),
        ("POST", "/search", {"query": "q"}),
        ("GET", "/files", None),
        ("POST", "/files", {"file_id": "file-0"}),
        ("GET", "/files/file-0", None),
        ("POST", "/files/file-0", {"attributes": {}}),
        ("DELETE", "/files/file-0", None),
        ("GET", "/files/file-0/content", None),
        ("POST", "/file_batches", {"file_ids": ["file-0"]}),
        ("GET", "/file_batches/vsfb_0", None),
        ("POST", "/file_batches/vsfb_0/cancel", None),
        ("GET", "/file_batches/vsfb_0/files", None),
    ],
)
def test_what_is_not_there_is_not_found(url: str, store_id: str, method: str, path: str, body: JSON) -> None:
    missing = call(url, method, "/vector_stores/vs_0" + path, body)
    assert (missing.status, missing.error["message"]) == (404, "Vector store with id 'vs_0' not found.")
    if "file-0" in str((path, body)) or "vsfb_0" in path:
        assert call(url, method, f"/vector_stores/{store_id}{path}", body).status == 404
