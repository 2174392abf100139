"""Requests to Tavily, and its results."""

import pytest

from antiphon.errors import UpstreamRefused
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.providers.protocol import Search, SearchResult
from antiphon.tools.web_search.providers.tavily import Tavily
from antiphon.wire.json import JSON, JSONObject
from tests.support.upstream import Request, Upstream, reply
from tests.tools.web_search.searching import KEY, RESULT, place, run, tavily


def search(asked: Search, answer: JSON, status: int = 200) -> tuple[list[SearchResult], Request]:
    """Search with a Tavily that gives this answer; return the results and the request."""
    with Upstream() as service:
        service.script(reply(answer, status=status))

        async def work(given: ToolServices) -> list[SearchResult]:
            return await Tavily(
                given.client, WebSearchSettings(base_url=place(service), api_key=Secret(KEY))
            ).search(asked)

        found = run(work, tavily(service))
        [request] = service.requests
        return found, request


def sent(**options: JSON) -> JSONObject:
    _, request = search(Search(query="q", **options), {"results": []})
    body: JSONObject = request.json
    return body


def test_a_plain_search() -> None:
    found, request = search(Search(query="latest Python"), {"results": [RESULT]})
    assert (request.method, request.path) == ("POST", "/search")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.json == {"query": "latest Python", "max_results": 5, "search_depth": "basic"}
    assert found == [
        SearchResult(url=RESULT["url"], title="A page", content="What it says.", score=0.5, raw_content=None)
    ]


def test_domains_and_the_country_are_parameters() -> None:
    body = sent(allowed_domains=("a.com", "b.org"), country="DE", city="Berlin")
    assert body["include_domains"] == ["a.com", "b.org"]
    assert body["country"] == "germany"
    assert body["query"] == "q"


def test_a_country_that_tavily_may_not_know_is_omitted() -> None:
    assert "country" not in sent(country="ZZ")


@pytest.mark.parametrize(("size", "depth", "number"), [("low", "basic", 3), ("high", "advanced", 10)])
def test_the_context_size_chooses_depth_and_number(size: str, depth: str, number: int) -> None:
    body = sent(context_size=size)
    assert (body["search_depth"], body["max_results"]) == (depth, number)


def test_a_result_without_its_parts_is_no_fault() -> None:
    found, _ = search(Search(query="q"), {"results": [{"url": "https://a.com"}, "no object"]})
    assert found == [SearchResult(url="https://a.com", title="", content="")]


@pytest.mark.parametrize("status", [401, 429, 432, 500])
def test_refusals_keep_status_and_reason_and_no_key(status: int) -> None:
    with pytest.raises(UpstreamRefused) as refused:
        search(Search(query="q"), {"detail": {"error": f"no: {KEY}"}}, status)
    assert refused.value.upstream_status == status
    assert refused.value.message == f"Web search (tavily): HTTP {status}: no: ***"
