"""A server that requires keys, and its clients."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from antiphon.service.access.keys import KeySettings, create_key
from antiphon.service.access.limits import Limits
from antiphon.settings.values import Secret
from antiphon.wire.json import JSON
from tests.server.client import Reply, call
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream

SETTINGS_KEY = "sk-test-the-key-of-the-settings"


@dataclass(frozen=True)
class Person:
    """A client with a key."""

    url: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def call(
        self, method: str, path: str, body: JSON | bytes = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request."""
        return call(self.url, method, path, body, self.headers | dict(headers or {}))

    def get(self, path: str) -> Reply:
        return self.call("GET", path)

    def post(self, path: str, body: JSON = None) -> Reply:
        return self.call("POST", path, body)

    def made(self, path: str, body: JSON = None, name: str = "id") -> str:
        """Post, and return the id of the created object, whose field is `name`."""
        reply = self.post(path, body)
        assert reply.status == 200, reply.body
        made: str = reply.json[name]
        return made


@contextmanager
def keyed(database: Path | str, upstream: Upstream, **limits: int) -> Iterator[Serving]:
    """Serve in front of `upstream`; the settings have a key and limits."""
    settings = KeySettings(api_key=Secret(SETTINGS_KEY), limits=Limits(**limits))
    with Serving(database, backends(backend(upstream)), keys=settings) as server:
        yield server


def person(server: Serving, name: str, owner: str | None = None, **limits: int) -> Person:
    """Create a key for a client."""
    key, _ = server.call(create_key(server.store.keys, name, owner, Limits(**limits)))
    return Person(server.url, key)
