"""S17 and S18: objects of other owners are not found on any route, in any list or by any reference."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route, WebSocketRoute

from antiphon.server.app import ROUTES
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import get
from tests.server.faults import TEXT
from tests.server.forms import FORM, form, part
from tests.server.keyed import SETTINGS_KEY, Person, keyed, person
from tests.server.sockets import Socket
from tests.support.serving import Serving
from tests.support.upstream import Answer, Upstream, completion, reply

MESSAGE = {"type": "message", "role": "user", "content": "Hi"}

BODIES: dict[str, JSON] = {
    "GET /v1/responses/{response_id}": None,
    "DELETE /v1/responses/{response_id}": None,
    "GET /v1/responses/{response_id}/input_items": None,
    "POST /v1/responses/{response_id}/cancel": None,
    "GET /v1/conversations/{conversation_id}": None,
    "POST /v1/conversations/{conversation_id}": {"metadata": {"stolen": "yes"}},
    "DELETE /v1/conversations/{conversation_id}": None,
    "POST /v1/conversations/{conversation_id}/items": {"items": [MESSAGE]},
    "GET /v1/conversations/{conversation_id}/items": None,
    "GET /v1/conversations/{conversation_id}/items/{item_id}": None,
    "DELETE /v1/conversations/{conversation_id}/items/{item_id}": None,
    "GET /v1/chat/completions/{completion_id}": None,
    "POST /v1/chat/completions/{completion_id}": {"metadata": {"stolen": "yes"}},
    "DELETE /v1/chat/completions/{completion_id}": None,
    "GET /v1/chat/completions/{completion_id}/messages": None,
    "POST /v1/uploads/{upload_id}/parts": None,
    "POST /v1/uploads/{upload_id}/complete": {"part_ids": ["part_1"]},
    "POST /v1/uploads/{upload_id}/cancel": None,
    "GET /v1/files/{file_id}": None,
    "DELETE /v1/files/{file_id}": None,
    "GET /v1/files/{file_id}/content": None,
    "GET /v1/containers/{container_id}": None,
    "DELETE /v1/containers/{container_id}": None,
    "POST /v1/containers/{container_id}/files": {"file_id": "{file_id}"},
    "GET /v1/containers/{container_id}/files": None,
    "GET /v1/containers/{container_id}/files/{file_id}": None,
    "DELETE /v1/containers/{container_id}/files/{file_id}": None,
    "GET /v1/containers/{container_id}/files/{file_id}/content": None,
    "GET /v1/batches/{batch_id}": None,
    "POST /v1/batches/{batch_id}/cancel": None,
    "GET /v1/webhook_endpoints/{webhook_endpoint_id}": None,
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}": {"name": "stolen"},
    "DELETE /v1/webhook_endpoints/{webhook_endpoint_id}": None,
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}/rotate_secret": {},
    "POST /v1/webhook_endpoints/{webhook_endpoint_id}/test": {"event_type": "batch.failed"},
    "GET /v1/prompts/{prompt_id}": None,
    "PUT /v1/prompts/{prompt_id}": {"prompt": "Stolen", "version": 1, "variables": []},
    "POST /v1/prompts/{prompt_id}": {"prompt": "Stolen", "version": 1, "variables": []},
    "DELETE /v1/prompts/{prompt_id}": None,
    "GET /v1/prompts/{prompt_id}/versions": None,
    "PUT /v1/prompts/{prompt_id}/set-default-version": {"version": 1},
    "POST /v1/prompts/{prompt_id}/set-default-version": {"version": 1},
    "GET /v1/vector_stores/{vector_store_id}": None,
    "POST /v1/vector_stores/{vector_store_id}": {"name": "stolen"},
    "DELETE /v1/vector_stores/{vector_store_id}": None,
    "POST /v1/vector_stores/{vector_store_id}/search": {"query": "secret"},
    "POST /v1/vector_stores/{vector_store_id}/files": {"file_id": "{file_id}"},
    "GET /v1/vector_stores/{vector_store_id}/files": None,
    "GET /v1/vector_stores/{vector_store_id}/files/{file_id}": None,
    "POST /v1/vector_stores/{vector_store_id}/files/{file_id}": {"attributes": {"stolen": "yes"}},
    "DELETE /v1/vector_stores/{vector_store_id}/files/{file_id}": None,
    "GET /v1/vector_stores/{vector_store_id}/files/{file_id}/content": None,
    "POST /v1/vector_stores/{vector_store_id}/file_batches": {"file_ids": ["{file_id}"]},
    "GET /v1/vector_stores/{vector_store_id}/file_batches/{batch_id}": None,
    "POST /v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel": None,
    "GET /v1/vector_stores/{vector_store_id}/file_batches/{batch_id}/files": None,
}
"""Every route that names an object, with a body that would change it."""

HOOK: JSONObject = {"name": "hers", "url": "https://192.0.1.1/", "event_types": ["batch.failed"]}
STORED_CHAT: JSONObject = {
    "model": "up/m",
    "messages": [{"role": "user", "content": "Her secret"}],
    "store": True,
}
UPLOAD: JSONObject = {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"}
NOBODYS = frozenset(
    {
        "GET /v1/models/{model:path}",
        "DELETE /v1/models/{model:path}",
        "GET /v1/providers/{provider_id}",
    }
)
"""Routes whose ids are the server's own."""

