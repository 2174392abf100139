"""Server lifecycle: bind, open, print, serve, close."""

import asyncio
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import uvicorn
from starlette.types import ASGIApp

from antiphon.dialects.llama_stack import DIALECTS
from antiphon.errors import ConfigError
from antiphon.observe import logging
from antiphon.recording.seam.frozen import Freeze
from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState, Watch
from antiphon.server.http.connection import connections
from antiphon.service.access.keys import KeySettings
from antiphon.service.access.limits import Limits
from antiphon.service.services import Services, ServiceSettings
from antiphon.serving.banner import banner
from antiphon.serving.catalogue import mode_line, open_catalogue
from antiphon.serving.periodic import build_indexes, go_on, remove_deleted, stay_alive, tidy
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.store.runs.rows import RunLimits

_GRACE = 5
"""Seconds that open streams have to end after a signal to stop."""
_YOUNG = 10_000
"""New objects per garbage collection; successful requests leave no cycles."""
_MAX_FRAME = 16 * 1024 * 1024
"""Size limit of WebSocket messages in bytes: a connection buffers a whole one before it is read."""
_PROBES = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 6}
"""Socket options by which the kernel finds lost clients within two minutes."""

_OPEN_TO_ALL = (
    "host {host}: other machines could use this server without a key; create one with `antiphon keys "
    "create`, set ANTIPHON_API_KEY, or allow anonymous access with --allow-anonymous"
)


def run(settings: Settings, *, print_url: bool) -> None:
    """Serve until interrupted.

    Args:
        settings: Settings in effect.
        print_url: Whether to print the API's base URL, and nothing else, to standard output.

    Raises:
        ConfigError: A setting is wrong.
        StoreUnavailable: The database cannot be opened.
        OSError: The address cannot be bound.
    """
    logging.configure(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, print_url))


async def _serve(settings: Settings, print_url: bool) -> None:
    with listen(settings.host, settings.port) as listener:
        await _serve_on(listener, settings, print_url)


async def _serve_on(listener: socket.socket, settings: Settings, print_url: bool) -> None:
    async with opened(settings, listener.getsockname()) as (app, store, services):
        url = f"{address(listener)}/v1"
        notices = [*settings.notices, *services.catalogue.notices()]
        lines = banner(
            url=url,
            store=store.location,
            store_bytes=await store.size(),
            mode=mode_line(settings),
            keys=len(services.keys),
            notices=notices,
        )
        server = http_server(app, settings, grace=_GRACE)
        for stop in (signal.SIGINT, signal.SIGTERM):
            # Before the URL is printed, so that from then on a signal ends the server in order. uvicorn
            # replaces these handlers, and raises the signals again that it received after it has ended.
            signal.signal(stop, server.handle_exit)
        # Objects that are loaded by now stay. Garbage collections need not visit thousands of recordings.
        gc.freeze()
        gc.set_threshold(_YOUNG)
        if print_url:
            print(url, flush=True)  # noqa: T201
        else:
            print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201
        await server.serve(sockets=[listener])


@asynccontextmanager
async def opened(
    settings: Settings, bound: tuple[str, int], watch: Watch | None = None
) -> AsyncGenerator[tuple[ASGIApp, Store, Services], None]:
    """Open the application for an address and port with its services; close them at the end.

    Raises:
        ConfigError: A setting is wrong.
        StoreUnavailable: The database cannot be opened.
    """
    host, port = bound[:2]
    is_local = ipaddress.ip_address(host).is_loopback
    catalogue = await open_catalogue(settings)
    try:
        # Servers of one machine have different ports. After a crash, the next server on the port recovers.
        store = await Store.open(settings.database, server_id=f"{socket.gethostname()}:{port}")
        alive = asyncio.create_task(stay_alive(store))
        try:
            async with Services.open(store, catalogue, _service_settings(settings)) as services:
                needs_key = await services.keys.is_needed()
                if not (needs_key or is_local or settings.allow_anonymous):
                    raise ConfigError(_OPEN_TO_ALL.format(host=settings.host))
                periodic = [
                    asyncio.create_task(tidy(store, services.files)),
                    asyncio.create_task(remove_deleted(store)),
                    asyncio.create_task(go_on(services.background)),
                ]
                index_from = settings.tools.file_search.index_from
                if index_from is not None:
                    periodic.append(asyncio.create_task(build_indexes(store, index_from)))
                state = ServerState(
                    services=services,
                    max_body_bytes=settings.max_body_bytes,
                    max_items=settings.max_items,
                    recording_header=settings.recording_header,
                    freeze=Freeze() if settings.freeze else None,
                    is_local=is_local and not settings.allow_anonymous,
                    strict=settings.strict,
                    reasoning_events=settings.reasoning_events,
                    dialect=DIALECTS.get(settings.dialect),
                    watch=watch,
                )
                try:
                    yield create_app(state), store, services
                finally:
                    for task in periodic:
                        task.cancel()
        finally:
            alive.cancel()
            await store.close()
    finally:
        await catalogue.close()


def _service_settings(settings: Settings) -> ServiceSettings:
    return ServiceSettings(
        tools=settings.tools,
        allow_hosts=settings.allow_hosts,
        keys=_key_settings(settings),
        seal_key=_seal_key(settings),
        background=RunLimits(
            per_process=settings.background_runs,
            per_owner=settings.background_runs_per_owner,
            per_backend=settings.background_runs_per_backend,
        ),
    )


def _seal_key(settings: Settings) -> Secret | None:
    """Return the key of encrypted content, a constant for frozen output."""
    return settings.seal_key or (Secret("frozen") if settings.freeze else None)


def _key_settings(settings: Settings) -> KeySettings:
    limits = Limits(
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        concurrent_streams=settings.concurrent_streams,
    )
    return KeySettings(api_key=settings.api_key, limits=limits)


def http_server(app: ASGIApp, settings: Settings, *, grace: int) -> uvicorn.Server:
    """Return the HTTP server for an application.

    Args:
        app: The application.
        settings: Settings in effect.
        grace: Seconds that open streams have to end after the server received a signal to stop.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=connections(settings.send_timeout),  # type: ignore[arg-type]  # uvicorn only calls it.
            lifespan="off",
            ws="none",  # The connections open WebSockets themselves.
            # The application rejects a frame over the limit with a message. A frame of more than twice the
            # limit ends the connection before it is read.
            ws_max_size=min(2 * settings.max_body_bytes, _MAX_FRAME),
            # Compressing each of the small events costs more than it saves.
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace,
        )
    )


def address(listener: socket.socket) -> str:
    """Return the URL of a listening socket, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free port.

    Raises:
        OSError: The address cannot be bound; the message is for the operator.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, asyncio sets TCP_NODELAY. Otherwise the body of a response could wait 40 ms
    # until the client has acknowledged the head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit the options.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        if hasattr(socket, name):  # Not on all platforms.
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows has no uvloop.
        return None
    return uvloop.new_event_loop
