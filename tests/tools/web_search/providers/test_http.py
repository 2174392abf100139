"""Errors in answers of search services."""

from pathlib import Path

import pytest

from antiphon.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamUnreachable
from antiphon.settings.tools import WebSearchSettings
from antiphon.settings.values import Secret
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.providers import http
from antiphon.tools.web_search.providers.http import SearchService, dicts
from antiphon.wire.json import JSONObject
from tests.support.certificates import untrusted_tls
from tests.support.upstream import Answer, Upstream, html, reply
from tests.tools.web_search.searching import KEY, place, run, tavily


def ask(answer: Answer) -> JSONObject:
    with Upstream() as service:
        service.script(answer)

        async def work(given: ToolServices) -> JSONObject:
            asked = SearchService(given.client, "x", place(service), Secret(KEY))
            return await asked.get("/search", {"q": "a b"}, {})

        return run(work, tavily(service))


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (html("<p>Hello"), UpstreamBroken, "is not JSON: an HTML page$"),
        (html("Hello  you"), UpstreamBroken, "is not JSON: Hello you$"),
        (html("<!DOCTYPE html><h1>Forbidden</h1>", status=403), UpstreamRefused, "HTTP 403: Scripted$"),
        (
            reply({"detail": {"error": "No such key."}}, status=401),
            UpstreamRefused,
            "HTTP 401: No such key.$",
        ),
        (
            reply({"type": "E", "error": {"id": "1", "detail": "Too many."}}, status=429),
            UpstreamRefused,
            "HTTP 429: Too many.$",
        ),
        (reply({"message": "Down.\nSorry."}, status=500), UpstreamRefused, "HTTP 500: Down. Sorry.$"),
        (reply({"error": {"code": 7}}, status=400), UpstreamRefused, r'HTTP 400: \{"error"'),
        (html(""), UpstreamBroken, "is not JSON: empty"),
        (reply([1]), UpstreamBroken, r"is not a JSON object: \[1\]"),
        (reply({}, end="cut"), UpstreamBroken, "is incomplete"),
        (Answer([b"garbage"], bare=True, end="close"), UpstreamBroken, "is incomplete"),
        (reply({}, status=302, Location="http://other/"), UpstreamBroken, "redirects to http://other/"),
        (Answer(status=429, length=True), UpstreamRefused, "HTTP 429: Scripted"),
        (reply("[" * 5000), UpstreamBroken, "is not a JSON object"),
    ],
)
def test_what_is_no_answer_is_an_error(answer: Answer, kind: type[UpstreamError], text: str) -> None:
    with pytest.raises(kind, match=rf"^Web search \(x\): .*{text}"):
        ask(answer)


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 1000)
    with pytest.raises(UpstreamBroken, match="longer than 1000 bytes"):
        ask(Answer([b" " * 2000], headers={"Content-Type": "application/json"}, end="hang"))


def test_a_key_at_the_edge_of_an_excerpt_is_masked_whole() -> None:
    with pytest.raises(UpstreamRefused) as refused:
        ask(html("x" * 195 + KEY, status=400))
    assert KEY[:4] not in refused.value.message


def test_a_service_that_is_not_there_is_unreachable() -> None:
    with Upstream() as service:
        settings = tavily(service)
        address = place(service)

    async def work(given: ToolServices) -> JSONObject:
        return await SearchService(given.client, "x", address, None).post("/search", {}, {})

    with pytest.raises(UpstreamUnreachable, match=r"Web search \(x\): cannot connect: ") as error:
        run(work, settings)
    assert "127.0.0.1" not in error.value.message


def why_not(address: str) -> str:
    async def work(given: ToolServices) -> JSONObject:
        return await SearchService(given.client, "x", address, None).get("/", {}, {})

    with pytest.raises(UpstreamUnreachable) as caught:
        run(work, WebSearchSettings())
    return caught.value.message.rpartition(": ")[2]


def test_why_there_is_no_connection(tmp_path: Path) -> None:
    assert why_not("http://nowhere.invalid") == "its name was not found"
    with Upstream() as service:
        port = service.port
    assert why_not(f"http://127.0.0.1:{port}") == "Connection refused"
    with Upstream(tls=untrusted_tls(tmp_path)) as service:
        assert why_not(f"https://127.0.0.1:{service.port}") == "its certificate is not trusted"


def test_only_objects_of_a_list_count() -> None:
    assert dicts([{"a": 1}, None, "x", {}]) == [{"a": 1}, {}]
    assert dicts({"a": 1}) == []
