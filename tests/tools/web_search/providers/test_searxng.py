"""Requests to SearXNG, and its results."""

from urllib.parse import parse_qs, urlsplit

import pytest

from antiphon.errors import UpstreamRefused
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.providers.protocol import Search, SearchResult
from antiphon.tools.web_search.providers.searxng import SearXng
from antiphon.wire.json import JSON
from tests.support.upstream import Answer, Request, Upstream, html, reply
from tests.tools.web_search.searching import place, run, tavily


def search(
    asked: Search, answer: Answer | None = None, api_key: Secret | None = None
) -> tuple[list[SearchResult], Request]:
    """Search with a SearXNG that gives this answer; return the results and the request."""
    with Upstream() as service:
        service.script(answer or reply({"results": []}))

        async def work(given: ToolServices) -> list[SearchResult]:
            return await SearXng(
                given.client, WebSearchSettings(base_url=f"{place(service)}/", api_key=api_key)
            ).search(asked)

        found = run(work, tavily(service))
        [request] = service.requests
        return found, request


def parameters(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


def test_a_plain_search() -> None:
    result: JSON = {"url": "https://a.com/", "title": "T", "content": "C\0", "score": 1.5, "engine": "x"}
    found, request = search(Search(query="q"), reply({"query": "q", "results": [result]}))
    assert urlsplit(request.path).path == "/search"
    assert parameters(request) == {"q": "q", "format": "json"}
    assert "authorization" not in request.headers
    assert found == [SearchResult(url="https://a.com/", title="T", content="C", score=1.5)]


def test_domains_become_operators_and_the_country_a_locale() -> None:
    _, request = search(Search(query="q", allowed_domains=("a.com",), country="AT"))
    assert parameters(request) == {"q": "q site:a.com", "format": "json", "language": "de-AT"}


def test_many_domains_are_left_to_the_filter() -> None:
    _, request = search(Search(query="q", allowed_domains=tuple(f"{n}.com" for n in range(11))))
    assert parameters(request)["q"] == "q"


def test_a_key_is_for_the_proxy_in_front() -> None:
    _, request = search(Search(query="q"), api_key=Secret("k"))
    assert request.headers["authorization"] == "Bearer k"


def test_an_instance_without_json_says_what_to_do() -> None:
    with pytest.raises(UpstreamRefused, match=r"HTTP 403: .*search\.formats"):
        search(Search(query="q"), html("<p>Forbidden</p>", status=403))
