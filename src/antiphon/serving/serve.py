"""Server lifecycle: bind, open, print, serve, close."""

import asyncio
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from starlette.types import ASGIApp

from antiphon.dialects.llama_stack import DIALECTS
from antiphon.errors import ConfigError
from antiphon.observe import logging
from antiphon.observe.telemetry.shared import shared_metrics
from antiphon.observe.telemetry.telemetry import Telemetry, open_telemetry
from antiphon.recording.seam.frozen import Freeze
from antiphon.server.app import ROUTES, create_app
from antiphon.server.edge.routing import route_of
from antiphon.server.edge.state import ServerState, Watch, plain_record
from antiphon.service.retention import Retention, ages_of
from antiphon.service.services import Services
from antiphon.serving.banner import banner, size_text
from antiphon.serving.catalogue import mode_line, open_catalogue
from antiphon.serving.http import http_server
from antiphon.serving.identity import has_ended, new_identity
from antiphon.serving.periodic import (
    build_indexes,
    expire,
    go_on,
    index_texts,
    remove_deleted,
    stay_alive,
    tidy,
)
from antiphon.serving.services import service_settings
from antiphon.serving.sockets import address, listen
from antiphon.serving.supervisor import Supervisor, Worker
from antiphon.settings.schema import Settings
from antiphon.store import Store
from antiphon.store.database import Timing
from antiphon.store.servers import Member

_GRACE = 5
"""Seconds that open streams have to end after a signal to stop."""
_YOUNG = 10_000
"""New objects per garbage collection; successful requests leave no cycles."""
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
    announce = partial(print, file=sys.stdout if print_url else sys.stderr, flush=True)
    with listen(settings.host, settings.port) as listener:
        # Objects that are loaded by now stay. Garbage collections need not visit them.
        gc.freeze()
        gc.set_threshold(_YOUNG)
        has_workers = settings.workers > 1
        worker: Worker | None = Worker(1, announce)
        with shared_metrics() if settings.metrics and has_workers else nullcontext():
            if has_workers:
                worker = Supervisor(listener, settings.workers, announce).run()
            if worker is not None:
                with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                    runner.run(_serve_on(listener, settings, worker, print_url))


async def _serve_on(listener: socket.socket, settings: Settings, worker: Worker, print_url: bool) -> None:
    async with opened(settings, listener.getsockname(), worker=worker.number) as (app, store, services):
        url = f"{address(listener)}/v1"
        lines = banner(
            url=url,
            store=f"{store.location} ({size_text(await store.size())})",
            mode=mode_line(settings),
            keys=len(services.keys),
            has_pages=settings.viewer,
            notices=[*settings.notices, *services.catalogue.notices()],
        )
        server = http_server(app, settings, grace=_GRACE, is_worker=worker.supervisor is not None)
        for stop in (signal.SIGINT, signal.SIGTERM):
            # Before the URL is printed, so that from then on a signal ends the server in order. uvicorn
            # replaces these handlers, and raises the signals again that it received after it has ended.
            signal.signal(stop, server.handle_exit)
        if worker.supervisor is not None:
            server.stop_with(worker.supervisor)
        gc.freeze()  # Thousands of recordings stay, too.
        worker.report(url if print_url else "\n".join(lines))
        await server.serve(sockets=[listener])


@asynccontextmanager
async def opened(
    settings: Settings, bound: tuple[str, int], watch: Watch | None = None, *, worker: int = 1
) -> AsyncGenerator[tuple[ASGIApp, Store, Services], None]:
    """Open the application for an address and port with its services; close them at the end.

    Args:
        settings: Settings in effect.
        bound: Address and port.
        watch: Function that receives the record of each request.
        worker: The number of this process among the `workers` of the settings.

    Raises:
        ConfigError: A setting is wrong.
        StoreUnavailable: The database cannot be opened.
    """
    host, port = bound[:2]
    is_local = ipaddress.ip_address(host).is_loopback
    telemetry = open_telemetry(settings, route_of(ROUTES))
    catalogue = await open_catalogue(settings, None if telemetry is None else telemetry.trace_headers)
    try:
        timing = None if telemetry is None or telemetry.metrics is None else telemetry.metrics.store
        store = await _open_store(settings, new_identity(port, worker), timing)
        alive = asyncio.create_task(stay_alive(store))
        try:
            async with Services.open(store, catalogue, service_settings(settings), telemetry) as services:
                needs_key = await services.keys.is_needed()
                if not (needs_key or is_local or settings.allow_anonymous):
                    raise ConfigError(_OPEN_TO_ALL.format(host=settings.host))
                state = _state(settings, services, telemetry, watch, is_local=is_local)
                async with _periodic_work(settings, services, telemetry):
                    yield create_app(state), store, services
        finally:
            alive.cancel()
            await store.close()
    finally:
        await catalogue.close()
        if telemetry is not None:
            await telemetry.close()


def _state(
    settings: Settings,
    services: Services,
    telemetry: Telemetry | None,
    watch: Watch | None,
    *,
    is_local: bool,
) -> ServerState:
    return ServerState(
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
        has_pages=settings.viewer,
        settings=settings,
        new_record=plain_record if telemetry is None else telemetry.record,
        metrics=_scrape(telemetry, services.store),
    )


def _scrape(telemetry: Telemetry | None, store: Store) -> Callable[[], Awaitable[bytes]] | None:
    """Return the function that returns the metrics; None if they are off."""
    if telemetry is None or telemetry.metrics is None:
        return None
    return lambda: telemetry.text(store.runs.counts)


async def _open_store(settings: Settings, server_id: str, timing: Timing | None) -> Store:
    member = Member(id=server_id, has_ended=has_ended, is_worker=settings.workers > 1)
    return await Store.open(
        settings.database, member=member, synchronous=settings.sqlite_synchronous, timing=timing
    )


@asynccontextmanager
async def _periodic_work(
    settings: Settings, services: Services, telemetry: Telemetry | None
) -> AsyncGenerator[None, None]:
    """Do the work of a server beside its requests until the block ends."""
    store = services.store
    work = [
        tidy(store, services.files),
        remove_deleted(store),
        index_texts(store),
        go_on(services),
        services.background.listen(),
    ]
    index_from = settings.tools.file_search.index_from
    if index_from is not None:
        work.append(build_indexes(store, index_from))
    ages = ages_of(settings)
    if ages and not settings.freeze:  # Frozen times say nothing about the age.
        work.append(expire(Retention(store, services.files.files.folder, ages)))
    if telemetry is not None and telemetry.metrics is not None:
        work.append(telemetry.metrics.measure_lag())
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows has no uvloop.
        return None
    return uvloop.new_event_loop
