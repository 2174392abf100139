"""Content from URLs that clients name; `test_guard.py` tests the protection of private addresses."""

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.errors import AddressNotFetched
from antiphon.net.fetch import MAX_REDIRECTS, Fetched, fetch
from antiphon.net.guard import Guard
from tests.net.canary import PARAM, Names
from tests.support.certificates import self_signed
from tests.support.upstream import Answer, Upstream, html, silence


@pytest.fixture
def site() -> Iterator[Upstream]:
    with Upstream() as site:
        yield site


def guard() -> Guard:
    return Guard(["good.test", "other.test"], Names(good_test=[["127.0.0.1"]], other_test=[["127.0.0.1"]]))


def got(site: Upstream, *, max_bytes: int = 10_000, seconds: float = 10) -> Fetched:
    url = f"http://good.test:{site.port}/start?key=canary"
    return asyncio.run(fetch(guard(), url, seconds=seconds, max_bytes=max_bytes, param=PARAM))


def failed(site: Upstream, *, seconds: float = 10) -> str:
    with pytest.raises(AddressNotFetched) as caught:
        got(site, seconds=seconds)
    error = caught.value
    assert (error.status, error.code, error.param) == (400, "address_not_fetched", PARAM)
    assert error.message.startswith("Error while downloading http://good.test:")
    assert "canary" not in error.message
    return error.message


def packed(body: bytes, encoding: str = "gzip") -> Answer:
    return Answer([body], 200, {"Content-Type": "text/plain", "Content-Encoding": encoding}, length=True)


def moved(location: str, **headers: str) -> Answer:
    given = {"Location": location} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer([b"moved"], 302, given, length=True)


def test_a_page(site: Upstream) -> None:
    site.script(html("<p>Hello"))
    page = got(site)
    assert (page.body, page.content_type, page.charset) == (b"<p>Hello", "text/html", "utf-8")
    assert page.is_whole
    assert page.url == f"http://good.test:{site.port}/start?key=canary"


def test_a_redirect_is_followed(site: Upstream) -> None:
    site.script(moved("../next?a=b"), moved(f"//other.test:{site.port}/last"), html("x"))
    assert got(site).url == f"http://other.test:{site.port}/last"
    assert [request.path for request in site.requests] == ["/start?key=canary", "/next?a=b", "/last"]


def test_redirects_without_end(site: Upstream) -> None:
    site.script(moved("/again"))
    assert f"redirects more than {MAX_REDIRECTS} times" in failed(site)
    assert len(site.requests) == MAX_REDIRECTS + 1


def test_S15_nothing_of_the_caller_goes_along(
    site: Upstream, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Requests have no credentials, no cookies (even from a redirect) and nothing of the environment."""
    (tmp_path / ".netrc").write_text("machine good.test login me password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9/")
    site.script(moved("/next", Set_Cookie="a=b"), html("x"))
    got(site)
    for request in site.requests:
        assert set(request.headers) == {"host", "accept", "accept-encoding", "user-agent", "connection"}


@pytest.mark.parametrize("status", [204, 304, 404, 500])
def test_other_statuses(status: int, site: Upstream) -> None:
    site.script(html("no", status))
    assert f"status {status}" in failed(site)


def test_too_much_is_cut_off(site: Upstream) -> None:
    site.script(html("a" * 10_001))
    page = got(site)
    assert (len(page.body), page.is_whole) == (10_000, False)
    site.script(html("a" * 10_000))
    assert got(site).is_whole


def test_a_body_without_end_is_left(site: Upstream) -> None:
    site.script(Answer([b"a" * 20_000], end="hang"))
    assert not got(site).is_whole
    assert site.disconnected.wait(5)


def test_gzip(site: Upstream) -> None:
    site.script(packed(gzip.compress(b"Hello" * 1000)))
    page = got(site)
    assert (page.body, page.is_whole) == (b"Hello" * 1000, True)


def test_a_decompression_bomb(site: Upstream) -> None:
    """200 MB of zeros in 200 kB: only the requested number of bytes is ever unpacked."""
    pack = zlib.compressobj(9, wbits=31)
    bomb = b"".join([*(pack.compress(bytes(2**20)) for _ in range(200)), pack.flush()])
    site.script(packed(bomb))
    tracemalloc.start()
    try:
        page = got(site)
        assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    finally:
        tracemalloc.stop()
    assert (page.body, page.is_whole) == (bytes(10_000), False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (packed(b"not gzip"), "header"),
        (packed(gzip.compress(b"Hello" * 100)[:-9]), "is incomplete"),
        (packed(b"x", "br"), "'br'"),
        (Answer([b"x"], end="cut"), "peer closed connection"),
        (Answer([b"nonsense"], bare=True, end="close"), ""),
        (Answer([b"moved"], 302, {"Location": "http://[x"}, length=True), "an invalid http(s) URL"),
    ],
)
def test_broken_answers(answer: Answer, reason: str, site: Upstream) -> None:
    site.script(answer)
    assert reason in failed(site)


def test_a_server_that_says_nothing(site: Upstream) -> None:
    site.script(silence())
    assert "longer than 0.2 seconds" in failed(site, seconds=0.2)


def test_a_server_that_stops_in_the_middle(site: Upstream) -> None:
    site.script(Answer([b"a"], end="hang"))
    assert "longer than 0.2 seconds" in failed(site, seconds=0.2)


def test_no_server() -> None:
    with Upstream() as gone:
        pass
    assert f"no connection to good.test at port {gone.port}" in failed(gone)


def test_the_certificate_is_that_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to an address, but TLS verifies the name."""
    certificate = self_signed(tmp_path / "good.pem", "good.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[str | None] = []
    context.sni_callback = lambda _object, name, _context: asked.append(name)
    with Upstream(tls=context) as site:
        site.script(html("x"))
        url = f"https://good.test:{site.port}/"
        asyncio.run(fetch(guard(), url, seconds=10, max_bytes=10, param=PARAM))
        with pytest.raises(AddressNotFetched, match="CERTIFICATE_VERIFY_FAILED"):
            asyncio.run(fetch(guard(), url.replace("good", "other"), seconds=10, max_bytes=10, param=PARAM))
    assert asked == ["good.test", "other.test"]
    assert len(site.requests) == 1
