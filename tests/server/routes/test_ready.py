"""`GET /v1/ready`: for probes without a key, which get no addresses."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.requests import Request

from antiphon.errors import StoreUnavailable
from antiphon.server.edge import authentication
from antiphon.server.edge.authentication import is_known
from antiphon.service import readiness
from antiphon.service.access.keys import KeySettings
from antiphon.settings.values import Secret
from tests.backends.test_catalogue import nowhere
from tests.server import asgi
from tests.server.client import Reply, call, get
from tests.server.keyed import SETTINGS_KEY
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream

DEAD = "cannot connect to 127.0.0.1:"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Return the database path of a server of one test."""
    return tmp_path / "state.db"


@pytest.fixture
def keyed(own: Path) -> Iterator[Serving]:
    """Start a server with a key, whose only backend is dead."""
    keys = KeySettings(api_key=Secret(SETTINGS_KEY))
    with Serving(own, backends(nowhere("dead")), keys=keys) as server:
        yield server


def ready(server: Serving, key: str | None = None, **headers: str) -> Reply:
    given = headers | ({"authorization": f"Bearer {key}"} if key else {})
    return call(server.url, "GET", "/ready", None, given)


def test_a_server_is_ready(url: str) -> None:
    reply = get(url, "/ready")
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert reply.json == {
        "status": "OK",
        "database": {"status": "OK", "message": ""},
        "backends": [{"name": "up", "status": "OK", "message": ""}],
    }


def test_one_backend_is_enough(own: Path, upstream: Upstream) -> None:
    with Serving(own, backends(backend(upstream), nowhere("dead"))) as server:
        reply = ready(server)
    assert reply.status == 200
    assert [each["status"] for each in reply.json["backends"]] == ["Error", "OK"]


def test_a_server_that_is_not_ready_has_an_error(keyed: Serving) -> None:
    reply = ready(keyed, SETTINGS_KEY)
    assert (reply.status, reply.json["status"]) == (503, "Error")
    assert reply.json["error"] == {
        "message": "The server isn't ready: no backend answers.",
        "type": "server_error",
        "param": None,
        "code": "not_ready",
    }
    (dead,) = reply.json["backends"]
    assert dead["message"].startswith(DEAD)
    assert get(keyed.url, "/health").status == 200


@pytest.mark.parametrize("key", [None, "sk-antiphon-wrong"])
def test_addresses_are_for_clients_with_a_key(keyed: Serving, key: str | None) -> None:
    reply = ready(keyed, key)
    assert reply.status == 503
    assert reply.json["backends"] == [{"name": "dead", "status": "Error", "message": ""}]
    assert b"127.0.0.1" not in reply.body


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}])
def test_addresses_are_not_for_pages_of_other_sites(own: Path, headers: dict[str, str]) -> None:
    with Serving(own, backends(nowhere("dead"))) as server:
        assert (DEAD.encode() in ready(server, **headers).body) is not bool(headers)


def test_a_locked_database_is_not_ready_in_time(
    own: Path, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE", 0.05)
    with Serving(own, backends(backend(upstream))) as server:
        other = sqlite3.connect(own, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        reply = ready(server)
        assert (reply.status, reply.json["database"]["status"]) == (503, "Error")
        assert get(server.url, "/health").status == 200
        other.execute("ROLLBACK")
        other.close()


def test_keys_that_cannot_be_read_leave_clients_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_PATIENCE", 0.01)

    class Slow:
        async def is_needed(self) -> bool:
            await asyncio.Event().wait()
            return False

    class Broken:
        async def is_needed(self) -> bool:
            raise StoreUnavailable("The database is locked.")

    for keys in (Slow(), Broken()):
        given = {**asgi.scope(), "app": SimpleNamespace(state=asgi.server(keys=keys))}
        assert asyncio.run(is_known(Request(given))) is False
