import asyncio
import datetime
import ipaddress
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from antiphon.config import BackendSettings, Capabilities, Secret
from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.models import sse as sse_module
from antiphon.models.client import HttpChatModel, open_session
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON
from tests.upstream import Answer, Upstream, chunk, completion, html, reply, silence, sse

T = TypeVar("T")
REQUEST: ChatRequest = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
KEY = "sk-canary-4711"


def backend(url: str, **settings: JSON) -> BackendSettings:
    return BackendSettings(name="house", base_url=url, api_key=Secret(KEY), **settings)


@asynccontextmanager
async def chat_model(settings: BackendSettings) -> AsyncGenerator[HttpChatModel, None]:
    session = open_session()
    try:
        yield HttpChatModel(session, settings)
    finally:
        await session.close()


async def streamed(model: HttpChatModel) -> list[bytes]:
    return [payload async for batch in model.stream(REQUEST) for payload in batch]


def both(settings: BackendSettings) -> list[AntiphonError]:
    """Returns the errors of a streaming and of a non-streaming call."""

    async def run() -> list[AntiphonError]:
        errors = []
        async with chat_model(settings) as model:
            for call in (lambda: streamed(model), lambda: model.complete(REQUEST)):
                with pytest.raises(AntiphonError) as caught:
                    await call()
                errors.append(caught.value)
        return errors

    errors = asyncio.run(run())
    for error in errors:
        assert error.message.startswith("house: ") or "(house: " in error.message
        assert KEY not in error.message
        assert "\n" not in error.message
    return errors


def against(upstream: Upstream, call: Callable[[HttpChatModel], Awaitable[T]], **settings: JSON) -> T:
    async def run() -> T:
        async with chat_model(backend(upstream.base_url, **settings)) as model:
            return await call(model)

    return asyncio.run(run())


def stream_from(*answers: Answer, **settings: JSON) -> list[bytes]:
    with Upstream() as upstream:
        upstream.script(*answers)
        return against(upstream, streamed, **settings)


def complete_from(*answers: Answer) -> bytes:
    with Upstream() as upstream:
        upstream.script(*answers)
        return against(upstream, lambda model: model.complete(REQUEST))


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


def test_connections_are_used_again() -> None:
    async def calls(model: HttpChatModel) -> None:
        for _ in range(5):
            await streamed(model)
            await model.complete(REQUEST)

    with Upstream() as upstream:
        upstream.script(*[sse(chunk("a")), reply()] * 5)
        against(upstream, calls)
        assert upstream.connections == 1


