"""The page of recordings, on a server that replays."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.testing.server import LocalServer, serve
from tests.server.client import post
from tests.server.pages.browser import Browser
from tests.support.serving import Serving

RECORDED = {"model": "antiphon/sample", "input": "Recorded"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder: Path = tmp_path_factory.mktemp("recordings")
    with serve(folder, "record", backends=[]) as server:
        assert post(server.url, "/responses", RECORDED).status == 200
        assert post(server.url, "/responses", RECORDED | {"input": "Never used"}).status == 200
    with serve(folder, backends=[]) as server:
        yield server


def origin(server: LocalServer) -> str:
    return re.sub(r"/scope/.*", "/v1", server.url)


def test_hits_and_misses_with_the_differing_fields(server: LocalServer) -> None:
    browser = Browser(origin(server))
    assert post(server.url, "/responses", RECORDED).status == 200
    assert post(server.url, "/responses", RECORDED | {"input": "<b>Not</b> recorded"}).status == 502
    view = browser.open("/viewer/recordings.json").json
    assert (view["mode"], view["hit_count"], view["miss_count"]) == ("replay", 1, 1)
    assert view["calls"] == {"chat": 2}
    assert view["hits"][0]["recording"].endswith("#1")
    assert "messages[0].content" in view["misses"][0]["message"]
    browser.open("/viewer/recordings")
    assert "&lt;b&gt;Not&lt;/b&gt; recorded" in browser.text
    assert view["is_checked"] is False


def test_unused_recordings_are_listed_on_demand(server: LocalServer) -> None:
    browser = Browser(origin(server))
    view = browser.open("/viewer/recordings.json?check=1").json
    assert [problem["kind"] for problem in view["problems"]] == ["unused"]
    browser.open("/viewer/recordings?check=1")
    assert "Problems: 1." in browser.text


def test_a_server_without_recordings_says_so(shared_server: Serving) -> None:
    browser = Browser(shared_server.url)
    browser.open("/viewer/recordings")
    assert "makes all calls and records none" in browser.text
