"""Requests to DuckDuckGo, and the results on its page; no test uses the network."""

from dataclasses import dataclass

import primp
import pytest
from ddgs.exceptions import DDGSException, TimeoutException

from antiphon.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.providers import duckduckgo_page
from antiphon.tools.web_search.providers.duckduckgo import DuckDuckGo, page_through
from antiphon.tools.web_search.providers.duckduckgo_page import Engine, first_page
from antiphon.tools.web_search.providers.protocol import Search, SearchResult
from antiphon.wire.json import JSON, JSONObject
from tests.tools.web_search.searching import run

PAGE = """<html><body><div class="result body"><h2><a href="https://a.com/x">A <b>page</b></a></h2>
<a href="https://a.com/x">What it says &amp; means</a></div>
<div class="result body"><h2>An advertisement</h2><a href="https://duckduckgo.com/y.js?ad=1">Buy</a></div>
</body></html>"""


@dataclass
class Answered:
    status_code: int
    text: str


class Client:
    """Replacement of the library's HTTP client."""

    def __init__(self, answer: Answered | DDGSException) -> None:
        self.answer = answer
        self.requests: list[JSONObject] = []

    def request(self, method: str, url: str, **given: JSON) -> Answered:
        self.requests.append({"method": method, "url": url, **given})
        if isinstance(self.answer, DDGSException):
            raise self.answer
        return self.answer


def caused_by(cause: Exception) -> DDGSException:
    error = DDGSException(f"{type(cause).__name__}: {cause!r}")
    error.__cause__ = cause
    return error


def answering(monkeypatch: pytest.MonkeyPatch, answer: Answered | DDGSException) -> Client:
    client = Client(answer)

    class Scripted(Engine):
        def __init__(self, **settings: JSON) -> None:
            super().__init__(**settings)
            monkeypatch.setattr(self, "http_client", client)

    monkeypatch.setattr(duckduckgo_page, "Engine", Scripted)
    return client


def test_the_first_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    client = answering(monkeypatch, Answered(200, PAGE))
    [result] = first_page("q", "us-en", 3)
    assert (result["title"], result["href"]) == ("A page", "https://a.com/x")
    assert "What it says & means" in result["body"]
    assert client.requests[0]["data"] == {"q": "q", "b": "", "l": "us-en"}
    assert client.requests[0]["url"].startswith("https://html.duckduckgo.com/")


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (Answered(202, PAGE), UpstreamRefused, "rate limit exceeded"),
        (Answered(500, ""), UpstreamRefused, "HTTP 500"),
        (TimeoutException("slow"), UpstreamTimeout, "no answer within 3 s"),
        (
            caused_by(primp.DNSError("dns > Query { name: 'html'")),
            UpstreamUnreachable,
            "cannot connect: its name was not found$",
        ),
        (
            caused_by(primp.ConnectError("os error 111")),
            UpstreamUnreachable,
            r"\(duckduckgo\): cannot connect$",
        ),
        (caused_by(primp.DecodeError("zlib")), UpstreamBroken, "its answer is broken: DecodeError$"),
        (DDGSException("private"), UpstreamBroken, "its answer is broken: DDGSException$"),
    ],
)
def test_a_refusal_is_no_empty_page(
    monkeypatch: pytest.MonkeyPatch, answer: Answered | DDGSException, kind: type[UpstreamError], text: str
) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(kind, match=text):
        first_page("q", "us-en", 3)


def test_an_empty_page_is_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, Answered(200, "<html><body>No results.</body></html>"))
    assert first_page("q", "us-en", 3) == []


@pytest.mark.parametrize(
    ("country", "region"), [(None, "wt-wt"), ("GB", "uk-en"), ("DE", "de-de"), ("ZZ", "wt-wt")]
)
def test_the_country_is_a_region_and_domains_are_operators(country: str | None, region: str) -> None:
    asked: list[tuple[str, str, int]] = []

    def page(query: str, where: str, seconds: int) -> list[JSONObject]:
        asked.append((query, where, seconds))
        return [{"href": "https://a.com", "title": "T", "body": "B"}]

    async def work(given: ToolServices) -> list[SearchResult]:
        search = Search(query="q", allowed_domains=("a.com",), country=country)
        return await DuckDuckGo(1.5, page).search(search)

    assert run(work, WebSearchSettings()) == [SearchResult(url="https://a.com", title="T", content="B")]
    assert asked == [("q site:a.com", region, 2)]


def test_a_search_goes_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    proxies: list[str | None] = []

    class Engine:
        def __init__(self, *, proxy: str | None, timeout: int) -> None:
            proxies.append(proxy)

        def search(self, query: str, *, region: str) -> list[JSONObject]:
            return []

    monkeypatch.setattr(duckduckgo_page, "Engine", Engine)
    assert page_through(Secret("http://p:1"))("q", "wt-wt", 1) == []
    assert page_through(None)("q", "wt-wt", 1) == []
    assert proxies == ["http://p:1", None]
