"""Backends behind proxies, private authorities and Unix sockets, and with HTTP/2."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.backends.catalogue import Models
from antiphon.backends.connections import Clients
from antiphon.backends.http.answer import Timeouts
from antiphon.backends.http.target import target
from antiphon.backends.listing import fetch_models
from antiphon.engine.request_context import RequestContext
from antiphon.errors import (
    AntiphonError,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.settings.backends import BackendSettings
from antiphon.settings.load import load_settings
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from antiphon.wire.json import JSON
from tests.backends.calls import (
    KEY,
    REQUEST,
    STREAMING,
    backend,
    chat_model,
    free_port,
    in_every_way,
    streamed,
)
from tests.support.certificates import Authority
from tests.support.proxy import Proxy
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, silence, sse

HOST = "models.test"
"""A name that only the proxy can resolve."""
LOGIN = "user:pa%20ss-canary"
EVENTS = [chunk("Hé"), chunk("llo"), chunk(finish="stop")]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.script(sse(*EVENTS), reply(), reply())
        yield upstream


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def through(proxy: Proxy, scheme: str = "http", **settings: JSON) -> BackendSettings:
    return backend(f"{scheme}://{HOST}/v1", proxy=Secret(proxy.url), **settings)


def check_calls(settings: BackendSettings) -> None:
    """Check that all kinds of calls work: a stream, JSON, and the list of models."""

    async def run() -> None:
        async with chat_model(settings) as model:
            assert [json.loads(payload) for payload in await streamed(model)] == EVENTS
            assert json.loads(await model.complete(REQUEST)) == completion()
        clients = Clients()
        assert [model.id for model in await fetch_models(clients.of(settings), settings, 5)] == ["m"]
        await clients.close()

    asyncio.run(run())


def test_plain_http_through_a_proxy(upstream: Upstream) -> None:
    with Proxy({f"{HOST}:80": upstream.port}) as proxy:
        check_calls(through(proxy))
    assert proxy.asked == [
        *[f"POST http://{HOST}/v1/chat/completions HTTP/1.1"] * 2,
        f"GET http://{HOST}/v1/models HTTP/1.1",
    ]
    for request in upstream.requests:
        assert request.headers["host"] == HOST
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert "proxy-authorization" not in request.headers
    assert upstream.chats[0].json == STREAMING


def test_tls_through_a_proxy(authority: Authority) -> None:
    with Upstream(tls=authority.server(HOST)) as upstream, Proxy({f"{HOST}:443": upstream.port}) as proxy:
        upstream.script(sse(*EVENTS), reply())
        check_calls(through(proxy, "https", ca_file=str(authority.ca_file)))
        for error in in_every_way(through(proxy, "https")):
            assert isinstance(error, UpstreamUnreachable)
            assert f"cannot connect to {HOST}:443: its certificate is not trusted" in error.message
    assert set(proxy.asked) == {f"CONNECT {HOST}:443 HTTP/1.1"}


def test_a_proxy_with_a_login(upstream: Upstream) -> None:
    with Proxy({f"{HOST}:80": upstream.port}, login="user:pa ss-canary") as proxy:
        url = proxy.url.replace("user:pa ss-canary", LOGIN)
        check_calls(backend(f"http://{HOST}/v1", proxy=Secret(url)))


def test_a_proxy_that_speaks_tls(
    upstream: Upstream, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    with Proxy({f"{HOST}:80": upstream.port}, tls=authority.server("127.0.0.1")) as proxy:
        check_calls(through(proxy))
    with (
        Upstream(tls=authority.server(HOST)) as inside,
        Proxy({f"{HOST}:443": inside.port}, tls=authority.server("127.0.0.1")) as proxy,
    ):
        inside.script(sse(*EVENTS), reply())
        check_calls(through(proxy, "https"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_a_proxy_refuses_is_the_operators_matter(scheme: str) -> None:
    with Proxy({}, login=LOGIN) as proxy:
        url = proxy.url.replace(LOGIN, "user:wrong-canary")
        errors = in_every_way(backend(f"{scheme}://{HOST}/v1", proxy=Secret(url)))
    for error in errors:
        assert error.status == 502
        assert "407 Proxy Authentication Required" in error.message
        assert "canary" not in error.message
        if scheme == "https":
            assert isinstance(error, UpstreamUnreachable)
            place = f"the proxy 127.0.0.1:{proxy.port} doesn't connect to {HOST}:443"
            assert error.message.startswith(f"house: {place}: ")
        else:
            assert isinstance(error, UpstreamRefused)


def test_a_proxy_that_does_not_find_the_backend() -> None:
    with Proxy({}) as proxy:
        for error in in_every_way(through(proxy, "https")):
            assert isinstance(error, UpstreamUnreachable)
            assert error.message.endswith(f"doesn't connect to {HOST}:443: 502 Bad Gateway")


def test_F1_a_proxy_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    settings = backend(f"https://{HOST}/v1", proxy=Secret(f"http://{LOGIN}@127.0.0.1:{port}"))
    for error in in_every_way(settings):
        assert isinstance(error, UpstreamUnreachable)
        assert error.message.endswith(f"cannot connect to the proxy 127.0.0.1:{port}: Connection refused")
    assert caplog.text.count("retrying in 0 s") == 3
    assert "canary" not in caplog.text


def test_each_call_through_a_proxy_has_its_own_connection(upstream: Upstream) -> None:
    surplus = Answer(
        [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\nsurplus"], bare=True
    )

    async def run(settings: BackendSettings) -> None:
        client = Clients().of(settings)
        to = target("POST", f"{settings.base_url}/chat/completions")
        for _ in range(3):
            response = await client.request(to, b"{}", Timeouts(5, 5, 5))
            data = b""
            while part := await response.read():
                data += part
            await response.close()
            assert data == b"{}"

    upstream.forget()
    upstream.script(surplus)
    with Proxy({f"{HOST}:80": upstream.port}) as proxy:
        asyncio.run(run(through(proxy)))
    assert (proxy.connections, upstream.connections) == (3, 3)


def test_compressed_answers_through_a_proxy(upstream: Upstream) -> None:
    body = gzip.compress(json.dumps(completion()).encode())
    upstream.forget()
    upstream.script(
        Answer([body], 200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, length=True)
    )

    async def run(settings: BackendSettings) -> None:
        async with chat_model(settings) as model:
            assert json.loads(await model.complete(REQUEST)) == completion()

    with Proxy({f"{HOST}:80": upstream.port}) as proxy:
        asyncio.run(run(through(proxy)))


BROKEN = {
    "cut before the answer": (Answer(bare=True, end="close"), "the connection was cut before it answered"),
    "cut in the answer": (
        Answer([b"data: 1\n\n"], end="cut"),
        "the connection was cut in the middle of its answer",
    ),
    "no HTTP": (Answer([b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], bare=True, end="close"), "its answer is not HTTP: "),
    "silent": (silence(), "no answer within 0.2 s"),
    "silent after its head": (Answer(end="hang"), "no answer within 0.2 s"),
    "silent in the middle": (
        Answer([b"data: 1\n\n"], end="hang"),
        "silent for 0.2 s in the middle of its answer",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_are_the_same_through_a_proxy(name: str) -> None:
    answer, text = BROKEN[name]
    limits: dict[str, JSON] = {"first_byte_timeout": 0.2, "idle_timeout": 0.2}
    with Upstream() as upstream, Proxy({f"{HOST}:80": upstream.port}) as proxy:
        upstream.script(answer)
        direct = backend(upstream.base_url, **limits)
        found = [first_error(settings) for settings in (direct, through(proxy, **limits))]
    assert [type(error) for error in found] == [type(found[0])] * 2
    for error in found:
        assert error.message.startswith(f"house: {text}")


def first_error(settings: BackendSettings) -> AntiphonError:
    async def run() -> AntiphonError:
        async with chat_model(settings) as model:
            with pytest.raises(AntiphonError) as caught:
                await streamed(model)
        return caught.value

    return asyncio.run(run())


def test_F4_a_proxy_that_never_connects() -> None:
    with Upstream() as upstream:
        upstream.script(silence())
        url = f"http://127.0.0.1:{upstream.port}"
        for error in in_every_way(backend(f"https://{HOST}/v1", proxy=Secret(url), connect_timeout=0.2)):
            assert isinstance(error, UpstreamTimeout)
            assert (
                error.message == f"house: no connection to the proxy 127.0.0.1:{upstream.port} within 0.2 s"
            )


def test_a_host_of_no_proxy_is_called_directly(upstream: Upstream, tmp_path: Path) -> None:
    (tmp_path / "antiphon.toml").write_text(
        f'[models.far]\nbase_url = "http://{HOST}/v1"\n[models.near]\nbase_url = "http://near.test/v1"\n'
    )
    with Proxy({f"{HOST}:80": upstream.port, "near.test:80": upstream.port}) as proxy:
        env = {"HOME": str(tmp_path), "HTTP_PROXY": proxy.url, "NO_PROXY": "near.test"}
        models = load_settings({}, env, tmp_path, SEARCH_PROVIDERS).models
        check_calls(models["far"])
        with pytest.raises(UpstreamUnreachable):
            check_calls(models["near"])
        assert len(proxy.asked) == 3


def test_only_settings_choose_a_proxy(
    upstream: Upstream, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The libraries that make calls would read the variables, too."""
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    check_calls(backend(upstream.base_url))
    with Upstream(tls=authority.server("127.0.0.1")) as secure:
        secure.script(sse(*EVENTS), reply())
        check_calls(backend(secure.base_url, ca_file=str(authority.ca_file)))
    monkeypatch.setenv("no_proxy", HOST)
    with Upstream() as other, Proxy({f"{HOST}:80": other.port}) as proxy:
        other.script(sse(*EVENTS), reply())
        check_calls(through(proxy))
        assert len(proxy.asked) == 3


