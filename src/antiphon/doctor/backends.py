"""Checks of the chat backends: reachability, and the abilities that tiny calls show."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import msgspec

from antiphon.backends.catalogue import SAMPLE_BACKEND
from antiphon.backends.chat_model import HttpChatModel
from antiphon.backends.connections import Clients
from antiphon.backends.discovery import USUAL_PORTS, discover
from antiphon.backends.http.protocol import Client
from antiphon.backends.listing import fetch_models
from antiphon.doctor.findings import Finding, Section, bounded
from antiphon.doctor.probes import Probes
from antiphon.errors import AntiphonError, UpstreamRefused
from antiphon.settings.backends import BackendSettings
from antiphon.settings.schema import Settings
from antiphon.settings.values import mask_url

_PER_BACKEND = 4
"""The time limit of one backend, in time limits of one call."""
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|tts|dall-e|image|moderation|audio|realtime|transcribe|sora|davinci|babbage|bge-|e5-",
    re.IGNORECASE,
)
_EMBEDDING = re.compile(r"embed|bge-|e5-|minilm|gte-", re.IGNORECASE)
_SMALL = ("nano", "mini", "small")
_CHECKS = (
    "chat",
    "streaming",
    "usage in streams",
    "tools",
    "parallel calls",
    "json_schema",
    "reasoning",
    "embeddings",
)


async def backends_of(settings: Settings, clients: Clients) -> list[BackendSettings]:
    """Return the configured backends, and those that discovery finds."""
    found = list(settings.models.values())
    if settings.discover:
        names = {*settings.models, SAMPLE_BACKEND}
        discovered = await discover(clients.direct, names, {settings.port}, USUAL_PORTS)
        urls = {backend.base_url for backend in found}
        found += [each.backend for each in discovered if each.backend.base_url not in urls]
    return found


async def examine_backend(
    backend: BackendSettings, clients: Clients, model: str | None, seconds: float
) -> Section:
    """Return the findings about a backend.

    Args:
        backend: The backend.
        clients: The HTTP clients.
        model: The backend's name of the model to call; None chooses one.
        seconds: The time limit of one call.
    """
    quick = msgspec.structs.replace(
        backend,
        connect_timeout=min(backend.connect_timeout, seconds),
        first_byte_timeout=min(backend.first_byte_timeout, seconds),
        idle_timeout=min(backend.idle_timeout, seconds),
    )
    subject = f"{backend.name}: {mask_url(backend.base_url)}, kind {backend.kind}, {backend.origin}"
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(_PER_BACKEND * seconds):
            await _examine(quick, clients.of(quick), model, seconds, findings)
    except TimeoutError:
        pass
    done = {finding.check for finding in findings}
    missing = [check for check in _CHECKS if check not in done]
    if not any(finding.status == "error" for finding in findings):
        findings += [Finding(check, "skipped", "no time was left") for check in missing]
    return Section("backend", subject, findings)


async def _examine(
    backend: BackendSettings, client: Client, model: str | None, seconds: float, findings: list[Finding]
) -> None:
    names = await _listed(backend, client, seconds, findings)
    if names is None:
        return
    name = model or _chat_model(names)
    if name is None:
        reason = "no chat model is listed; name one with --model"
        findings += [Finding(check, "skipped", reason) for check in _CHECKS[:-1]]
    else:
        probes = Probes(backend, HttpChatModel(client, backend), name)
        first = await bounded("chat", probes.answers(), seconds, "error", _fix_of(backend, name))
        findings.append(first)
        if first.status == "error":
            return
        steps: tuple[tuple[str, Callable[[], Awaitable[Finding]]], ...] = (
            ("streaming", probes.streams),
            ("usage in streams", probes.counts),
            ("tools", probes.calls_tools),
            ("parallel calls", probes.calls_in_parallel),
            ("json_schema", probes.follows_schemas),
            ("reasoning", probes.reasons),
        )
        for check, probe in steps:
            if check == "parallel calls" and not probes.has_tools:
                findings.append(Finding(check, "skipped", "the model calls no functions"))
                continue
            findings.append(await bounded(check, probe(), seconds, "degraded", None))
    findings.append(await _embeddings(backend, client, names, seconds))


async def _listed(
    backend: BackendSettings, client: Client, seconds: float, findings: list[Finding]
) -> list[str] | None:
    """Return the backend's names of its models, and note whether it can be reached; None if it can't."""
    began = asyncio.get_running_loop().time()
    try:
        listed = [model.id for model in await fetch_models(client, backend, seconds)]
    except AntiphonError as error:
        if isinstance(error, UpstreamRefused) and error.upstream_status in (404, 405, 501):
            if backend.models:
                findings.append(Finding("reachable", "ok", "it answers, and has no list of models"))
                return list(backend.models)
            fix = f"Set models = [...] in [models.{backend.name}], or name one with --model"
            findings.append(Finding("reachable", "degraded", f"no list of models: {error.message}", fix))
            return []
        findings.append(Finding("reachable", "error", error.message, _fix(backend, error)))
        return None
    spent = (asyncio.get_running_loop().time() - began) * 1000
    plural = "" if len(listed) == 1 else "s"
    findings.append(Finding("reachable", "ok", f"{len(listed)} model{plural}, {spent:.0f} ms"))
    return list(backend.models) if backend.models is not None else listed


def _fix(backend: BackendSettings, error: AntiphonError) -> str:
    if isinstance(error, UpstreamRefused) and error.upstream_status in (401, 403):
        key = f"api_key_env of [models.{backend.name}]"
        return f"Check the API key: {key}, or the variable that it names"
    if isinstance(error, UpstreamRefused):
        return f"Check base_url in [models.{backend.name}]; it usually ends with /v1"
    return f"Start the backend, or check base_url in [models.{backend.name}]"


def _fix_of(backend: BackendSettings, name: str) -> str:
    return f"Name a model that can chat with --model {backend.name}/MODEL; {name} was called"


def _chat_model(names: list[str]) -> str | None:
    """Return the model to call: a small one, because calls may cost money."""
    chat = [name for name in names if not _NO_CHAT.search(name)]
    small = [name for word in _SMALL for name in chat if word in name]
    return next(iter(small or chat), None)


async def _embeddings(backend: BackendSettings, client: Client, names: list[str], seconds: float) -> Finding:
    name = next((name for name in names if _EMBEDDING.search(name)), None)
    if name is None:
        return Finding("embeddings", "skipped", "no embedding model is listed")

    async def ask() -> Finding:
        answer = await HttpChatModel(client, backend).ask("embeddings", {"model": name, "input": "a"})
        data = answer.get("data")
        vector = data[0].get("embedding") if isinstance(data, list) and data else None
        size = len(vector) if isinstance(vector, list) else 0
        if not size:
            return Finding("embeddings", "degraded", f"{name} returns no vector")
        return Finding("embeddings", "ok", f"{name} returns vectors of {size} numbers")

    fix = "Set embedding_model in [tools.file_search] to another model"
    return await bounded("embeddings", ask(), seconds, "degraded", fix)
