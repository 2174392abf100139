"""The server's life: bind, open, print, serve, close."""

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
from uvicorn.server import ServerState as UvicornState

from antiphon.errors import ConfigError
from antiphon.observe import logging
from antiphon.recording.seam.frozen import Freeze
from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState, Watch
from antiphon.server.http.connection import connections
from antiphon.service.access.keys import KeySettings
from antiphon.service.access.limits import Limits
from antiphon.service.services import Services
from antiphon.serving.banner import banner
from antiphon.serving.catalogue import mode_line, open_catalogue
from antiphon.serving.periodic import stay_alive, tidy
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.wire.json import JSON

_GRACE = 5
"""Seconds that open streams have to end once the server is told to stop."""
_YOUNG = 10_000
"""Objects that the search for garbage waits for, instead of 700: no request that goes well leaves cycles."""

_OPEN_TO_ALL = (
    "host {host}: other machines could use this server, for there is no key; make one with `antiphon keys "
    "create`, or set ANTIPHON_API_KEY; --allow-anonymous lets everybody in"
)


def run(settings: Settings, *, print_url: bool) -> None:
    """Serves until interrupted.

    With `print_url` the API's base URL is all that goes to standard output, as soon as the server listens.
    Raises `ConfigError`, `StoreUnavailable` and `OSError` if it cannot start.
    """
    logging.configure(settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, print_url))


async def _serve(settings: Settings, print_url: bool) -> None:
    with listen(settings.host, settings.port) as listener:
        await _serve_on(listener, settings, print_url)


async def _serve_on(listener: socket.socket, settings: Settings, print_url: bool) -> None:
    async with opened(settings, listener) as (app, store, services):
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
        server = http_server(app, grace=_GRACE, max_body_bytes=settings.max_body_bytes)
        for stop in (signal.SIGINT, signal.SIGTERM):
            # Before the URL is told: from here on a signal ends the server in order. uvicorn puts its own
            # handler over this one and raises what it caught again when it has ended; then it is enough.
            signal.signal(stop, server.handle_exit)
        # What is loaded by now stays: no search for garbage need go through thousands of recordings again.
        gc.freeze()
        gc.set_threshold(_YOUNG)
        if print_url:
            print(url, flush=True)  # noqa: T201
        else:
            print("\n".join(lines), file=sys.stderr, flush=True)  # noqa: T201
        await server.serve(sockets=[listener])


@asynccontextmanager
async def opened(
    settings: Settings, listener: socket.socket, watch: Watch | None = None
) -> AsyncGenerator[tuple[ASGIApp, Store, Services], None]:
    """Opens all that answers on a socket, and closes it at the end; raises as `run` does."""
    is_local = ipaddress.ip_address(listener.getsockname()[0]).is_loopback
    catalogue = await open_catalogue(settings)
    try:
        # No two servers of one machine have the same port: after a crash the next one takes up the state.
        port = listener.getsockname()[1]
        store = await Store.open(settings.database, server_id=f"{socket.gethostname()}:{port}")
        alive = asyncio.create_task(stay_alive(store))
        try:
            keys = _key_settings(settings)
            async with Services.open(
                store, catalogue, settings.tools, settings.allow_hosts, keys, _seal_key(settings)
            ) as services:
                needs_key = await services.keys.is_needed()
                if not (needs_key or is_local or settings.allow_anonymous):
                    raise ConfigError(_OPEN_TO_ALL.format(host=settings.host))
                tidying = asyncio.create_task(tidy(store, services.files))
                state = ServerState(
                    services=services,
                    max_body_bytes=settings.max_body_bytes,
                    recording_header=settings.recording_header,
                    freeze=Freeze() if settings.freeze else None,
                    is_local=is_local and not settings.allow_anonymous,
                    reasoning_events=settings.reasoning_events,
                    watch=watch,
                )
                try:
                    yield create_app(state), store, services
                finally:
                    tidying.cancel()
        finally:
            alive.cancel()
            await store.close()
    finally:
        await catalogue.close()


def _seal_key(settings: Settings) -> Secret | None:
    """Frozen boxes are the same in each run, so that their key is, too: nothing in them is worth hiding."""
    return settings.seal_key or (Secret("frozen") if settings.freeze else None)


def _key_settings(settings: Settings) -> KeySettings:
    limits = Limits(
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        concurrent_streams=settings.concurrent_streams,
    )
    return KeySettings(api_key=settings.api_key, limits=limits)


def http_server(app: ASGIApp, *, grace: int, max_body_bytes: int) -> uvicorn.Server:
    """Returns the HTTP server for an application; once stopped, open streams have `grace` seconds to end."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=connections(),  # type: ignore[arg-type]  # All that uvicorn does is to call it.
            lifespan="off",
            ws=_websocket_protocol,  # type: ignore[arg-type]  # So it is with this one.
            # A frame that is too big is refused by the application, in words; one that is far too big ends
            # the connection before it is read.
            ws_max_size=2 * max_body_bytes,
            # Events are small: to compress each of them costs more than it saves.
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=grace,
        )
    )


def _websocket_protocol(
    config: uvicorn.Config,
    server_state: UvicornState,
    app_state: dict[str, JSON],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """Serves a connection that becomes a WebSocket; its library is loaded for the first of them."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(config, server_state, app_state, _loop)


def address(listener: socket.socket) -> str:
    """Returns the URL of a listening socket, without a path."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket; port 0 takes any free one. Raises OSError in words for the operator."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol told, asyncio sends what is written at once (TCP_NODELAY). Without it the body of an
    # answer waits 40 ms for the client to confirm the head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