def test_a_private_authority(authority: Authority) -> None:
    with Upstream(tls=authority.server("127.0.0.1")) as upstream:
        upstream.script(sse(*EVENTS), reply())
        check_calls(backend(upstream.base_url, ca_file=str(authority.ca_file)))
        for error in in_every_way(backend(upstream.base_url)):
            assert "its certificate is not trusted" in error.message


def test_an_authority_for_another_name(authority: Authority) -> None:
    with Upstream(tls=authority.server("another.test")) as upstream:
        for error in in_every_way(backend(upstream.base_url, ca_file=str(authority.ca_file))):
            assert isinstance(error, UpstreamUnreachable)
            assert "its certificate is not trusted" in error.message
        upstream.script(sse(*EVENTS), reply())
        check_calls(backend(upstream.base_url, verify=False))


def test_a_client_certificate(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("antiphon")
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    trust: dict[str, JSON] = {"ca_file": str(authority.ca_file)}
    with Upstream(tls=authority.server("127.0.0.1", clients=authority.ca_file)) as upstream:
        for mine in (
            {"client_cert": str(certificate), "client_key": str(key)},
            {"client_cert": str(both)},
        ):
            upstream.script(sse(*EVENTS), reply())
            check_calls(backend(upstream.base_url, **trust, **mine))
        served = len(upstream.requests)
        for error in in_every_way(backend(upstream.base_url, **trust)):
            assert isinstance(error, UpstreamUnreachable | UpstreamBroken)
        assert len(upstream.requests) == served


def test_a_file_that_has_changed_is_an_error_of_the_backend(authority: Authority) -> None:
    with Upstream(tls=authority.server("127.0.0.1")) as upstream:
        settings = backend(upstream.base_url, ca_file=str(authority.ca_file))
        authority.ca_file.unlink()
        for error in in_every_way(settings):
            assert isinstance(error, UpstreamUnreachable)
            assert error.message.endswith(": No such file or directory")


def test_an_abandoned_answer_through_a_proxy_ends_at_the_backend(upstream: Upstream) -> None:
    async def run(settings: BackendSettings) -> None:
        async with chat_model(settings) as model:
            chunks = model.stream(STREAMING)
            assert await anext(chunks) == [b"1"]
            await chunks.aclose()
            assert await asyncio.to_thread(upstream.disconnected.wait, 5)

    upstream.forget()
    upstream.script(Answer([b"data: 1\n\n"], end="hang"))
    with Proxy({f"{HOST}:80": upstream.port}) as proxy:
        asyncio.run(run(through(proxy)))


def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "model.sock")
    settings = backend("http://model.test/v1", unix_socket=path)
    with Upstream(unix_socket=path) as upstream:
        upstream.script(sse(*EVENTS), reply())
        check_calls(settings)
        assert upstream.chats[0].headers["host"] == "model.test"
    Path(path).unlink(missing_ok=True)
    for error in in_every_way(settings):
        assert isinstance(error, UpstreamUnreachable)
        assert error.message.endswith(f"cannot connect to {path}: No such file or directory")


