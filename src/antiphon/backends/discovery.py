"""Finds model servers on this machine by asking the ports on which they usually listen."""

import asyncio
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass

from antiphon.backends.http.client import HttpClient
from antiphon.backends.listing import fetch_models
from antiphon.errors import AntiphonError
from antiphon.settings.schema import PRESETS, BackendSettings, Kind
from antiphon.wire.models import Model

USUAL_PORTS: dict[int, Kind] = {11434: "ollama", 8000: "vllm", 1234: "lmstudio", 8080: "llamacpp"}
DEADLINE = 0.2
"""Seconds that the search may add to the start-up. A server on this machine answers in a hundredth of it."""

# What the servers write into `owned_by`. On a port that many programs use, nothing else tells them apart.
_OWNERS: dict[str, Kind] = {
    "library": "ollama",
    "vllm": "vllm",
    "organization_owner": "lmstudio",
    "llamacpp": "llamacpp",
}
_OWN_PORTS: frozenset[Kind] = frozenset({"ollama", "lmstudio"})
_OURSELVES = "antiphon"


@dataclass(frozen=True)
class Found:
    """A model server on this machine."""

    backend: BackendSettings
    models: list[Model]
    seconds: float
    """How long it took to answer."""


async def discover(
    client: HttpClient,
    taken_names: Container[str],
    taken_ports: Container[int],
    ports: Mapping[int, Kind] = USUAL_PORTS,
) -> list[Found]:
    """Returns the servers that list their models within `DEADLINE`, in the order of `ports`.

    `taken_ports` are not asked: this server's own, and those of backends that are configured. A second
    server of a kind, or one whose name is taken, is named after its port too.
    """
    asked = {port: kind for port, kind in ports.items() if port not in taken_ports}
    found = await asyncio.gather(*(_ask(client, port, kind) for port, kind in asked.items()))
    named: dict[str, Found] = {}
    for server in found:
        if server is not None:
            name = server.backend.name
            if name in taken_names or name in named:
                name = f"{name}-{server.backend.base_url.rsplit(':', 1)[1].removesuffix('/v1')}"
            named[name] = _renamed(server, name)
    return list(named.values())


async def _ask(client: HttpClient, port: int, usual: Kind) -> Found | None:
    url = f"http://127.0.0.1:{port}/v1"
    started = time.monotonic()
    try:
        models = await fetch_models(client, _backend(usual, usual, url), DEADLINE)
    except AntiphonError:
        # Nothing there, or something else, or a server that wants a key and so has to be configured.
        return None
    owners = {model.owned_by for model in models}
    if _OURSELVES in owners:
        # Another server of ours, which may well look for us.
        return None
    kinds = [_OWNERS[owner] for owner in owners if owner in _OWNERS]
    kind = kinds[0] if kinds else usual if usual in _OWN_PORTS else "other"
    name = f"local-{port}" if kind == "other" else kind
    return Found(_backend(name, kind, url), models, time.monotonic() - started)


def _backend(name: str, kind: Kind, url: str) -> BackendSettings:
    return BackendSettings(name=name, kind=kind, base_url=url, capabilities=PRESETS[kind], origin="found")


def _renamed(server: Found, name: str) -> Found:
    backend = server.backend
    return Found(_backend(name, backend.kind, backend.base_url), server.models, server.seconds)
