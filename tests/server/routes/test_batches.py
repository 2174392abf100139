"""The endpoints of batches."""

from pathlib import Path

import pytest

from antiphon.wire.json import JSON
from tests.server.batching import CHAT, create, ended, jsonl, line, results
from tests.server.client import get, post
from tests.server.forms import FORM, form, part, uploaded
from tests.server.keyed import keyed, person
from tests.server.routes.test_embeddings import recording
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, completion, reply, silence


def test_batches_are_listed_in_pages_newest_first(url: str, upstream: Upstream) -> None:
    upstream.script(reply())
    made = [create(url, line("1"))["id"] for _ in range(3)]
    for batch_id in made:
        ended(url, batch_id)
    first = get(url, "/batches?limit=2").json
    assert [each["id"] for each in first["data"]] == made[:0:-1]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (made[2], made[1], True)
    after = get(url, f"/batches?limit=2&after={made[1]}").json
    assert after["data"][0]["id"] == made[0]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/moderations"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 1}}, "output_expires_after.seconds"),
        ({"output_expires_after": {"anchor": "now", "seconds": 3600}}, "output_expires_after.anchor"),
        ({"input_file_id": None}, "input_file_id"),
    ],
)
def test_an_invalid_request_is_rejected(url: str, change: JSON, param: str) -> None:
    body = {"input_file_id": "file-1", "endpoint": CHAT, "completion_window": "24h"} | change
    refused = post(url, "/batches", body)
    assert refused.status == 400
    assert refused.error["param"] == param


def test_a_cancellation_closes_the_connections_of_running_lines(url: str, upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(silence())
    batch_id = create(url, *(line(str(number), CHAT) for number in range(20)), endpoint=CHAT)["id"]
    assert upstream.hanging.wait(20)
    cancelled = post(url, f"/batches/{batch_id}/cancel", {})
    assert cancelled.status == 200
    assert cancelled.json["status"] in ("cancelling", "cancelled")
    assert upstream.disconnected.wait(20)
    batch = ended(url, batch_id)
    assert batch["status"] == "cancelled"
    assert batch["request_counts"] == {"total": 20, "completed": 0, "failed": 20}
    assert len(results(url, batch["error_file_id"])) == 20
    again = post(url, f"/batches/{batch_id}/cancel", {})
    assert again.status == 400
    assert again.error["message"] == "Cannot cancel a batch with status 'cancelled'."
    # No more lines than the limit were begun.
    assert len(upstream.chats) <= 8


def test_the_files_of_a_batch_can_expire(url: str, upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(reply())
    expiry = {"anchor": "created_at", "seconds": 3600}
    batch = ended(url, create(url, line("1"), output_expires_after=expiry)["id"])
    file = get(url, f"/files/{batch['output_file_id']}").json
    assert file["expires_at"] == file["created_at"] + 3600
    assert file["purpose"] == "batch_output"
    assert get(url, "/files?purpose=batch_output").json["data"][0]["id"] == file["id"]


def test_the_input_of_another_owner_is_not_found(url: str) -> None:
    body = {"input_file_id": "file-0", "endpoint": CHAT, "completion_window": "24h"}
    missing = post(url, "/batches", body)
    assert (missing.status, missing.error["param"]) == (404, "input_file_id")
    text = uploaded(url, "{}", "a.jsonl")
    other = post(url, "/batches", body | {"input_file_id": text})
    assert (other.status, other.error["code"]) == (400, "invalid_file_purpose")


def test_a_recorded_batch_is_replayed_without_a_backend(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    lines = [line("one"), line("two")]
    texts = []
    with Upstream() as upstream:
        upstream.script(reply(completion("A line.")))
        opened = backends(backend(upstream))
        with Serving(tmp_path / "1.db", recording(opened, folder, "record")) as server:
            assert ended(server.url, create(server.url, *lines)["id"])["status"] == "completed"
    with Serving(tmp_path / "2.db", recording(None, folder, "replay")) as server:
        batch = ended(server.url, create(server.url, *lines, line("three"))["id"])
        for found in results(server.url, batch["output_file_id"]).values():
            texts.append(found["response"]["body"]["output"][0]["content"][0]["text"])
        missing = results(server.url, batch["error_file_id"])["three"]
    assert texts == ["A line.", "A line."]
    assert missing["response"]["body"]["error"]["code"] == "recording_not_found"


def test_the_tokens_of_lines_count_for_the_key(tmp_path: Path, upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(reply())
    with keyed(tmp_path / "state.db", upstream) as server:
        alice = person(server, "alice", tokens_per_minute=5)
        bob = person(server, "bob")
        parts = [part("purpose", b"batch"), part("file", jsonl([line("1", CHAT)]).encode(), "a.jsonl")]
        body = {"endpoint": CHAT, "completion_window": "24h"}
        body["input_file_id"] = alice.call("POST", "/files", form(*parts), FORM).json["id"]
        stolen = bob.post("/batches", body)
        assert (stolen.status, stolen.error["param"]) == (404, "input_file_id")
        batch = alice.made("/batches", body)
        while alice.get(f"/batches/{batch}").json["status"] != "completed":
            pass
        refused = alice.post("/responses", {"model": "up/m", "input": "hi"})
        assert (refused.status, refused.error["type"]) == (429, "tokens")