def test_a_unix_socket_with_tls(tmp_path: Path, authority: Authority) -> None:
    path = str(tmp_path / "model.sock")
    with Upstream(unix_socket=path, tls=authority.server(HOST)) as upstream:
        upstream.script(sse(*EVENTS), reply())
        check_calls(backend(f"https://{HOST}/v1", unix_socket=path, ca_file=str(authority.ca_file)))


def test_own_headers(upstream: Upstream) -> None:
    headers = {"X-Team": Secret("a team"), "accept-encoding": Secret("gzip"), "X-Key": Secret("canary-0815")}
    check_calls(backend(upstream.base_url, headers=headers))
    for request in upstream.requests:
        sent = {name: request.headers[name] for name in ("x-team", "accept-encoding", "x-key")}
        assert sent == {"x-team": "a team", "accept-encoding": "gzip", "x-key": "canary-0815"}
        assert request.headers["authorization"] == f"Bearer {KEY}"


def test_backends_that_need_nothing_share_their_client(authority: Authority) -> None:
    clients = Clients()
    assert clients.of(backend("http://a/v1")) is clients.of(backend("https://b/v1")) is clients.direct
    own = [clients.of(backend("https://a/v1", verify=False)) for _ in range(2)]
    assert clients.direct not in own
    assert own[0] is not own[1]
    asyncio.run(clients.close())