LISTS = (
    "/responses",
    "/chat/completions",
    "/files",
    "/containers",
    "/batches",
    "/webhook_endpoints",
    "/vector_stores",
    "/prompts",
)
"""Every list of an owner's objects."""
OTHER_GETS = frozenset(
    {
        "models",
        "providers",
        "tools",
        "toolgroups",
        "shields",
        "scoring-functions",
        "inspect/routes",
        "health",
        "ready",
        "version",
        "openapi.json",
        "webhook_event_types",
    }
)

REFERENCES: dict[str, JSONObject] = {
    "previous_response_id": {"previous_response_id": "{response_id}"},
    "conversation": {"conversation": "{conversation_id}"},
    "item_reference": {"input": [{"type": "item_reference", "id": "{item_id}"}]},
    "input_file": {
        "input": [{"role": "user", "content": [{"type": "input_file", "file_id": "{file_id}"}]}],
    },
    "input_image": {
        "input": [{"role": "user", "content": [{"type": "input_image", "file_id": "{file_id}"}]}],
    },
    "output": {
        "input": [
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_file", "file_id": "{file_id}"}],
            },
        ],
    },
    "file_search": {"tools": [{"type": "file_search", "vector_store_ids": ["{vector_store_id}"]}]},
    "container": {"tools": [{"type": "code_interpreter", "container": "{container_id}"}]},
    "container_files": {
        "tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["{file_id}"]}}]
    },
    "prompt": {"prompt": {"id": "{prompt_id}"}},
}
"""Every way in which a response can name an object."""


def paths() -> set[str]:
    """Return all routes of the server, as method and path."""
    found = set()
    for route in ROUTES:
        assert isinstance(route, Route | WebSocketRoute)
        methods = route.methods if isinstance(route, Route) else {"WS"}
        found |= {f"{method} {route.path}" for method in methods or () if method != "HEAD"}
    return found


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.script(TEXT)
        yield upstream


@pytest.fixture(scope="module")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with keyed(tmp_path_factory.mktemp("owners") / "state.db", upstream) as server:
        yield server


@pytest.fixture(scope="module")
def alice(server: Serving) -> Person:
    return person(server, "alice")


@pytest.fixture(scope="module")
def bob(server: Serving) -> Person:
    return person(server, "bob")


@pytest.fixture(scope="module")
def hers(alice: Person) -> dict[str, str]:
    """Create one object of each kind for alice, and return the ids."""
    conversation = alice.made("/conversations", {"items": [MESSAGE]})
    items = alice.get(f"/conversations/{conversation}/items").json["data"]
    parts = [part("purpose", b"assistants"), part("file", b"Her secret is here.", "secret.txt")]
    file_id = alice.call("POST", "/files", form(*parts), FORM).json["id"]
    store = alice.made("/vector_stores", {"name": "hers"})
    container = alice.made("/containers", {"name": "hers", "file_ids": [file_id]})
    return {
        "response_id": alice.made("/responses", {"model": "up/m", "input": "Her secret"}),
        "conversation_id": conversation,
        "item_id": items[0]["id"],
        "file_id": file_id,
        "vector_store_id": store,
        "container_id": container,
        "container_file_id": alice.get(f"/containers/{container}/files").json["data"][0]["id"],
        "file_batch_id": alice.made(f"/vector_stores/{store}/file_batches", {"file_ids": [file_id]}),
        "batch_id": created_batch(alice),
        "webhook_endpoint_id": alice.made("/webhook_endpoints", HOOK),
        "completion_id": alice.made("/chat/completions", STORED_CHAT),
        "upload_id": alice.made("/uploads", UPLOAD),
        "prompt_id": alice.made("/prompts", {"prompt": "Her secret", "variables": []}, "prompt_id"),
    }


