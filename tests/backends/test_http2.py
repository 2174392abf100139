"""Backends that speak HTTP/2 only."""

import asyncio
import json
from pathlib import Path

import pytest

from antiphon.backends.chat_model import HttpChatModel
from antiphon.backends.connections import Clients
from antiphon.backends.listing import fetch_models
from antiphon.errors import UpstreamBroken
from antiphon.settings.backends import BackendSettings
from antiphon.settings.values import Secret
from tests.backends.calls import KEY, STREAMING, backend, chat_model, in_every_way, streamed
from tests.support.certificates import Authority
from tests.support.http2 import Http2Backend
from tests.support.proxy import Proxy
from tests.support.upstream import Upstream, chunk, reply

HOST = "models.test"
EVENTS = [chunk("Hé"), chunk("llo"), chunk(finish="stop")]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def http2_answer(path: str) -> list[bytes]:
    if path.endswith("/models"):
        return [json.dumps({"data": [{"id": "m"}]}).encode()]
    events = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in EVENTS]
    return [*events, b"data: [DONE]\n\n"]


def check_http2(settings: BackendSettings, server: Http2Backend) -> None:
    async def run() -> None:
        clients = Clients()
        model = HttpChatModel(clients.of(settings), settings)
        assert [json.loads(payload) for payload in await streamed(model)] == EVENTS
        assert [each.id for each in await fetch_models(clients.of(settings), settings, 5)] == ["m"]
        await clients.close()

    asyncio.run(run())
    head, body = server.requests[0]
    assert head[":path"] == "/v1/chat/completions"
    assert head["authorization"] == f"Bearer {KEY}"
    assert json.loads(body) == STREAMING


def test_http2_over_tls(authority: Authority) -> None:
    with Http2Backend(http2_answer, authority.server("127.0.0.1")) as server:
        check_http2(backend(server.base_url, http2=True, ca_file=str(authority.ca_file)), server)


def test_http2_without_tls() -> None:
    with Http2Backend(http2_answer) as server:
        check_http2(backend(server.base_url, http2=True), server)


def test_http2_through_a_proxy(authority: Authority) -> None:
    with (
        Http2Backend(http2_answer, authority.server(HOST)) as server,
        Proxy({f"{HOST}:443": server.port}) as proxy,
    ):
        trust = str(authority.ca_file)
        settings = backend(f"https://{HOST}/v1", proxy=Secret(proxy.url), http2=True, ca_file=trust)
        check_http2(settings, server)


def test_a_large_body_over_http2() -> None:
    words = "word " * 100_000
    with Http2Backend(http2_answer) as server:

        async def run() -> None:
            async with chat_model(backend(server.base_url, http2=True)) as model:
                await streamed(model, {**STREAMING, "messages": [{"role": "user", "content": words}]})

        asyncio.run(run())
        assert json.loads(server.requests[0][1])["messages"][0]["content"] == words


def test_a_backend_without_http2_is_named() -> None:
    with Upstream() as upstream:
        upstream.script(reply())
        for error in in_every_way(backend(upstream.base_url, http2=True)):
            assert isinstance(error, UpstreamBroken)


def test_a_backend_with_http2_only_is_named() -> None:
    with Http2Backend(http2_answer) as server:
        for error in in_every_way(backend(server.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert "its answer is not HTTP" in error.message


def test_an_abandoned_answer_ends_at_the_backend() -> None:
    async def run(settings: BackendSettings) -> None:
        async with chat_model(settings) as model:
            chunks = model.stream(STREAMING)
            assert await anext(chunks) == [b"1"]
            await chunks.aclose()
            assert await asyncio.to_thread(server.left.wait, 5)

    with Http2Backend(lambda path: [b"data: 1\n\n", b""]) as server:
        asyncio.run(run(backend(server.base_url, http2=True)))
