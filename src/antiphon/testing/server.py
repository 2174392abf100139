"""Server on a local port, in a thread of this process."""

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
from antiphon.serving.http import http_server
from antiphon.serving.serve import opened
from antiphon.serving.sockets import address, listen
from antiphon.settings.backends import BackendSettings
from antiphon.settings.load import load_settings
from antiphon.settings.schema import SETTINGS, Mode, Settings
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from antiphon.wire.json import JSON

_GRACE = 1
"""Seconds that open streams have to finish at the end of `serve`."""
_FIXED = frozenset({"host", "port", "workers", "record", "replay", "recording", "recordings"})
"""Settings that `serve` derives from its own arguments."""
_SCOPED = re.compile(rb"/scope/([^/]+)(/.*)")


@dataclass(frozen=True)
class Outcome:
    """Results of the model calls of one request."""

    scope: str
    """Scope of the request."""
    hits: int
    """Calls answered from a recording."""
    misses: int
    """Calls without a recording, except those that were recorded as a result."""
    recorded: int
    """Calls made to a backend and recorded."""
    recordings: tuple[str, ...]
    """Recordings that were replayed or written, as file and number: `default.json#2`."""
    error: str | None
    """Message of the server's error response, if any."""


class LocalServer:
    """Server in this process; `url` is its base URL for the scope passed to `serve`."""

    def __init__(self, origin: str, scope: str) -> None:
        self._origin = origin
        self._records: deque[Record] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._catalogue: ModelCatalogue | None = None
        self.url = self.url_of(scope)

    def url_of(self, scope: str) -> str:
        """Return the base URL whose requests belong to a scope, such as one test.

        A scope in the headers of a request takes precedence.
        """
        return f"{self._origin}/scope/{quote(scope, safe='')}/v1"

    def begin(self, scope: str) -> None:
        """Restart a scope, for a test that runs again.

        Replay restarts at the first recording of the scope, injected faults are counted from one, and new
        recordings replace those of the earlier run. Frozen IDs and times continue, so that no two responses
        share an ID.
        """
        from antiphon.recording.seam.catalogue import RecordingCatalogue

        async def begin() -> None:
            if isinstance(self._catalogue, RecordingCatalogue):
                self._catalogue.begin(scope)

        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    def serves(self, catalogue: ModelCatalogue) -> None:
        """Set the catalogue that the server uses; called within the server's event loop."""
        self._loop, self._catalogue = asyncio.get_running_loop(), catalogue

    def watch(self, record: Record) -> None:
        """Add the record of a new request.

        The record is complete before the client receives the last byte of the response.
        """
        self._records.append(record)

    def take(self) -> list[Outcome]:
        """Return the outcomes of the requests since the last call, in order."""
        records = [self._records.popleft() for _ in range(len(self._records))]
        return [outcome for record in records if (outcome := _outcome(record)) is not None]

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return `app` with scope prefixes in its paths."""

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
    """Run the server on a free local port, in a thread, until the block ends.

    Args:
        recordings: Directory of recordings.
        mode: How model and tool calls are handled.
        scope: Scope of requests that name none.
        backends: Backends to use; None discovers them as `antiphon serve` does.
        settings: Further settings by name. State is kept in memory unless `database` is set.

    Raises:
        ConfigError: A setting or a recording is wrong.
        StoreUnavailable: The database cannot be opened.
    """
    loaded = settings_of(recordings, mode, backends, settings)
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
    async with opened(settings, listener.getsockname(), server.watch) as (app, _, services):
        server.serves(services.catalogue)
        http = http_server(server.around(app), settings, grace=_GRACE)
        ready.set_result(http)
        await http.serve(sockets=[listener])
        return http


def settings_of(
    recordings: str | Path | None,
    mode: Mode,
    backends: Sequence[BackendSettings] | None,
    given: dict[str, JSON],
) -> Settings:
    """Return the settings of a server for tests.

    Raises:
        ConfigError: A setting is wrong.
    """
    names = {setting.name for setting in SETTINGS} - _FIXED
    if unknown := sorted(given.keys() - names):
        raise ConfigError(f"unknown setting {unknown[0]!r}; use one of {', '.join(sorted(names))}")
    place = None if recordings is None else str(recordings)
    fixed = {"host": "127.0.0.1", "port": 0, "recording": mode, "recordings": place}
    # Tests need no API key, even if the user's own server requires one.
    env = {name: value for name, value in os.environ.items() if name != "ANTIPHON_API_KEY"}
    settings = load_settings({"database": ":memory:", **given, **fixed}, env, Path.cwd(), SEARCH_PROVIDERS)
    if backends is None:
        return settings
    named = {backend.name: backend for backend in backends}
    return msgspec.structs.replace(settings, models=named, discover=False)


def _without_prefix(scope: Scope) -> Scope:
    match = _SCOPED.fullmatch(scope.get("raw_path", b""))
    if match is None:
        return scope
    # The first of two equal headers wins, so that the request's own header overrides its path.
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