def created_batch(alice: Person) -> str:
    """Create a batch that has ended, and return its id."""
    parts = [part("purpose", b"batch"), part("file", b"{}", "lines.jsonl")]
    file_id = alice.call("POST", "/files", form(*parts), FORM).json["id"]
    body = {"input_file_id": file_id, "endpoint": "/v1/responses", "completion_window": "24h"}
    batch = alice.made("/batches", body)
    while alice.get(f"/batches/{batch}").json["status"] != "failed":
        pass
    return batch


def filled(template: JSON, ids: dict[str, str]) -> JSON:
    """Return the body or path with ids in the places of their names."""
    if isinstance(template, str):
        template = template.replace("/file_batches/{batch_id}", "/file_batches/{file_batch_id}")
        if template.startswith("/containers/"):
            template = template.replace("/files/{file_id}", "/files/{container_file_id}")
        for name, value in ids.items():
            template = template.replace("{" + name + "}", value)
        return template
    if isinstance(template, dict):
        return {key: filled(value, ids) for key, value in template.items()}
    return [filled(value, ids) for value in template] if isinstance(template, list) else template


def script(upstream: Upstream, answer: Answer) -> None:
    upstream.forget()
    upstream.script(answer)


def everything_of(alice: Person, hers: dict[str, str]) -> list[JSON]:
    """Return all that alice sees of her objects."""
    found = []
    for route in BODIES:
        method, path = route.split(" ")
        if method == "GET":
            reply = alice.get(filled(path.removeprefix("/v1"), hers))
            assert reply.status == 200, (route, reply.body)
            body = reply.json if reply.body.startswith(b"{") else reply.body
            if path == "/v1/containers/{container_id}":
                body = reply.json | {"last_active_at": 0}  # A look is a use.
            found.append(body)
    return found


@pytest.mark.parametrize("route", BODIES)
def test_S17_another_owners_object_is_not_found(
    alice: Person, bob: Person, hers: dict[str, str], route: str
) -> None:
    before = everything_of(alice, hers)
    method, path = route.removeprefix("/v1").split(" ")
    path = path.removeprefix("/v1")
    refused = bob.call(method, filled(path, hers), filled(BODIES[route], hers))
    assert refused.status == 404, refused.body
    # The answer is the same as for an object that does not exist.
    missing = {name: value[:-8] + "00000000" for name, value in hers.items()}
    unknown = bob.call(method, filled(path, missing), filled(BODIES[route], missing))
    assert unknown.status == 404
    assert without_ids(unknown.error, missing) == without_ids(refused.error, hers)
    assert everything_of(alice, hers) == before


def without_ids(error: JSONObject, ids: dict[str, str]) -> JSONObject:
    message: str = error["message"]
    for name, value in ids.items():
        message = message.replace(value, name)
    return error | {"message": message}


def test_S17_every_route_is_tested() -> None:
    named = {path for path in paths() if "{" in path}
    assert named - NOBODYS - BODIES.keys() == set(), "a new route belongs in BODIES or NOBODYS"


@pytest.mark.parametrize("path", LISTS)
def test_S18_lists_show_ones_own(alice: Person, bob: Person, hers: dict[str, str], path: str) -> None:
    ids = set(hers.values())
    assert ids & {each.get("id") or each.get("prompt_id") for each in alice.get(path).json["data"]}
    assert bob.get(path).json["data"] == []


def test_S18_every_list_is_tested() -> None:
    gets = {path.removeprefix("GET /v1/") for path in paths() if path.startswith("GET /v1/")}
    lists = {path for path in gets if "{" not in path}
    assert lists - OTHER_GETS == {path.removeprefix("/") for path in LISTS}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("stream", [False, True])
