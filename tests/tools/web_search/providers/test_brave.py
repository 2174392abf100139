"""Requests to Brave, and its results."""

from urllib.parse import parse_qs, urlsplit

import pytest

from antiphon.errors import UpstreamRefused
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.providers.brave import Brave
from antiphon.tools.web_search.providers.protocol import Search, SearchResult
from antiphon.wire.json import JSON
from tests.support.upstream import Request, Upstream, reply
from tests.tools.web_search.searching import KEY, place, run, tavily

NOTHING: JSON = {"type": "search"}


def search(asked: Search, answer: JSON = NOTHING, status: int = 200) -> tuple[list[SearchResult], Request]:
    """Search with a Brave that gives this answer; return the results and the request."""
    with Upstream() as service:
        service.script(reply(answer, status=status))

        async def work(given: ToolServices) -> list[SearchResult]:
            return await Brave(
                given.client, WebSearchSettings(base_url=place(service), api_key=Secret(KEY))
            ).search(asked)

        found = run(work, tavily(service))
        [request] = service.requests
        return found, request


def parameters(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


def test_a_plain_search() -> None:
    result = {"url": "https://a.com/", "title": "Q &amp; A", "description": "It&#x27;s", "age": "x"}
    found, request = search(Search(query="a & b"), {"web": {"results": [result]}})
    assert request.method == "GET"
    assert urlsplit(request.path).path == "/res/v1/web/search"
    assert request.headers["x-subscription-token"] == KEY
    assert parameters(request) == {"q": "a & b", "count": "5", "text_decorations": "false"}
    assert found == [SearchResult(url="https://a.com/", title="Q & A", content="It's")]


def test_no_result_is_an_empty_list() -> None:
    assert search(Search(query="q"))[0] == []


def test_domains_become_operators() -> None:
    _, request = search(Search(query="q", allowed_domains=("a.com", "b.org")))
    assert parameters(request)["q"] == "q site:a.com OR site:b.org"
    assert parameters(request)["count"] == "20"


def test_a_query_that_would_be_too_long_keeps_its_words() -> None:
    domains = tuple(f"{'x' * 50}{number}.com" for number in range(9))
    _, request = search(Search(query="words", allowed_domains=domains))
    assert parameters(request)["q"] == "words"
    _, request = search(Search(query="w" * 500))
    assert len(parameters(request)["q"]) == 400


def test_the_location_is_sent_as_parameter_and_headers() -> None:
    _, request = search(
        Search(query="q", country="NL", region="Utrecht", city="Utrecht", timezone="Europe/Amsterdam")
    )
    assert parameters(request)["country"] == "NL"
    names = ("x-loc-country", "x-loc-state-name", "x-loc-city", "x-loc-timezone")
    assert [request.headers[name] for name in names] == ["NL", "Utrecht", "Utrecht", "Europe/Amsterdam"]


def test_a_country_that_the_parameter_does_not_take_is_only_a_header() -> None:
    _, request = search(Search(query="q", country="KE"))
    assert "country" not in parameters(request)
    assert request.headers["x-loc-country"] == "KE"


@pytest.mark.parametrize("status", [401, 422, 429, 503])
def test_refusals_keep_the_status(status: int) -> None:
    with pytest.raises(UpstreamRefused, match=rf"Web search \(brave\): HTTP {status}") as refused:
        search(Search(query="q"), {"error": KEY}, status)
    assert KEY not in refused.value.message
