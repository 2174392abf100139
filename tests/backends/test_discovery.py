import asyncio
import socket
import time
from collections.abc import Iterable

import pytest

from antiphon.backends.discovery import Found, discover
from antiphon.backends.http.client import HttpClient
from antiphon.settings.backends import PRESETS, Kind
from tests.support.upstream import Answer, Upstream, html, models_list, reply


def search(ports: dict[int, Kind], names: Iterable[str] = (), taken: Iterable[int] = ()) -> list[Found]:
    async def run() -> list[Found]:
        client = HttpClient()
        try:
            return await discover(client, set(names), set(taken), ports)
        finally:
            await client.close()

    return asyncio.run(run())


def server(owner: str, *models: str) -> Upstream:
    upstream = Upstream()
    upstream.models_answer = reply(models_list(*models, owned_by=owner))
    return upstream


@pytest.mark.parametrize(
    ("owner", "usual", "kind"),
    [
        ("library", "ollama", "ollama"),
        ("somebody", "ollama", "ollama"),
        ("vllm", "vllm", "vllm"),
        ("organization_owner", "lmstudio", "lmstudio"),
        ("llamacpp", "llamacpp", "llamacpp"),
        ("vllm", "llamacpp", "vllm"),
    ],
)
def test_a_server_tells_what_it_is(owner: str, usual: Kind, kind: Kind) -> None:
    with server(owner, "a", "b/c") as upstream:
        (found,) = search({upstream.port: usual})
    assert (found.backend.name, found.backend.kind) == (kind, kind)
    assert found.backend.base_url == f"http://127.0.0.1:{upstream.port}/v1"
    assert found.backend.capabilities == PRESETS[kind]
    assert found.backend.api_key is None
    assert [model.id for model in found.models] == ["a", "b/c"]
    assert 0 < found.seconds < 1


@pytest.mark.parametrize("usual", ["vllm", "llamacpp"])
def test_an_unknown_server_on_a_common_port_is_treated_with_care(usual: Kind) -> None:
    with server("sglang", "a") as upstream:
        (found,) = search({upstream.port: usual})
    assert (found.backend.name, found.backend.kind) == (f"local-{upstream.port}", "other")


def test_ollama_without_models() -> None:
    with Upstream() as upstream:
        upstream.models_answer = reply({"object": "list", "data": None})
        (found,) = search({upstream.port: "ollama"})
    assert found.models == []


@pytest.mark.parametrize(
    "answer",
    [
        html("<h1>It works!</h1>"),
        reply({"detail": "Not Found"}, status=404),
        reply({"hello": "world"}),
        reply(["a"]),
        reply({"error": {"message": "a key is needed"}}, status=401),
        reply(models_list("sample", owned_by="antiphon")),
        Answer([b"220 smtp ready\r\n"], bare=True, end="close"),
        Answer(bare=True, end="hang"),
    ],
    ids=["html", "404", "json", "list", "401", "ourselves", "smtp", "silence"],
)
def test_what_is_no_backend(answer: Answer) -> None:
    with Upstream() as upstream:
        upstream.models_answer = answer
        assert search({upstream.port: "vllm"}) == []


def test_nothing_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert search({held.getsockname()[1]: "ollama"}) == []


def test_several_at_once_and_names_that_are_taken() -> None:
    silent = Upstream()
    silent.models_answer = Answer(bare=True, end="hang")
    with server("vllm", "a") as first, server("vllm", "b") as second, silent, server("library", "c") as third:
        ports: dict[int, Kind] = {
            first.port: "vllm",
            silent.port: "lmstudio",
            second.port: "llamacpp",
            third.port: "ollama",
        }
        started = time.monotonic()
        found = search(ports, names=["ollama"])
        assert time.monotonic() - started < 1
    assert [server.backend.name for server in found] == [
        "vllm",
        f"vllm-{second.port}",
        f"ollama-{third.port}",
    ]


def test_taken_ports_are_not_asked() -> None:
    with server("vllm", "a") as upstream:
        assert search({upstream.port: "vllm"}, taken=[upstream.port]) == []
        assert upstream.connections == 0