def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert json.loads(complete_from(reply())) == completion()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_F1_connect_refused(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    with caplog.at_level(logging.WARNING, "antiphon.models"):
        for error in both(backend(f"http://127.0.0.1:{port}/v1")):
            assert isinstance(error, UpstreamUnreachable)
            assert error.status == 502
            assert f"cannot connect to 127.0.0.1:{port}" in error.message
            assert error.message.endswith(": Connection refused")
    assert len(caplog.records) == 2
    assert "trying once more" in caplog.text


def test_F1_all_addresses_refuse() -> None:
    for error in both(backend(f"http://localhost:{free_port()}/v1")):
        assert error.message.endswith(": Connection refused")


def test_F2_dns_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    for error in both(backend("http://models.invalid/v1")):
        assert isinstance(error, UpstreamUnreachable)
        assert "cannot connect to models.invalid:80: Name or service not known" in error.message


def untrusted_tls(folder: Path) -> ssl.SSLContext:
    """Returns a server's context with a certificate that nobody has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_F3_tls_bad_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Upstream(tls=untrusted_tls(tmp_path)) as upstream:
        for error in both(backend(upstream.base_url)):
            assert isinstance(error, UpstreamUnreachable)
            assert "its certificate is not trusted" in error.message
            assert "self-signed" in error.message
        assert upstream.requests == []
    assert "trying once more" not in caplog.text


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
        # The server waits for a request, and never shakes hands.
        url = upstream.base_url.replace("http:", "https:")
        for error in both(backend(url, connect_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert error.status == 504
            assert f"no connection to 127.0.0.1:{upstream.port} within 0.05 s" in error.message


def test_F5_first_byte_timeout() -> None:
    with Upstream() as upstream:
        upstream.script(silence())
        for error in both(backend(upstream.base_url, first_byte_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert "no answer within 0.05 s" in error.message


def test_F5_headers_alone_are_no_answer() -> None:
    with Upstream() as upstream:
        upstream.script(Answer(end="hang"), Answer(end="hang", headers={"Content-Type": "application/json"}))
        for error in both(backend(upstream.base_url, first_byte_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert "no answer within 0.05 s" in error.message


def test_F6_idle_gap() -> None:
    with Upstream() as upstream:
        upstream.script(
            Answer([b"data: 1\n\n"], end="hang"),
            Answer([b'{"choices"'], end="hang", headers={"Content-Type": "application/json"}),
        )
        for error in both(backend(upstream.base_url, idle_timeout=0.05)):
            assert isinstance(error, UpstreamTimeout)
            assert "silent for 0.05 s in the middle of its answer" in error.message


def envelope(
    message: str, code: JSON = None, param: JSON = None, kind: str = "invalid_request_error"
) -> JSON:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refusals(answer: Answer) -> list[UpstreamRefused]:
    with Upstream() as upstream:
        upstream.script(answer)
        errors = both(backend(upstream.base_url))
        assert len(upstream.chats) == 2
    refused = [error for error in errors if isinstance(error, UpstreamRefused)]
    assert len(refused) == 2
    return refused


def test_F7_400_keeps_message_code_and_param() -> None:
    said = envelope("Unsupported parameter: 'temperature'", "unsupported_parameter", "temperature")
    for error in refusals(reply(said, status=400)):
        assert (error.status, error.type) == (400, "invalid_request_error")
        assert (error.code, error.param) == ("unsupported_parameter", "temperature")
        assert error.message == "house: Unsupported parameter: 'temperature'"


@pytest.mark.parametrize("status", [401, 403])
def test_F8_F9_our_credential_is_not_the_callers(status: int) -> None:
    for error in refusals(reply(envelope(f"Incorrect API key provided: {KEY}."), status=status)):
        assert (error.status, error.upstream_status) == (502, status)
        assert error.message == "house: Incorrect API key provided: ***."


@pytest.mark.parametrize(
    "said",
    [
        envelope("The model 'x' does not exist", "model_not_found", "model"),
        envelope("The model `x` does not exist.", 404, "model", "NotFoundError"),
        envelope("model 'x' not found", None, None, "not_found_error"),
        {"error": 'model "x" not found, try pulling it first'},
    ],
)
def test_F10_404_model(said: JSON) -> None:
    for error in refusals(reply(said, status=404)):
        assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


def test_F10_404_of_a_wrong_path_is_not_about_the_model() -> None:
    for error in refusals(reply({"detail": "Not Found"}, status=404)):
        assert (error.status, error.code) == (404, "upstream_error")
        assert error.message == "house: Not Found"


@pytest.mark.parametrize(("status", "seen"), [(408, 408), (413, 413), (422, 400), (500, 502), (504, 504)])
def test_F11_F12_F13_F16_F19_status_class(status: int, seen: int) -> None:
    for error in refusals(reply(envelope("No."), status=status)):
        assert (error.status, error.message) == (seen, "house: No.")


def test_F13_422_in_fastapis_form() -> None:
    said = {"detail": [{"loc": ["body", "messages"], "msg": "field required"}, {"loc": ["x"], "msg": "odd"}]}
    for error in refusals(reply(said, status=422)):
        assert error.message == "house: body.messages: field required; x: odd"


@pytest.mark.parametrize("wait", ["7", "Wed, 21 Oct 2026 07:28:00 GMT", "3"])
def test_F14_F15_429_keeps_retry_after(wait: str) -> None:
    for error in refusals(reply(envelope("Slow down."), status=429, Retry_After=wait)):
        assert (error.status, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")
        assert error.headers == {"Retry-After": wait}


def test_F14_quota_keeps_its_code() -> None:
    for error in refusals(reply(envelope("Pay.", "insufficient_quota"), status=429)):
        assert (error.type, error.code) == ("insufficient_quota", "insufficient_quota")


def test_F17_502_html() -> None:
    page = "<html><head><title>502 Bad Gateway</title></head>\n<body>\n<h1>502</h1><hr>nginx</body></html>"
    for error in refusals(html(page, 502)):
        assert error.status == 502
        assert error.message == "house: HTTP 502 Bad Gateway: 502 Bad Gateway 502 nginx"


def test_an_endless_error_page_is_cut() -> None:
    for error in refusals(Answer([b"x" * 60_000] * 5, 500, {"Content-Type": "text/plain"})):
        assert len(error.message) < 400


def test_an_error_without_a_body() -> None:
    for error in refusals(Answer(status=599)):
        assert error.message == "house: HTTP 599"


def test_F18_503_then_ok(caplog: pytest.LogCaptureFixture) -> None:
    busy = reply(envelope("Loading."), status=503, Retry_After="0")
    with caplog.at_level(logging.WARNING, "antiphon.models"):
        assert json.loads(complete_from(busy, reply())) == completion()
        assert len(stream_from(busy, sse(chunk("a")))) == 1
    assert caplog.text.count("trying once more") == 2


def test_F18_one_retry_at_most() -> None:
    busy = reply(envelope("Loading."), status=503, Retry_After="0")
    with Upstream() as upstream:
        upstream.script(busy, busy, reply())
        with pytest.raises(UpstreamRefused, match=r"house: Loading\."):
            against(upstream, lambda model: model.complete(REQUEST))
        assert len(upstream.chats) == 2


@pytest.mark.parametrize("said", [{}, {"Retry-After": "3"}, {"Retry-After": "-1"}])
def test_F18_no_retry_without_a_short_pause(said: dict[str, str]) -> None:
    with Upstream() as upstream:
        busy = reply(envelope("Busy."), status=503)
        busy.headers.update(said)
        upstream.script(busy, reply())
        with pytest.raises(UpstreamRefused):
            against(upstream, lambda model: model.complete(REQUEST))
        assert len(upstream.chats) == 1


def test_F20_200_html() -> None:
    with Upstream() as upstream:
        upstream.script(html("<html>Please\n <b>log in</b></html>"))
        for error in both(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert error.message == "house: answered with text/html; charset=utf-8: Please log in"


def test_F21_200_json_for_a_stream() -> None:
    (payload,) = stream_from(Answer([json.dumps(completion(), indent=2).encode()], 200, JSON_TYPE))
    assert json.loads(payload) == completion()
    assert b"\n" not in payload


JSON_TYPE = {"Content-Type": "application/json; charset=utf-8"}


def test_F21_a_json_answer_that_is_none() -> None:
    with pytest.raises(UpstreamBroken, match="not JSON: oops"):
        stream_from(Answer([b"oops"], 200, JSON_TYPE))


def test_F22_sse_for_a_reply() -> None:
    with pytest.raises(UpstreamBroken, match="answered with text/event-stream: data: "):
        complete_from(sse(chunk("a")))


def test_F23_empty_body() -> None:
    assert stream_from(Answer()) == []
    with pytest.raises(UpstreamBroken, match="not a chat completion: it is empty"):
        complete_from(Answer(headers=JSON_TYPE))


def test_F24_done_only() -> None:
    assert stream_from(sse()) == []


def test_F25_usage_only() -> None:
    usage = chunk(usage={"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1})
    assert [json.loads(payload) for payload in stream_from(sse(usage))] == [usage]


def test_F26_cut_before_the_answer() -> None:
    with Upstream() as upstream:
        upstream.script(Answer(bare=True, end="cut"))
        for error in both(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert error.message == "house: the connection was cut before it answered"
        assert len(upstream.chats) == 2


def test_F26_cut_before_the_first_chunk() -> None:
    with pytest.raises(UpstreamBroken, match="the connection was cut before it answered"):
        stream_from(Answer(end="cut"))


@pytest.mark.parametrize(
    "pieces",
    [
        [b'data: {"choices":[]}\n\n'],
        [b'data: {"choices":[]}\n\n', b'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"fu'],
        [b'data: {"choices":[]}\n\n', 'data: {"é'.encode()[:-1]],
    ],
    ids=["F27", "F28", "F29"],
)
def test_F27_F28_F29_cut_in_the_middle(pieces: list[bytes]) -> None:
    async def read(model: HttpChatModel) -> list[bytes]:
        chunks = model.stream(REQUEST)
        seen = await anext(chunks)
        with pytest.raises(UpstreamBroken, match="the connection was cut in the middle of its answer"):
            await anext(chunks)
        return seen

    with Upstream() as upstream:
        upstream.script(Answer(pieces, end="cut"))
        assert against(upstream, read) == [b'{"choices":[]}']


def test_F27_a_cut_reply() -> None:
    with pytest.raises(UpstreamBroken, match="cut in the middle"):
        complete_from(reply(end="cut"))


def test_F29_a_character_in_two_reads() -> None:
    word = 'data: {"a":"é"}\n\n'.encode()
    assert stream_from(Answer([word[:12], word[12:]])) == ['{"a":"é"}'.encode()]


def test_F30_a_broken_chunk_is_handed_on() -> None:
    assert stream_from(sse(b'{"choices":[{')) == [b'{"choices":[{']


def test_F31_an_error_in_a_stream_is_handed_on() -> None:
    assert [json.loads(payload) for payload in stream_from(sse(envelope("Out of memory")))] == [
        envelope("Out of memory")
    ]


def test_F31_an_error_in_a_reply() -> None:
    with pytest.raises(UpstreamBroken, match=r"^house: Out of memory$"):
        complete_from(reply(envelope("Out of memory")))
    with pytest.raises(ContextLengthExceeded):
        complete_from(reply(envelope("prompt is too long: 5 tokens > 4 maximum")))


@pytest.mark.parametrize("body", [[], {}, {"choices": []}, {"choices": None}, {"id": "x"}, "text", 5])
def test_a_reply_without_choices(body: JSON) -> None:
    with pytest.raises(UpstreamBroken, match=r"house: its answer (has no choices|is not a chat completion)"):
        complete_from(reply(body if body != [] else {"data": []}))


def test_F32_the_end_without_done() -> None:
    with_rest = Answer([b"data: 1\n\n", b"data: 2"])
    assert stream_from(with_rest) == [b"1", b"2"]


def test_F43_crlf_comments_and_many_lines() -> None:
    pieces = [b": hi\r\n\r\nevent: x\r\ndata: {\r\nda", b"ta: }\r", b"\n\r\n", b"data:[DONE]\r\n\r\n"]
    assert stream_from(Answer(pieces)) == [b"{ }"]


def test_F44_10_mb_in_one_chunk() -> None:
    large = chunk("x" * 10_000_000)
    assert [json.loads(payload) for payload in stream_from(sse(large))] == [large]


def test_F44_without_bound_it_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_module, "MAX_EVENT_BYTES", 1000)
    with pytest.raises(UpstreamBroken, match="house: an event of more than 1000 bytes"):
        stream_from(Answer([b"data: " + b"x" * 2000]))


def test_a_missing_content_type_is_taken_for_a_stream() -> None:
    assert stream_from(Answer([b"data: 1\n\n"], headers={})) == [b"1"]


def test_a_redirect_is_not_followed() -> None:
    with Upstream() as upstream:
        upstream.script(Answer(status=307, headers={"Location": "http://127.0.0.1:1/steal"}))
        for error in both(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert "redirects (HTTP 307)" in error.message


def test_what_is_not_http() -> None:
    with Upstream() as upstream:
        upstream.script(Answer([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], bare=True, end="close"))
        for error in both(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert "its answer is not HTTP" in error.message


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, envelope("Too long", "context_length_exceeded", "messages")),
        (
            400,
            envelope(
                "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
                400,
                "input_tokens",
                "BadRequestError",
            ),
        ),
        (400, envelope("The decoder prompt (length 9) is longer than the maximum model length of 8.", 400)),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size, try increasing it",
                    "type": "exceed_context_size_error",
                }
            },
        ),
        (500, envelope("the input length exceeds the context length", kind="api_error")),
        (
            400,
            {
                "error": "The number of tokens to keep from the initial prompt is greater than the context "
                "length (n_keep: 13055>= n_ctx: 4096)."
            },
        ),
        (
            400,
            {
                "error": "Trying to keep the first 6547 tokens when context the overflows. However, the "
                "model is loaded with context length of only 4096 tokens, which is not enough."
            },
        ),
    ],
    ids=["openai", "vllm", "vllm-decoder", "llamacpp", "ollama", "lmstudio-1", "lmstudio-2"],
)
def test_context_length(status: int, said: JSON) -> None:
    with Upstream() as upstream:
        upstream.script(reply(said, status=status))
        for error in both(backend(upstream.base_url)):
            assert isinstance(error, ContextLengthExceeded)
            assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "input")
            assert error.message.startswith("Your input exceeds the context window of this model.")
            assert "(house: " in error.message


def test_a_rate_limit_on_tokens_is_not_about_the_context() -> None:
    said = envelope("Request too large: maximum context length per minute reached", "rate_limit_exceeded")
    for error in refusals(reply(said, status=429)):
        assert error.status == 429


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
        chunks = model.stream(REQUEST)
        assert await anext(chunks) == [b"1"]
        since = time.monotonic()
        await chunks.aclose()
        await gone(upstream, since)

    with Upstream() as upstream:
        upstream.script(Answer([b"data: 1\n\n"], end="hang"))
        against(upstream, run)


@pytest.mark.parametrize("answer", [silence(), Answer([b"{"], headers=JSON_TYPE, end="hang")])
def test_a_cancelled_reply_closes_the_connection(answer: Answer) -> None:
    async def run(model: HttpChatModel) -> None:
        task = asyncio.create_task(model.complete(REQUEST))
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
