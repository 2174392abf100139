"""The server inside a Python process, for tests: models are called once and recorded, and then replayed.

    with serve("tests/recordings") as server:
        client = OpenAI(base_url=server.url_of("the capital"), api_key="unused")
        client.responses.create(model="gpt-4o", input="What is the capital of France?")

`antiphon.pytest_plugin` does this for the tests of a project.
"""

import asyncio
import os
import re
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.errors import ConfigError
from antiphon.observe.record import Record
from antiphon.serving.serve import address, http_server, listen, opened
from antiphon.settings.load import load_settings
from antiphon.settings.schema import SETTINGS, BackendSettings, Mode, Settings
from antiphon.wire.json import JSON

_GRACE = 1
"""Seconds that streams have to end which are still open at the end of `serve`."""
_FIXED = frozenset({"host", "port", "record", "replay", "recording", "recordings"})
"""Settings that follow from the arguments of `serve`."""
_SCOPED = re.compile(rb"/scope/([^/]+)(/.*)")


@dataclass(frozen=True)
class Outcome:
    """What became of the model calls of one request.

    `recordings` names those that answered or were made, as file and number: `default.json#2`. `error` is what
    the server answered with, if it was an error.
    """

    scope: str
    hits: int
    misses: int
    recorded: int
    recordings: tuple[str, ...]
    error: str | None


class LocalServer:
    """A server that runs in this process; `url` is its API's base URL in the scope that `serve` was given."""

    def __init__(self, origin: str, scope: str) -> None:
        self._origin = origin
        self._records: deque[Record] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._catalogue: ModelCatalogue | None = None
        self.url = self.url_of(scope)

    def url_of(self, scope: str) -> str:
        """Returns the base URL under which all requests belong to a scope (a test, a scenario).

        A request that names a scope in its headers belongs to that one.
        """
        return f"{self._origin}/scope/{quote(scope, safe='')}/v1"

    def begin(self, scope: str) -> None:
        """Begins a scope once more, for a test that runs again.

        Its recordings answer from the first one on, its faults are counted from one, and what it records
        replaces what it recorded before. Ids and times that are frozen go on, for no two responses share one.
        """
        from antiphon.recording.seam.catalogue import RecordingCatalogue

        async def begin() -> None:
            if isinstance(self._catalogue, RecordingCatalogue):
                self._catalogue.begin(scope)

        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    def serves(self, catalogue: ModelCatalogue) -> None:
        """Says what answers, from within the server's event loop."""
        self._loop, self._catalogue = asyncio.get_running_loop(), catalogue

    def watch(self, record: Record) -> None:
        """Keep the record of a request that begins; it is complete when the client has its last byte."""
        self._records.append(record)

    def take(self) -> list[Outcome]:
        """Returns the outcomes of the requests since the last time, in their order."""
        records = [self._records.popleft() for _ in range(len(self._records))]
        return [outcome for record in records if (outcome := _outcome(record)) is not None]

    def around(self, app: ASGIApp) -> ASGIApp:
        """Returns the application with the scope in its paths."""

        async def scoped(scope: Scope, receive: Receive, send: Send) -> None:
            await app(_without_prefix(scope), receive, send)

        return scoped


@contextmanager
def serve(
    recordings: str | Path | None = None,
    mode: Mode = "replay",
    *,
    scope: str = DEFAULT_SCOPE,
    backends: Sequence[BackendSettings] | None = None,
    **settings: JSON,
) -> Iterator[LocalServer]:
    """Serves on a free port of this machine, from a thread, until the block ends.

    `recordings` is the folder of recordings. Backends are found as `antiphon serve` finds them, unless they
    are given; `settings` are further settings by their names. The state is kept in memory, unless `database`
    says otherwise. Raises `ConfigError` for settings or recordings that are wrong, and `StoreUnavailable`.
    """
    loaded = _settings(recordings, mode, backends, settings)
    with (
        listen(loaded.host, loaded.port) as listener,
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="antiphon") as executor,
    ):
        server = LocalServer(address(listener), scope)
        ready: Future[uvicorn.Server] = Future()
        running = executor.submit(asyncio.run, _serve(server, loaded, listener, ready))
        wait((ready, running), return_when=FIRST_COMPLETED)
        http = (ready if ready.done() else running).result()
        try:
            yield server
        finally:
            http.should_exit = True
            running.result()


async def _serve(
    server: LocalServer, settings: Settings, listener: socket.socket, ready: "Future[uvicorn.Server]"
) -> uvicorn.Server:
    async with opened(settings, listener, server.watch) as (app, _, services):
        server.serves(services.catalogue)
        http = http_server(server.around(app), grace=_GRACE, max_body_bytes=settings.max_body_bytes)
        ready.set_result(http)
        await http.serve(sockets=[listener])
        return http


def _settings(
    recordings: str | Path | None,
    mode: Mode,
    backends: Sequence[BackendSettings] | None,
    given: dict[str, JSON],
) -> Settings:
    names = {setting.name for setting in SETTINGS} - _FIXED
    if unknown := sorted(given.keys() - names):
        raise ConfigError(f"unknown setting {unknown[0]!r}; there are {', '.join(sorted(names))}")
    place = None if recordings is None else str(recordings)
    fixed = {"host": "127.0.0.1", "port": 0, "recording": mode, "recordings": place}
    # A key that the user's own server wants is nothing to tests.
    env = {name: value for name, value in os.environ.items() if name != "ANTIPHON_API_KEY"}
    settings = load_settings({"database": ":memory:", **given, **fixed}, env, Path.cwd())
    if backends is None:
        return settings
    named = {backend.name: backend for backend in backends}
    return msgspec.structs.replace(settings, models=named, discover=False)


def _without_prefix(scope: Scope) -> Scope:
    match = _SCOPED.fullmatch(scope.get("raw_path", b""))
    if match is None:
        return scope
    # The last of two headers counts least: a request's own header goes before its path.
    headers = [*scope["headers"], (b"x-antiphon-scope", unquote_to_bytes(match[1]))]
    return {**scope, "path": unquote_to_bytes(match[2]).decode(), "raw_path": match[2], "headers": headers}


def _outcome(record: Record) -> Outcome | None:
    if record.scope is None or not (record.is_about_recordings or record.error):
        return None
    return Outcome(
        scope=record.scope,
        hits=len(record.hits),
        misses=record.unanswered,
        recorded=record.recorded_count,
        recordings=tuple(record.recordings),
        error=record.error.message if record.error else None,
    )
