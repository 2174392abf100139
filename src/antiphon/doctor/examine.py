"""All checks of an installation, which run at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from antiphon.backends.connections import Clients
from antiphon.build import version_text
from antiphon.doctor.backends import backends_of, examine_backend
from antiphon.doctor.findings import Finding, Report, Section, worst
from antiphon.doctor.installation import (
    code_section,
    database_section,
    mcp_section,
    port_section,
    search_section,
    settings_section,
    telemetry_section,
)
from antiphon.settings.schema import SETTINGS, Settings

_NO_BACKEND = Section(
    "backend",
    "none",
    [
        Finding(
            "configured",
            "degraded",
            "no backend is configured or found; only the sample model answers",
            "Set OPENAI_API_KEY, start Ollama, or add [models.NAME] to antiphon.toml",
        )
    ],
)


async def examine(
    settings: Settings, models: Iterable[str], seconds: float, show: Callable[[Section], None]
) -> Report:
    """Return all findings.

    Args:
        settings: The settings in effect.
        models: Models to call, as `backend/model`, for the backends that they name.
        seconds: The time limit of one call.
        show: Called with each section when it is complete, in a fixed order.
    """
    chosen = dict(model.partition("/")[::2] for model in models)
    sections: list[Section] = []

    def done(section: Section) -> None:
        sections.append(section)
        show(section)

    done(settings_section(settings))
    database, keys = await database_section(settings, seconds)
    done(database)
    done(await asyncio.to_thread(port_section, settings, keys))
    clients = Clients()
    try:
        backends = await backends_of(settings, clients)
        running: list[Awaitable[Section]] = [
            examine_backend(backend, clients, chosen.get(backend.name), seconds) for backend in backends
        ]
        running.append(search_section(settings, seconds))
        for name, server in settings.tools.mcp.servers.items():
            running.append(mcp_section(name, server, settings, seconds))
        if not backends:
            done(_NO_BACKEND)
        for task in [asyncio.ensure_future(each) for each in running]:
            done(await task)
    finally:
        await clients.close()
    done(code_section())
    done(telemetry_section(settings))
    shown = settings.shown()
    values = {
        setting.key: {"value": shown[setting.name], "origin": settings.origins.get(setting.name, "default")}
        for setting in SETTINGS
    }
    return Report(version_text(), worst(sections), sections, values)