def test_no_secret_of_a_connection_is_in_a_representation() -> None:
    settings = backend("http://a/v1", proxy=Secret(f"http://{LOGIN}@p:1"), headers={"X": Secret("canary")})
    assert "canary" not in repr(settings)


def test_all_calls_to_a_backend_go_through_its_proxy(upstream: Upstream) -> None:
    async def run(settings: BackendSettings) -> list[str]:
        models = await Models.open(
            Settings(database=":memory:", discover=False, models={"house": settings}), {}
        )
        try:
            assert "house/m" in [model.id for model in (await models.list_models()).data]
            request = {"model": "house/m", "input": "Hi"}
            with pytest.raises(UpstreamBroken, match="its answer has no data"):
                await models.ask("embeddings", request, RequestContext())
            return models.notices()
        finally:
            await models.close()

    upstream.forget()
    upstream.script(reply({"object": "list"}))
    with Proxy({f"{HOST}:80": upstream.port}) as proxy:
        (line,) = asyncio.run(run(through(proxy)))
    place = f"house at http://{HOST} (configured), through the proxy 127.0.0.1:{proxy.port}: 1 model"
    assert line.startswith(place)
    assert proxy.asked == [
        f"GET http://{HOST}/v1/models HTTP/1.1",
        f"POST http://{HOST}/v1/embeddings HTTP/1.1",
    ]
