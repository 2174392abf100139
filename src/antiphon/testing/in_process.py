"""Server without a socket: clients of the same process call its application."""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import httpx2

from antiphon.engine.request_context import DEFAULT_SCOPE
from antiphon.serving.serve import opened
from antiphon.settings.backends import BackendSettings
from antiphon.settings.schema import Mode, Settings
from antiphon.testing.server import LocalServer, settings_of
from antiphon.testing.transport import AppTransport
from antiphon.wire.json import JSON

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

Ready: TypeAlias = "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]"

_ORIGIN = "http://localhost"


class InProcessServer(LocalServer):
    """Server that only clients of this process reach, through its transport."""

    def __init__(self, scope: str) -> None:
        super().__init__(_ORIGIN, scope)
        self.transport: AppTransport
        """Transport for clients of httpx2; it serves the URLs of `url_of`."""

    def client(self, scope: str | None = None) -> "OpenAI":
        """Return a client of the `openai` package for a scope, without retries."""
        from openai import OpenAI

        return OpenAI(
            base_url=self.url if scope is None else self.url_of(scope),
            api_key="unused",
            max_retries=0,
            http_client=httpx2.Client(transport=self.transport),
        )

    def async_client(self, scope: str | None = None) -> "AsyncOpenAI":
        """Return an asynchronous client of the `openai` package for a scope, without retries."""
        from openai import AsyncOpenAI

        return AsyncOpenAI(
            base_url=self.url if scope is None else self.url_of(scope),
            api_key="unused",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=self.transport),
        )


@contextmanager
def in_process(
    recordings: str | Path | None = None,
    mode: Mode = "replay",
    *,
    scope: str = DEFAULT_SCOPE,
    backends: Sequence[BackendSettings] | None = None,
    **settings: JSON,
) -> Iterator[InProcessServer]:
    """Run the server in a thread, without a socket, until the block ends.

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
    server = InProcessServer(scope)
    ready: Ready = Future()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="antiphon") as executor:
        running = executor.submit(asyncio.run, _serve(server, loaded, ready))
        running.add_done_callback(lambda _: ready.cancel())
        try:
            loop, stop = ready.result()
        except CancelledError:
            running.result()
            raise
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(stop.set)
            running.result()


async def _serve(server: InProcessServer, settings: Settings, ready: Ready) -> None:
    async with opened(settings, (settings.host, 0), server.watch) as (app, _, services):
        server.serves(services.catalogue)
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        server.transport = AppTransport(server.around(app), loop)
        ready.set_result((loop, stop))
        await stop.wait()
