"""Discovery of model servers on this machine, by their usual ports."""

import asyncio
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass

from antiphon.backends.http.protocol import Client
from antiphon.backends.listing import fetch_models
from antiphon.errors import AntiphonError
from antiphon.settings.backends import FOUND, PRESETS, BackendSettings, Kind
from antiphon.wire.models import Model

USUAL_PORTS: dict[int, Kind] = {
    11434: "ollama",
    8000: "vllm",
    1234: "lmstudio",
    8080: "llamacpp",
    8081: "llamacpp",  # A second llama-server, often for embeddings.
}
DEADLINE = 0.2
"""Seconds that the search may add to startup; a local server needs about 2 ms."""

# The `owned_by` values of each kind: on a port that many programs use, nothing else identifies the server.
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
    """A discovered model server on this machine."""

    backend: BackendSettings
    """The settings for the server."""
    models: list[Model]
    """The models that the server lists."""
    seconds: float
    """The server's response time."""


async def discover(
    client: Client,
    taken_names: Container[str],
    taken_ports: Container[int],
    ports: Mapping[int, Kind] = USUAL_PORTS,
) -> list[Found]:
    """Return the servers that list their models within `DEADLINE`.

    They have the order of `ports`. A server whose name is already used, for example the second one of a kind,
    has its port in its name.

    Args:
        client: The HTTP client to use.
        taken_names: The names of configured backends.
        taken_ports: Ports to skip: this server's own, and those of configured backends.
        ports: The ports to search, with the kind usual on each.
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


async def _ask(client: Client, port: int, usual: Kind) -> Found | None:
    url = f"http://127.0.0.1:{port}/v1"
    started = time.monotonic()
    try:
        models = await fetch_models(client, _backend(usual, usual, url), DEADLINE)
    except AntiphonError:
        # No server, some other program, or a server that requires a key and so must be configured.
        return None
    owners = {model.owned_by for model in models}
    if _OURSELVES in owners:
        # This is another Antiphon server, whose own discovery may find this one.
        return None
    kinds = [_OWNERS[owner] for owner in owners if owner in _OWNERS]
    kind = kinds[0] if kinds else usual if usual in _OWN_PORTS else "other"
    name = f"local-{port}" if kind == "other" else kind
    return Found(_backend(name, kind, url), models, time.monotonic() - started)


def _backend(name: str, kind: Kind, url: str) -> BackendSettings:
    return BackendSettings(name=name, kind=kind, base_url=url, capabilities=PRESETS[kind], origin=FOUND)


def _renamed(server: Found, name: str) -> Found:
    backend = server.backend
    return Found(_backend(name, backend.kind, backend.base_url), server.models, server.seconds)