def test_S17_a_response_cannot_name_another_owners_object(
    bob: Person, upstream: Upstream, hers: dict[str, str], name: str, stream: bool
) -> None:
    before = len(upstream.chats)
    body = {"model": "up/m", "input": "Hi", "stream": stream} | filled(REFERENCES[name], hers)
    reply = bob.post("/responses", body)
    assert reply.status in (400, 404), reply.body
    assert "secret" not in reply.error["message"]
    assert len(upstream.chats) == before
    assert bob.get("/responses").json["data"] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/responses/input_tokens", "previous_response_id"),
        ("/responses/input_tokens", "conversation"),
        ("/responses/compact", "previous_response_id"),
    ],
)
def test_S17_nor_can_what_only_reads_a_context(
    alice: Person, bob: Person, upstream: Upstream, hers: dict[str, str], path: str, name: str
) -> None:
    script(upstream, reply(completion("A summary.")))
    reference: JSONObject = filled(REFERENCES[name], hers)
    body = {"model": "up/m", "input": "Hi", **reference}
    assert alice.post(path, body).status == 200
    assert bob.post(path, body).status in (400, 404)
    script(upstream, TEXT)


def test_S17_encrypted_content_works_for_its_owner_alone(
    alice: Person, bob: Person, upstream: Upstream
) -> None:
    script(upstream, reply(completion("A summary.")))
    compaction = alice.post("/responses/compact", {"model": "up/m", "input": "Her secret"}).json["output"][-1]
    script(upstream, TEXT)
    body = {"model": "up/m", "input": [compaction, MESSAGE]}
    assert alice.post("/responses", body).status == 200
    refused = bob.post("/responses", body)
    assert (refused.status, refused.error["code"]) == (400, "invalid_encrypted_content")


@pytest.mark.parametrize("name", REFERENCES)
def test_S17_nor_over_websocket(bob: Person, upstream: Upstream, hers: dict[str, str], name: str) -> None:
    before = len(upstream.chats)
    with Socket(bob.url, bob.headers) as socket:
        assert socket.error(**filled(REFERENCES[name], hers))["status"] in (400, 404)
    assert len(upstream.chats) == before


def test_S17_what_is_made_over_websocket_is_its_callers(alice: Person, bob: Person) -> None:
    with Socket(alice.url, alice.headers) as socket:
        made = socket.response()["id"]
    assert alice.get(f"/responses/{made}").status == 200
    assert bob.get(f"/responses/{made}").status == 404


def test_S17_nor_can_a_vector_store(bob: Person, hers: dict[str, str]) -> None:
    store = bob.made("/vector_stores", {})
    body = {"file_id": hers["file_id"]}
    assert bob.post(f"/vector_stores/{store}/files", body).status == 404
    assert bob.post(f"/vector_stores/{store}/file_batches", {"file_ids": [hers["file_id"]]}).status == 404
    assert bob.get(f"/vector_stores/{store}/files").json["data"] == []
    assert bob.post("/vector_stores", {"file_ids": [hers["file_id"]]}).status == 404
    bob.call("DELETE", f"/vector_stores/{store}")


def test_S17_an_items_id_brings_nobody_elses_words(bob: Person, hers: dict[str, str]) -> None:
    mine = MESSAGE | {"id": hers["item_id"], "content": "mine"}
    conversation = bob.made("/conversations", {"items": [mine]})
    (item,) = bob.get(f"/conversations/{conversation}/items").json["data"]
    assert item["content"][0]["text"] == "mine"


def test_two_keys_of_one_owner_open_the_same(server: Serving, alice: Person, hers: dict[str, str]) -> None:
    again = person(server, "alice-2", "alice")
    assert everything_of(again, hers) == everything_of(alice, hers)


def test_without_a_key_there_is_nothing(server: Serving, hers: dict[str, str]) -> None:
    assert get(server.url, f"/responses/{hers['response_id']}").status == 401


def test_a_key_made_later_does_not_open_what_was_made_without(tmp_path: Path, upstream: Upstream) -> None:
    with keyed(tmp_path / "state.db", upstream) as server:
        local = Person(server.url, SETTINGS_KEY)
        made = local.made("/conversations", {})
        assert person(server, "alice").get(f"/conversations/{made}").status == 404
        assert person(server, "mine", "local").get(f"/conversations/{made}").status == 200
