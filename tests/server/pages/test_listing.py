"""The list of responses with its filters, its search and its live rows."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import pytest

from tests.server.client import get, post
from tests.server.faults import TEXT
from tests.server.pages.browser import Browser
from tests.support.serving import Serving
from tests.support.upstream import Upstream


@pytest.fixture(autouse=True)
def scripted(upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(TEXT)


@pytest.fixture(scope="module")
def ids(shared_server: Serving, shared_upstream: Upstream) -> list[str]:
    """Return the ids of three responses, the oldest first."""
    shared_upstream.script(TEXT)
    bodies = (
        {"input": "<b>Apples</b>", "metadata": {"a": "b"}},
        {"input": "Pears"},
        {"input": "Plums", "background": True},
    )
    made = [post(shared_server.url, "/responses", {"model": "up/m"} | body).json["id"] for body in bodies]
    get(shared_server.url, f"/responses/{made[-1]}?stream=true")
    return made


def listed(url: str, query: str = "") -> list[str]:
    """Return the ids of a list."""
    view = Browser(url).open(f"/viewer/responses.json?{query}").json
    return [entry["id"] for entry in view["data"]]


def test_the_newest_responses_come_first_with_their_facts(url: str, ids: list[str]) -> None:
    assert listed(url)[:3] == ids[::-1]
    browser = Browser(url)
    browser.open("/viewer/responses")
    assert "&lt;b&gt;Apples&lt;/b&gt;" in browser.text
    assert "<b>Apples" not in browser.text
    entry = browser.open("/viewer/responses.json").json["data"][2]
    assert (entry["status"], entry["model"], entry["summary"]["text"]) == (
        "completed",
        "up/m",
        "<b>Apples</b>",
    )
    assert 0 < entry["summary"]["first"] <= entry["summary"]["seconds"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=pears", [1]),
        ("q=nothing", []),
        ("status=failed", []),
        ("status=completed", [2, 1, 0]),
        ("model=up%2Fm", [2, 1, 0]),
        ("model=other", []),
        ("tool=none", []),
        ("since=1h", [2, 1, 0]),
        ("errors=1", []),
        ("limit=1", [2]),
    ],
)
def test_filters_are_in_the_address(url: str, ids: list[str], query: str, expected: list[int]) -> None:
    assert listed(url, query) == [ids[number] for number in expected]
    browser = Browser(url)
    browser.open(f"/viewer/responses?{query}")
    assert browser.page.status == 200
    assert ("Clear</a>" in browser.text) is (query != "limit=1")


def test_a_list_has_pages_that_keep_the_filters(url: str, ids: list[str]) -> None:
    browser = Browser(url)
    view = browser.open("/viewer/responses.json?limit=2&model=up%2Fm").json
    assert view["next"] == f"/viewer/responses?limit=2&model=up%2Fm&after={ids[1]}"
    browser.open(view["next"])
    assert ids[0] in browser.text
    assert ids[2] not in browser.text
    assert 'class="live"' not in browser.text


@pytest.mark.parametrize("query", ["since=soon", "after=resp_unknown", "limit=0", "q=%00"])
def test_wrong_filters_are_errors(url: str, query: str) -> None:
    assert Browser(url).open(f"/viewer/responses?{query}").status in (400, 404)


def test_a_hostile_search_is_text(url: str, ids: list[str]) -> None:
    browser = Browser(url)
    for text in ("%22%3E%3Cscript%3E", "%22 OR 1", "*", "a NEAR", "'"):
        browser.open(f"/viewer/responses?q={text.replace(' ', '%20')}")
        assert browser.page.status == 200, browser.text
        assert "<script>" not in browser.text


class Stream:
    """A stream of server-sent events."""

    def __init__(self, url: str, path: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=20)
        self._connection.request("GET", path)
        self.response: HTTPResponse = self._connection.getresponse()

    def frames(self) -> Iterator[str]:
        """Yield the frames as they arrive."""
        lines: list[str] = []
        for line in self.response:
            if line == b"\n":
                yield "".join(lines)
                lines = []
            else:
                lines.append(line.decode())

    def close(self) -> None:
        self._connection.close()


def test_new_responses_appear_by_themselves(url: str, ids: list[str]) -> None:
    view = Browser(url).open("/viewer/responses.json").json
    stream = Stream(url, view["live"])
    try:
        assert stream.response.status == 200
        assert stream.response.headers["content-security-policy"]
        frames = stream.frames()
        assert next(frames) == "retry: 2000\n"
        made = post(url, "/responses", {"model": "up/m", "input": "<i>Figs</i>"}).json["id"]
        found = next(frame for frame in frames if made in frame)
        html = json.loads(found.removeprefix("data: "))
        assert f'id="row-{made}"' in html
        assert "&lt;i&gt;Figs&lt;/i&gt;" in html
    finally:
        stream.close()


def test_a_filtered_list_receives_its_own_rows_only(url: str, ids: list[str]) -> None:
    view = Browser(url).open("/viewer/responses.json?status=failed").json
    assert "status=failed" in view["live"]
    assert Browser(url).open("/viewer/responses.json?q=pears").json["live"] is None


def test_the_page_of_a_response_hears_of_its_end(url: str, ids: list[str]) -> None:
    stream = Stream(url, f"/viewer/live/responses/{ids[0]}")
    try:
        assert list(stream.frames())[-1] == "event: end\ndata: {}\n"
    finally:
        stream.close()
    assert Browser(url).open("/viewer/live/responses/resp_unknown").status == 404


def test_a_response_has_a_timeline(url: str, ids: list[str]) -> None:
    browser = Browser(url)
    view = browser.open(f"/viewer/responses/{ids[0]}.json").json
    (bar,) = view["timeline"]["bars"]
    assert (bar["step"]["kind"], bar["step"]["call"], bar["step"]["name"]) == ("model", 1, "up/m")
    browser.open(f"/viewer/responses/{ids[0]}")
    assert '<rect class="model"' in browser.text


def test_the_list_is_small(url: str, shared_server: Serving) -> None:
    for _ in range(50):
        post(url, "/responses", {"model": "up/m", "input": "w" * 1000, "metadata": {"k": "v" * 500}})
    assert len(Browser(url).open("/viewer/responses").body) < 45_000
