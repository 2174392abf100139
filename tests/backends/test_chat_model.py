import asyncio
import json
import logging
import socket
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from antiphon.backends.chat_model import HttpChatModel
from antiphon.backends.http import client as http_client
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.steps import ModelNote, StepNotes
from antiphon.errors import (
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.ids import new_id
from antiphon.settings.backends import BackendSettings, Capabilities
from antiphon.wire.chat import ChatRequest
from tests.backends.calls import (
    JSON_TYPE,
    KEY,
    REQUEST,
    STREAMING,
    against,
    backend,
    chat_model,
    free_port,
    in_every_way,
    stream_from,
    streamed,
)
from tests.support.certificates import untrusted_tls
from tests.support.upstream import Answer, Upstream, chunk, reply, silence, sse


def test_a_stream_is_given_chunk_by_chunk() -> None:
    chunks = [chunk(role="assistant"), chunk("Hé"), chunk("llo"), chunk(finish="stop")]
    payloads = stream_from(sse(*chunks))
    assert [json.loads(payload) for payload in payloads] == chunks


def test_what_is_sent() -> None:
    capabilities = Capabilities(verbosity=False)
    with Upstream() as upstream:
        upstream.script(reply())
        against(upstream, lambda model: model.complete(REQUEST), capabilities=capabilities)
        (request,) = upstream.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == REQUEST
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"


def test_no_key_no_header() -> None:
    async def run(url: str) -> None:
        async with chat_model(BackendSettings(name="house", base_url=url)) as model:
            await model.complete(REQUEST)

    with Upstream() as upstream:
        upstream.script(reply())
        asyncio.run(run(upstream.base_url))
        assert "authorization" not in upstream.requests[0].headers


def test_capabilities_are_the_backends() -> None:
    async def run() -> Capabilities:
        async with chat_model(backend("http://h/v1", capabilities=Capabilities(logprobs=False))) as model:
            return model.capabilities

    assert asyncio.run(run()) == Capabilities(logprobs=False)


def test_connections_are_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "_REST", 0.0)

    async def calls(model: HttpChatModel) -> None:
        for _ in range(5):
            await streamed(model)
            await streamed(model, REQUEST)
            await model.complete(REQUEST)

    with Upstream() as upstream:
        upstream.script(*[sse(chunk("a")), reply(), reply()] * 5)
        against(upstream, calls)
        assert upstream.connections == 1


def test_F1_connect_refused(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with caplog.at_level(logging.WARNING, "antiphon.models"):
        for error in in_every_way(backend(f"http://127.0.0.1:{port}/v1")):
            assert isinstance(error, UpstreamUnreachable)
            assert error.status == 502
            assert f"cannot connect to 127.0.0.1:{port}" in error.message
            assert error.message.endswith(": Connection refused")
    assert len(caplog.records) == 3
    assert "retrying in" in caplog.text


def test_the_step_log_has_the_retries_of_its_own_call() -> None:
    def note() -> ModelNote:
        return ModelNote("house/m", STREAMING, Assembler([], new_id, AssemblyOptions(source="s")), 0)

    async def call() -> tuple[ModelNote, ModelNote]:
        steps = StepNotes()
        async with chat_model(backend(upstream.base_url)) as model:
            for each in (first := note(), second := note()):
                steps.begin(each)
                await streamed(model)
                steps.end(each)
        return first, second

    with Upstream() as upstream:
        busy = Answer([b"{}"], status=503, headers=JSON_TYPE | {"Retry-After": "0"})
        upstream.script(busy, sse(chunk("a")), sse(chunk("b")))
        first, second = asyncio.run(call())
    assert len(first.retries) == 1
    assert "503" in first.retries[0]
    assert second.retries == []


def test_F1_all_addresses_refuse() -> None:
    for error in in_every_way(backend(f"http://localhost:{free_port()}/v1")):
        assert error.message.endswith(": Connection refused")


def test_F2_dns_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    for error in in_every_way(backend("http://models.invalid/v1")):
        assert isinstance(error, UpstreamUnreachable)
        assert "cannot connect to models.invalid:80: Name or service not known" in error.message


def test_F3_tls_bad_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Upstream(tls=untrusted_tls(tmp_path)) as upstream:
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamUnreachable)
            assert "its certificate is not trusted" in error.message
            assert "self-signed" in error.message
        assert upstream.requests == []
    assert "retrying in" not in caplog.text


