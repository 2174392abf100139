"""D20: a repeated POST with the same Idempotency-Key gets the earlier answer, without a second execution."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from antiphon.service.access import idempotency
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import SECONDS, Reply, call, ended, get, post, tasks
from tests.server.faults import TEXT
from tests.server.forms import BOUNDARY, form, part, uploaded
from tests.server.http.test_disconnect import hanging, read_until, sent
from tests.server.keyed import keyed, person
from tests.server.refusals import Bad, check
from tests.support.postgresql import ON_BOTH
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, chunk, reply, sse

pytestmark = ON_BOTH

ASK: JSONObject = {"model": "up/m", "input": "Hi"}
STREAM = ASK | {"stream": True}
CHAT: JSONObject = {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}]}
USER: JSONObject = {"type": "message", "role": "user", "content": "Hi"}
PROMPT: JSONObject = {"prompt": "Hi {{ name }}", "variables": ["name"]}

REUSED = Bad(None, "idempotency-key", "idempotency_key_reused")
IN_USE = Bad(None, "idempotency-key", "idempotency_key_in_use", 409)

_numbers = count()


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """Return the backend `up` without scripted answers."""
    shared_upstream.forget()
    return shared_upstream


@pytest.fixture
def key() -> str:
    """Return a key that no other test uses."""
    return f"key-{next(_numbers)}"


@pytest.fixture
def made(url: str) -> dict[str, str]:
    """Create the objects that the bodies below name, and return their ids."""
    return {
        "conversation": post(url, "/conversations", {}).json["id"],
        "store": post(url, "/vector_stores", {}).json["id"],
        "file": uploaded(url, "hello"),
    }


def ask(url: str, key: str, body: JSON | bytes = ASK, path: str = "/responses") -> Reply:
    return post(url, path, body, {"Idempotency-Key": key})


def same(first: Reply, second: Reply) -> None:
    """Assert that the second answer repeats the first."""
    own = {"date", "x-request-id", "idempotent-replayed"}
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert (second.status, second.body) == (first.status, first.body)
    for reply_ in (first, second):
        framing = {"content-length", "transfer-encoding"}  # The length of a repeated stream is known.
        names = {name: value for name, value in reply_.headers.items() if name not in own | framing}
        assert names == {name: first.headers[name] for name in names}
        assert "content-type" in names


CREATING: dict[str, tuple[str, JSON]] = {
    "responses": ("/responses", ASK),
    "responses_stream": ("/responses", STREAM),
    "responses_not_stored": ("/responses", ASK | {"store": False}),
    "chat_completions": ("/chat/completions", CHAT | {"stream": True}),
    "conversations": ("/conversations", {"items": [USER]}),
    "conversation": ("/conversations/{conversation}", {"metadata": {"a": "b"}}),
    "items": ("/conversations/{conversation}/items", {"items": [USER]}),
    "vector_stores": ("/vector_stores", {"name": "a"}),
    "vector_store_files": ("/vector_stores/{store}/files", {"file_id": "FILE"}),
    "file_batches": ("/vector_stores/{store}/file_batches", {"file_ids": ["FILE"]}),
    "prompts": ("/prompts", PROMPT),
}
"""Routes that create something, with a body for each."""


@pytest.mark.parametrize("name", CREATING)
def test_D20_same_key_same_body(
    url: str, upstream: Upstream, key: str, made: dict[str, str], name: str
) -> None:
    upstream.script(TEXT)
    path, body = CREATING[name][0].format(**made), CREATING[name][1]
    if isinstance(body, dict):
        body = {
            field: made["file"] if value == "FILE" else [made["file"]] if value == ["FILE"] else value
            for field, value in body.items()
        }
    first = ask(url, key, body, path)
    assert first.status == 200, first.body
    asked = len(upstream.requests)
    same(first, ask(url, key, body, path))
    same(first, ask(url, key, body, path))
    assert len(upstream.requests) == asked


def test_D20_something_is_made_once(url: str, upstream: Upstream, key: str, made: dict[str, str]) -> None:
    upstream.script(TEXT)
    items = f"/conversations/{made['conversation']}/items"
    before = len(get(url, "/responses?limit=100").json["data"])
    for _ in range(3):
        assert ask(url, key, ASK | {"conversation": made["conversation"]}).status == 200
        assert ask(url, key + "-items", {"items": [USER]}, items).status == 200
    assert len(get(url, "/responses?limit=100").json["data"]) == before + 1
    assert len(get(url, items).json["data"]) == 3  # The input, the output, and the added item.


def test_D20_without_a_key_each_request_is_one_of_its_own(url: str, upstream: Upstream) -> None:
    first, second = post(url, "/conversations", {}), post(url, "/conversations", {})
    assert first.json["id"] != second.json["id"]
    assert "idempotent-replayed" not in second.headers


def test_D20_an_upload_is_the_same_with_another_boundary(url: str, key: str) -> None:
    def attempt(boundary: str, text: bytes = b"hello") -> Reply:
        body = form(part("purpose", b"assistants"), part("file", text, "a.txt"))
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Idempotency-Key": key,
        }
        return call(url, "POST", "/files", body.replace(BOUNDARY.encode(), boundary.encode()), headers)

    first = attempt("one")
    assert first.status == 200, first.body
    same(first, attempt("two-and-longer"))
    check(attempt("three", b"hullo"), REUSED)
    check(attempt("four", b"hello" * 100_000), REUSED)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "up/m", "input": "Hi!"},
        {"input": "Hi", "model": "up/m"},
        STREAM,
        {},
        b"",
        b"not json",
        ASK | {"input": "x" * 900_000},
    ],
    ids=["word", "order", "stream", "empty", "nothing", "not_json", "large"],
)
def test_D20_same_key_different_body(url: str, upstream: Upstream, key: str, other: JSON | bytes) -> None:
    upstream.script(TEXT)
    first = ask(url, key)
    check(ask(url, key, other), REUSED)
    same(first, ask(url, key))
    assert len(upstream.chats) == 1


def test_D20_same_key_different_url(url: str, upstream: Upstream, key: str) -> None:
    assert ask(url, key, {}, "/conversations").status == 200
    for path in ("/vector_stores", "/conversations?include=reasoning.encrypted_content"):
        check(ask(url, key, {}, path), REUSED)


@pytest.mark.parametrize("body", [ASK, STREAM], ids=["json", "stream"])
def test_D20_concurrent(server: Serving, upstream: Upstream, key: str, body: JSONObject) -> None:
    url = server.url
    before = server.call(tasks())
    upstream.script(hanging(chunk("Hel")), TEXT)
    with sent(url, "/responses", body, f"Idempotency-Key: {key}\r\n"):
        assert upstream.hanging.wait(SECONDS)
        refused = ask(url, key, body)
        check(refused, IN_USE)
        assert refused.headers["retry-after"] == "1"
        check(ask(url, key, {"model": "other"}), IN_USE)
        assert ask(url, key + "-other", {}, "/conversations").status == 200
    # The client disconnected, so that the response is cancelled and the key is free.
    assert upstream.disconnected.wait(1)
    assert server.call(ended(before)) == []
    first = ask(url, key, body)
    assert first.status == 200
    same(first, ask(url, key, body))
    assert len(upstream.chats) == 2


def test_D20_after_restart(database: Path | str, upstream: Upstream, key: str) -> None:
    upstream.script(TEXT)
    catalogue = backends(backend(upstream))
    with Serving(database, catalogue) as server:
        streamed = ask(server.url, key, STREAM)
        created = ask(server.url, key + "-2", {}, "/conversations")
    with Serving(database, catalogue) as server:
        same(streamed, ask(server.url, key, STREAM))
        same(created, ask(server.url, key + "-2", {}, "/conversations"))
        check(ask(server.url, key, ASK), REUSED)
    assert len(upstream.chats) == 1


def test_D20_what_the_end_of_a_server_cut_off_begins_again(
    database: Path | str, upstream: Upstream, key: str
) -> None:
    upstream.script(hanging(chunk("Hel")), TEXT)
    catalogue = backends(backend(upstream))
    with ExitStack() as clients, Serving(database, catalogue) as server:
        header = f"Idempotency-Key: {key}\r\n"
        connection = clients.enter_context(sent(server.url, "/responses", STREAM, header))
        read_until(connection, "response.output_text.delta")
        server.call(server.store.servers.heartbeat())
        identifier = get(server.url, "/responses?limit=1").json["data"][0]["id"]
    with Serving(database, catalogue) as server:
        again = ask(server.url, key, STREAM)
        assert again.last["status"] == "completed"
        assert again.last["id"] != identifier
        same(again, ask(server.url, key, STREAM))


def test_errors_are_not_kept(url: str, upstream: Upstream, key: str) -> None:
    check(ask(url, key, ASK | {"temperature": 99}), Bad(None, "temperature", "decimal_above_max_value"))
    check(ask(url, key, b"not json"), Bad(None, None, "invalid_json"))
    upstream.script(reply({"error": {"message": "Oh"}}, status=500), sse(chunk("Hel"), done=False), TEXT)
    assert ask(url, key).status == 502
    assert ask(url, key).status == 502
    first = ask(url, key)
    assert first.status == 200
    same(first, ask(url, key))
    assert len(upstream.chats) == 3


def test_a_stream_that_failed_is_an_answer(url: str, upstream: Upstream, key: str) -> None:
    upstream.script(sse(chunk("Hel"), done=False), TEXT)
    first = ask(url, key, STREAM)
    assert first.last["status"] == "failed"
    same(first, ask(url, key, STREAM))
    assert len(upstream.chats) == 1


def test_an_answer_outlives_what_it_shows(url: str, upstream: Upstream, key: str) -> None:
    upstream.script(TEXT)
    first = ask(url, key)
    response_id = first.json["id"]
    assert call(url, "DELETE", f"/responses/{response_id}").status == 200
    same(first, ask(url, key))
    assert get(url, f"/responses/{response_id}").status == 404


def test_an_answer_that_is_too_large_is_not_made_again(
    url: str, upstream: Upstream, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_ANSWER", 100)
    upstream.script(TEXT)
    assert ask(url, key).status == 200
    refused = ask(url, key)
    check(refused, Bad(None, "idempotency-key", "idempotent_answer_not_kept", 409))
    assert refused.headers["x-should-retry"] == "false"
    check(ask(url, key, STREAM), REUSED)
    assert len(upstream.chats) == 1


@pytest.mark.parametrize(
    ("key", "code"), [("", "string_below_min_length"), ("k" * 256, "string_above_max_length")]
)
def test_what_is_no_key(url: str, upstream: Upstream, key: str, code: str) -> None:
    check(ask(url, key), Bad(None, "idempotency-key", code))
    assert upstream.requests == []


def test_other_methods_have_no_key(url: str, key: str) -> None:
    created = ask(url, key, {}, "/conversations")
    path = f"/conversations/{created.json['id']}"
    for _ in range(2):
        assert call(url, "GET", path, headers={"Idempotency-Key": key}).json == created.json
    assert call(url, "DELETE", path, headers={"Idempotency-Key": key}).status == 200


def test_a_route_that_needs_no_body_compares_it_all_the_same(
    url: str, key: str, made: dict[str, str]
) -> None:
    files = {"file_ids": [made["file"]]}
    batch = post(url, f"/vector_stores/{made['store']}/file_batches", files).json["id"]
    path = f"/vector_stores/{made['store']}/file_batches/{batch}/cancel"
    first = ask(url, key, {}, path)
    assert first.status == 200, first.body
    same(first, ask(url, key, {}, path))
    check(ask(url, key, {"other": 1}, path), REUSED)
    check(ask(url, key, b"", path), REUSED)


@pytest.fixture
def people(database: Path | str, upstream: Upstream) -> Iterator[Serving]:
    with keyed(database, upstream) as server:
        yield server


def test_owners_have_their_own_keys(people: Serving, key: str) -> None:
    ann, bob = person(people, f"ann-{key}"), person(people, f"bob-{key}")
    twin = person(people, f"twin-{key}", owner=f"ann-{key}")
    header = {"Idempotency-Key": key}
    anns = ann.call("POST", "/conversations", {}, header)
    bobs = bob.call("POST", "/conversations", {"metadata": {"a": "b"}}, header)
    assert (anns.status, bobs.status) == (200, 200)
    assert anns.json["id"] != bobs.json["id"]
    same(anns, ann.call("POST", "/conversations", {}, header))
    same(anns, twin.call("POST", "/conversations", {}, header))
