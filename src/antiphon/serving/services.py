"""The use cases of a server, from its settings."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from antiphon.service.access.keys import KeySettings
from antiphon.service.access.limits import Limits
from antiphon.service.batches.lines import BodyLimits
from antiphon.service.batches.slots import LineLimits
from antiphon.service.responses.responses import LogSettings
from antiphon.service.services import Services, ServiceSettings
from antiphon.serving.catalogue import open_catalogue
from antiphon.serving.periodic import stay_alive
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.store.runs.rows import RunLimits


@asynccontextmanager
async def opened_services(settings: Settings) -> AsyncGenerator[Services, None]:
    """Open the use cases for a command, without a server; close them at the end.

    Raises:
        ConfigError: A setting is wrong.
        StoreUnavailable: The database cannot be opened.
    """
    catalogue = await open_catalogue(settings)
    try:
        store = await Store.open(settings.database)
        alive = asyncio.create_task(stay_alive(store))
        try:
            async with Services.open(store, catalogue, service_settings(settings)) as services:
                yield services
        finally:
            alive.cancel()
            await store.close()
    finally:
        await catalogue.close()


def service_settings(settings: Settings) -> ServiceSettings:
    """Return the settings of the use cases."""
    return ServiceSettings(
        tools=settings.tools,
        moderation=settings.moderation,
        allow_hosts=settings.allow_hosts,
        keys=_key_settings(settings),
        seal_key=_seal_key(settings),
        plays_tools=settings.recording == "replay" and settings.replay_tools == "recorded",
        resume_grace=settings.resume_grace if settings.resumable_streams else None,
        log=LogSettings(content=settings.log_content, unstored=settings.log_unstored),
        background=RunLimits(
            per_process=settings.background_runs,
            per_owner=settings.background_runs_per_owner,
            per_backend=settings.background_runs_per_backend,
        ),
        batch_lines=LineLimits(
            per_process=settings.batch_lines,
            per_owner=settings.batch_lines_per_owner,
            per_backend=settings.batch_lines_per_backend,
        ),
        bodies=BodyLimits(
            max_body_bytes=settings.max_body_bytes, max_items=settings.max_items, is_strict=settings.strict
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
