"""API keys, and requests from other sites: S15, S16, S20, S21 of the conformance cases."""

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus

from antiphon.server.edge.authentication import Authentication, check_site
from antiphon.server.edge.boundary import Boundary
from antiphon.service.access.errors import HostNotAllowed
from antiphon.service.access.keys import Keys, KeySettings
from antiphon.settings.values import Secret
from antiphon.store import Store
from tests.server import asgi
from tests.server.client import Reply, call, ended, get, tasks
from tests.server.faults import TEXT
from tests.server.keyed import SETTINGS_KEY, Person, keyed, person
from tests.server.sockets import Socket
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream

ASK = {"model": "up/m", "input": "Hi"}


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """Yield the backend, which gives every client the same answer unless a test changes it."""
    shared_upstream.forget()
    shared_upstream.script(TEXT)
    return shared_upstream


def script(upstream: Upstream, answer: Answer) -> None:
    upstream.forget()
    upstream.script(answer)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys") / "state.db"


@pytest.fixture(scope="module")
def server(shared_upstream: Upstream, database: Path) -> Iterator[Serving]:
    with keyed(database, shared_upstream) as server:
        yield server


@pytest.fixture
def local(server: Serving) -> Person:
    return Person(server.url, SETTINGS_KEY)


def test_a_request_without_a_key(server: Serving) -> None:
    for method, path in (
        ("POST", "/responses"),
        ("GET", "/models"),
        ("GET", "/files"),
        ("OPTIONS", "/responses"),
    ):
        refused = call(server.url, method, path, {} if method == "POST" else None)
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["x-request-id"].startswith("req_")
        assert refused.error == {
            "message": "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }


@pytest.mark.parametrize("path", ["/nothing", "/../", "/../nothing", "/responses/", "/models/../models"])
def test_without_a_key_even_the_existing_routes_are_hidden(server: Serving, path: str) -> None:
    assert get(server.url, path).status == 401


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic c2s6", SETTINGS_KEY])
def test_what_holds_no_bearer_token_is_no_key(server: Serving, value: str) -> None:
    refused = call(server.url, "GET", "/models", headers={"Authorization": value})
    assert (refused.status, refused.error["code"]) == (401, None)


@pytest.mark.parametrize("key", [SETTINGS_KEY + "x", SETTINGS_KEY[:-1], SETTINGS_KEY.upper(), "é" * 20])
def test_a_wrong_key_is_not_shown_whole(server: Serving, key: str) -> None:
    refused = call(server.url, "GET", "/models", headers={"Authorization": f"Bearer {key}"})
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    assert re.fullmatch(r"Incorrect API key provided: .{8}\*\*\*.{4}\.", refused.error["message"])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
def test_a_key_opens(server: Serving, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {SETTINGS_KEY}"}
    assert call(server.url, "GET", "/models", headers=headers).status == 200


def test_openais_client_knows_these_errors(server: Serving) -> None:
    with (
        openai.OpenAI(base_url=server.url, api_key="wrong") as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()
    assert caught.value.code == "invalid_api_key"
    with openai.OpenAI(base_url=server.url, api_key=SETTINGS_KEY) as client:
        assert client.models.list().data


def test_websockets_need_a_key_too(server: Serving, local: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")
    before = server.call(tasks())
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        with pytest.raises(InvalidStatus) as caught, Socket(server.url, headers):
            pass
        response = caught.value.response
        assert response.status_code == 401
        assert response.headers["x-request-id"].startswith("req_")
        assert Reply(401, {}, bytes(response.body or b"")).error["type"] == "invalid_request_error"
    assert server.call(ended(before)) == []  # Each request has its line in the log now.
    lines = [line for line in caplog.messages if line.startswith("WS /v1/responses 401 ")]
    assert [line.rpartition(" ")[2] for line in lines] == ["invalid_request_error", "invalid_api_key"]


def test_websockets_with_a_key(local: Person, upstream: Upstream) -> None:
    with Socket(local.url, local.headers) as socket:
        assert socket.response()["status"] == "completed"


def test_a_connection_outlives_its_key_but_is_not_answered(
    server: Serving, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.service.access.keys.REFRESH", 0.0)
    leaving = person(server, "leaving")
    with Socket(leaving.url, leaving.headers) as socket:
        socket.response()
        before = len(upstream.chats)
        assert server.call(server.store.keys.delete("leaving"))
        error = socket.error()
    assert (error["status"], error["code"]) == (401, "invalid_api_key")
    assert len(upstream.chats) == before


def test_the_first_key_closes_connections_that_came_without(
    tmp_path: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.service.access.keys.REFRESH", 0.0)
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server, Socket(server.url) as socket:
        socket.response()
        person(server, "first")
        assert socket.error()["status"] == 401


def test_S15_S16_no_callers_key_goes_anywhere(
    server: Serving, upstream: Upstream, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "antiphon")
    canary = person(server, "canary")
    wrong = "sk-antiphon-a-wrong-key-that-nobody-has-made"
    canary.post("/responses", ASK)
    canary.post("/responses", ASK | {"stream": True})
    canary.post("/chat/completions", {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}]})
    canary.post("/responses", {"model": "nowhere/m", "input": "Hi"})
    with Socket(canary.url, canary.headers) as socket:
        socket.response()
    refused = Person(server.url, wrong).post("/responses", ASK)
    seen = [*upstream.requests]
    assert len(upstream.chats) == 4
    assert all("authorization" not in request.headers for request in seen)
    records = str([record.__dict__ for record in caplog.records])
    stored = b"".join(path.read_bytes() for path in database.parent.rglob("*") if path.is_file())
    for key in (canary.key, wrong, SETTINGS_KEY):
        assert key not in str(seen)
        assert key not in records
        assert key.encode() not in stored
        assert key.encode() not in refused.body
    assert b"canary" in stored


def test_the_log_names_the_key(server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")
    before = server.call(tasks())
    person(server, "logged").get("/models")
    with Socket(server.url, person(server, "logged-too").headers) as socket:
        socket.response()
    assert server.call(ended(before)) == []  # Each request has its line in the log now.
    names = [vars(record)["fields"].get("key") for record in caplog.records]
    assert names == ["logged", "logged-too"]


# S21: requests from other sites.


@pytest.mark.parametrize(
    "host",
    [
        *(
            "127.0.0.1:8321",
            "localhost:8321",
            "localhost",
            "LOCALHOST:1",
            "[::1]:8321",
            "[::1]",
            "10.0.0.7:80",
        ),
        *(
            "antiphon.localhost:8321",
            "host.docker.internal:8321",
            "host.containers.internal",
            "localhost.",
            "",
        ),
    ],
)
def test_names_of_this_machine_are_welcome(host: str) -> None:
    check_site(host.encode(), None, is_local=True)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8321", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("notlocalhost", "local", "internal:1", "a@b", "[::1", "é", "1.2.3", "localhost:x@evil.example"),
        *("box.local", "box.local:8321", "evil.internal", "x.host.docker.internal"),
    ],
)
def test_S21_names_that_anybody_may_give_to_this_machine_are_not(host: str) -> None:
    with pytest.raises(HostNotAllowed, match="is not this machine's own"):
        check_site(host.encode(), None, is_local=True)
    check_site(host.encode(), None, is_local=False)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000", "file://", ""])
def test_S21_pages_of_other_sites_are_refused(tmp_path: Path, upstream: Upstream, origin: str) -> None:
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        for method, path in (("POST", "/responses"), ("GET", "/models")):
            reply = call(server.url, method, path, ASK if method == "POST" else None, {"Origin": origin})
            assert (reply.status, reply.error["code"]) == (403, "origin_not_allowed")
        own = server.url.removesuffix("/v1")
        assert call(server.url, "GET", "/models", headers={"Origin": own}).status == 200
    assert upstream.chats == []


def test_S21_there_are_no_cors_headers(local: Person) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for answer in (
        local.call("GET", "/models", headers=headers),
        call(local.url, "OPTIONS", "/responses", None, headers),
    ):
        assert not any(name.startswith("access-control-") for name in answer.headers)


def test_with_a_key_any_host_and_page_may_call(local: Person) -> None:
    headers = {"Host": "api.example", "Origin": "https://chat.example"}
    assert local.call("GET", "/models", headers=headers).status == 200


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def asked(given: Scope, *, is_local: bool, settings: KeySettings) -> asgi.Answer:
    """Return the answer of the authentication layer alone, without the server."""
    answer = asgi.Answer()

    async def work() -> None:
        store = await Store.open(":memory:")
        app = Authentication(_hello, Keys(store.keys, store.usage, settings), is_local=is_local)
        await asgi.run(Boundary(app), given, answer)
        await store.close()

    asyncio.run(work())
    return answer


REBOUND = {"host": "evil.example"}


def test_S21_a_local_server_is_not_called_by_a_strangers_name() -> None:
    given = asgi.scope("GET", "/v1/models", headers=REBOUND)
    assert asked(given, is_local=True, settings=KeySettings()).status == 403
    assert asked(given, is_local=False, settings=KeySettings()).status == 200


@pytest.mark.parametrize("path", ["/v1/health", "/v1/ready", "/v1/version", "/v1/openapi.json", "/docs"])
def test_health_readiness_and_version_need_no_key(path: str) -> None:
    settings = KeySettings(api_key=Secret(SETTINGS_KEY))
    assert asked(asgi.scope("GET", path), is_local=True, settings=settings).status == 200
    assert asked(asgi.scope("GET", path + "/"), is_local=True, settings=settings).status == 401