def test_F3_no_tls_at_all() -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> str:
        async with await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with chat_model(backend(f"https://127.0.0.1:{port}/v1")) as model:
                with pytest.raises(UpstreamUnreachable) as caught:
                    await model.complete(REQUEST)
        return caught.value.message

    assert "SSL" in asyncio.run(run())


def test_F4_connect_timeout() -> None:
    with Upstream() as upstream:
        # The server waits for a request and never answers the TLS handshake.
        url = upstream.base_url.replace("http:", "https:")
        for error in in_every_way(backend(url, connect_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert error.status == 504
            assert f"no connection to 127.0.0.1:{upstream.port} within 0.05 s" in error.message


def test_F5_first_byte_timeout() -> None:
    with Upstream() as upstream:
        upstream.script(silence())
        for error in in_every_way(backend(upstream.base_url, first_byte_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert "no answer within 0.05 s" in error.message


def test_F5_headers_alone_are_no_answer() -> None:
    with Upstream() as upstream:
        upstream.script(Answer(end="hang"), Answer(end="hang", headers={"Content-Type": "application/json"}))
        for error in in_every_way(backend(upstream.base_url, first_byte_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert "no answer within 0.05 s" in error.message


def test_F6_idle_gap() -> None:
    with Upstream() as upstream:
        upstream.script(
            Answer([b"data: 1\n\n"], end="hang"),
            Answer([b'{"choices"'], end="hang", headers={"Content-Type": "application/json"}),
        )
        for error in in_every_way(backend(upstream.base_url, idle_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert "silent for 0.05 s in the middle of its answer" in error.message


async def gone(upstream: Upstream, since: float) -> None:
    assert await asyncio.to_thread(upstream.disconnected.wait, 5)
    assert time.monotonic() - since < 1


@pytest.mark.parametrize("answer", [silence(), Answer(end="hang"), Answer([b"data: 1\n\n"], end="hang")])
def test_a_cancelled_stream_closes_the_connection(answer: Answer) -> None:
    async def run(model: HttpChatModel) -> None:
        task = asyncio.create_task(streamed(model))
        assert await asyncio.to_thread(upstream.hanging.wait, 5)
        since = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone(upstream, since)

    with Upstream() as upstream:
        upstream.script(answer)
        against(upstream, run)


def test_a_closed_generator_closes_the_connection() -> None:
    async def run(model: HttpChatModel) -> None:
        chunks = model.stream(STREAMING)
        assert await anext(chunks) == [b"1"]
        since = time.monotonic()
        await chunks.aclose()
        await gone(upstream, since)

    with Upstream() as upstream:
        upstream.script(Answer([b"data: 1\n\n"], end="hang"))
        against(upstream, run)


@pytest.mark.parametrize("answer", [silence(), Answer([b"{"], headers=JSON_TYPE, end="hang")])
@pytest.mark.parametrize("whole", [HttpChatModel.complete, streamed], ids=["complete", "stream"])
def test_a_cancelled_reply_closes_the_connection(
    answer: Answer, whole: Callable[[HttpChatModel, ChatRequest], Coroutine[None, None, object]]
) -> None:
    async def run(model: HttpChatModel) -> None:
        task = asyncio.create_task(whole(model, REQUEST))
        assert await asyncio.to_thread(upstream.hanging.wait, 5)
        since = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone(upstream, since)

    with Upstream() as upstream:
        upstream.script(answer)
        against(upstream, run)


def test_a_body_that_does_not_end_after_done_is_not_waited_for() -> None:
    with Upstream() as upstream:
        upstream.script(Answer([b"data: 1\n\ndata: [DONE]\n\n"], end="hang"))
        assert against(upstream, streamed) == [b"1"]
        assert upstream.disconnected.wait(5)


def test_many_streams_at_once() -> None:
    async def run(model: HttpChatModel) -> list[list[bytes]]:
        return await asyncio.gather(*(streamed(model) for _ in range(200)))

    with Upstream() as upstream:
        upstream.script(sse(chunk("a"), chunk("b")))
        results = against(upstream, run)
    assert [len(payloads) for payloads in results] == [2] * 200
