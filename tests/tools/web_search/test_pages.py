"""Access to pages and their text, through the guard."""

import asyncio
import json

import pytest

from antiphon.engine.hosted.items import for_model
from antiphon.settings.tools import ToolsSettings, WebSearchSettings
from antiphon.tools.context import ToolServices
from antiphon.tools.web_search.pages import MAX_MATCHES, OPENED_CHARACTERS
from antiphon.wire.events import OutputItemDone
from antiphon.wire.items import WebSearchCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import WebSearchTool
from tests.support.schemas import check_openai
from tests.support.upstream import Answer, Upstream, html, reply
from tests.tools.web_search.searching import item_of, led, opened, place

PAGE = """<html><head><title>A page</title></head><body><nav>Menu</nav><h1>Heading</h1>
<p>It is best for
long work.</p></body></html>"""


def ask(
    answer: Answer,
    *calls: tuple[str, JSONObject],
    tool: WebSearchTool | None = None,
    allowed: bool = True,
    **settings: JSON,
) -> tuple[list[WebSearchCall], int]:
    """Run the calls one by one, with the URL of `PAGE`; return the items and the number of reads."""

    async def work(service: Upstream) -> list[WebSearchCall]:
        hosts = [f"127.0.0.1:{service.port}"] if allowed else []
        tools = ToolsSettings(web_search=WebSearchSettings(open_pages=True, **settings))
        given = await ToolServices.open(tools, hosts)
        try:
            hosted, items = opened(given, tool), []
            for name, arguments in calls:
                with_url = {"url": f"{place(service)}/page"} | arguments
                call = hosted.call(name, json.dumps(with_url))
                done = (await led(call))[-1]
                assert isinstance(done, OutputItemDone)
                items.append(item_of(call))
            return items
        finally:
            await given.close()

    with Upstream() as service:
        service.script(answer)
        items = asyncio.run(work(service))
        return items, len(service.requests)


def said(item: WebSearchCall) -> JSON:
    """Return the result that the model receives: JSON, or an error message."""
    heard = for_model(item)
    assert heard is not None
    assert isinstance(heard.output, str)
    return json.loads(heard.output) if item.status == "completed" else heard.output


def test_pages_are_offered_only_where_they_are_wanted() -> None:
    async def names(open_pages: bool, tool: WebSearchTool) -> list[str]:
        settings = WebSearchSettings(open_pages=open_pages)
        given = await ToolServices.open(ToolsSettings(web_search=settings))
        try:
            return [function["function"]["name"] for function in opened(given, tool).functions()]
        finally:
            await given.close()

    every = ["web_search", "open_page", "find_in_page"]
    assert asyncio.run(names(False, WebSearchTool())) == ["web_search"]
    assert asyncio.run(names(False, WebSearchTool(search_context_size="high"))) == every
    assert asyncio.run(names(True, WebSearchTool())) == every


def test_a_page_is_opened() -> None:
    [item], _ = ask(html(PAGE), ("open_page", {}))
    assert item.status == "completed"
    [result] = said(item)["results"]
    assert item.action == {"type": "open_page", "url": result["url"]}
    assert result == {
        "url": result["url"],
        "title": "A page",
        "content": "# Heading\nIt is best for long work.",
    }
    check_openai("WebSearchActionOpenPage", item.action)


def test_text_is_found_in_the_page_that_was_opened() -> None:
    items, reads = ask(
        html(PAGE),
        ("open_page", {}),
        ("find_in_page", {"pattern": "IS  best\nfor"}),
        ("find_in_page", {"pattern": "?"}),
    )
    assert reads == 1
    _, found, nothing = items
    url = said(found)["url"]
    assert found.action == {"type": "find_in_page", "url": url, "pattern": "IS  best\nfor"}
    assert "It is best for long work." in said(found)["results"][0]["content"]
    assert said(nothing)["results"] == []
    assert nothing.status == "completed"
    check_openai("WebSearchActionFind", found.action)


def test_places_are_bounded_and_stand_once() -> None:
    near = "<p>needle needle</p>"
    far = "".join(f"<p>{'x' * 700} needle {n}</p>" for n in range(20))
    [item], _ = ask(html(near), ("find_in_page", {"pattern": "needle"}))
    assert len(said(item)["results"]) == 1
    [item], _ = ask(html(far), ("find_in_page", {"pattern": "needle"}))
    assert len(said(item)["results"]) == MAX_MATCHES


def test_a_long_page_is_shown_in_part() -> None:
    [item], _ = ask(html(f"<p>{'word ' * 5000}</p>"), ("open_page", {}))
    content = said(item)["results"][0]["content"]
    assert content.endswith("more characters; find_in_page finds text in them]")
    assert len(content) < OPENED_CHARACTERS + 100


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (html("gone", status=404), "the server returned status 404"),
        (Answer([b"\x89PNG"], headers={"Content-Type": "image/png"}, length=True), "its type is 'image/png'"),
    ],
)
def test_unreadable_pages_are_reported_to_the_model(answer: Answer, text: str) -> None:
    [item], _ = ask(answer, ("open_page", {}))
    assert item.status == "failed"
    assert text in said(item)


def test_the_guard_stands_before_the_model_s_addresses_too() -> None:
    [item], reads = ask(html(PAGE), ("open_page", {}), allowed=False)
    assert (item.status, reads) == ("failed", 0)
    assert "is not allowed" in said(item)


def test_pages_of_other_domains_are_not_opened() -> None:
    tool = WebSearchTool(filters={"allowed_domains": ["example.com"]})
    [item], reads = ask(html(PAGE), ("open_page", {}), tool=tool)
    assert (item.status, reads) == ("failed", 0)
    assert said(item) == "Only pages of these domains may be opened: example.com."


def test_a_redirect_to_another_domain_is_not_shown() -> None:
    tool = WebSearchTool(filters={"allowed_domains": ["localhost"]})

    async def work(service: Upstream) -> WebSearchCall:
        hosts = ["localhost", "127.0.0.1"]
        given = await ToolServices.open(ToolsSettings(web_search=WebSearchSettings(open_pages=True)), hosts)
        try:
            call = opened(given, tool).call(
                "open_page", json.dumps({"url": f"http://localhost:{service.port}/page"})
            )
            await led(call)
            return item_of(call)
        finally:
            await given.close()

    with Upstream() as service:
        service.script(
            reply({}, status=302, Location=f"http://127.0.0.1:{service.port}/other"), html("<p>Secret</p>")
        )
        item = asyncio.run(work(service))
    assert item.status == "failed"
    assert "Only pages of these domains" in said(item)


def test_missing_arguments_are_reported_to_the_model() -> None:
    [item], _ = ask(html(PAGE), ("find_in_page", {"url": 3}))
    assert "'url' and 'pattern'" in said(item)
