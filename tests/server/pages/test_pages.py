"""The pages of a server without keys."""

import re

import pytest

from antiphon.server.pages.frame import static_files
from antiphon.store.errors import ObjectNotFound
from tests.server.client import call, get, post
from tests.server.faults import TEXT
from tests.server.forms import FORM, form, part
from tests.server.pages.browser import Browser
from tests.support.serving import Serving
from tests.support.upstream import Upstream

HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) **bold** <img src=x onerror=alert(1)>"


@pytest.fixture
def browser(url: str) -> Browser:
    return Browser(url)


@pytest.fixture
def made(url: str, upstream: Upstream) -> str:
    """Return the id of a response to a hostile text."""
    upstream.forget()
    upstream.script(TEXT)
    body = {"model": "up/m", "input": HOSTILE, "instructions": HOSTILE, "metadata": {"<b>": HOSTILE}}
    created: str = post(url, "/responses", body).json["id"]
    return created


def test_a_browser_at_the_address_of_the_server_gets_the_pages(browser: Browser) -> None:
    browser.open("/")
    assert browser.page.headers["location"] == "/viewer/responses"
    browser.open("/viewer")
    assert browser.page.headers["location"] == "/viewer/responses"


@pytest.mark.parametrize("accept", ["*/*", "application/json", None])
def test_programs_get_what_they_got(url: str, accept: str | None) -> None:
    headers = {"Accept": accept} if accept else {}
    reply = call(url.removesuffix("/v1"), "GET", "/", headers=headers)
    assert (reply.status, reply.error["message"]) == (404, "Invalid URL (GET /)")
    assert call(url.removesuffix("/v1"), "POST", "/", {}, {"Accept": "text/html"}).status == 404


def test_every_page_has_the_headers_that_keep_strangers_out(browser: Browser, made: str) -> None:
    for path in ("/viewer/files", "/viewer/files.json", f"/viewer/responses/{made}", "/viewer/nothing"):
        headers = browser.open(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"


def test_text_of_models_and_clients_is_text(browser: Browser, made: str) -> None:
    for tab in ("", "raw", "request", "events", "copy"):
        browser.open(f"/viewer/responses/{made}?tab={tab}")
        assert browser.page.status == 200, browser.text
        assert "alert(1)" in browser.text
        assert "<script>" not in browser.text
        assert "<img" not in browser.text
        assert 'href="javascript' not in browser.text
        assert "<b>" not in browser.text
        assert not re.search(r"\son\w+=[^&]*&?[\"']", browser.text.replace("onerror=alert(1)", ""))
    browser.open(f"/viewer/responses/{made}")
    assert "<strong>bold</strong>" in browser.text


def test_no_page_has_scripts_or_styles_inside(browser: Browser, made: str) -> None:
    for path in ("/viewer/files", "/viewer/server", f"/viewer/responses/{made}", "/viewer/login"):
        browser.open(path)
        assert re.findall(r"<script[^>]*>", browser.text) == re.findall(
            r'<script src="/viewer/static/viewer\.js\?[\w-]+" defer>', browser.text
        )
        assert "style=" not in browser.text
        assert "<style" not in browser.text
        assert set(re.findall(r'(?:src|href)="(\w+:)?//', browser.text)) == set()


def test_static_files_are_kept_by_browsers_and_have_an_address_per_version(browser: Browser) -> None:
    browser.open("/viewer/files")
    for name in static_files():
        (address,) = re.findall(rf'"(/viewer/static/{re.escape(name)}\?[\w-]+)"', browser.text)
        reply = Browser(f"{browser._origin}/v1").open(address)
        assert reply.status == 200
        assert "immutable" in reply.headers["cache-control"]
    assert browser.open("/viewer/static/nothing.js").status == 404


def test_the_script_is_short_and_everything_is_small() -> None:
    script, _ = static_files()["viewer.js"]
    assert script.count(b"\n") < 200
    assert sum(len(content) for content, _ in static_files().values()) < 25_000


def test_a_response_with_its_chain(url: str, browser: Browser, upstream: Upstream, made: str) -> None:
    body = {"model": "up/m", "input": "On", "previous_response_id": made}
    following = post(url, "/responses", body).json["id"]
    browser.open(f"/viewer/responses/{made}")
    assert f'<a rel="next" href="/viewer/responses/{following}">' in browser.text
    browser.open(f"/viewer/responses/{following}")
    assert f'<a rel="prev" href="/viewer/responses/{made}">' in browser.text
    twin = browser.open(f"/viewer/responses/{following}.json").json
    assert twin["response"]["previous_response_id"] == made
    assert [item["content"][0]["text"] for item in twin["input"]] == ["On"]
    assert browser.open(f"/viewer/responses/{made}.json").json["following"] == [following]


def test_the_events_of_a_background_response(url: str, browser: Browser, upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(TEXT)
    created = post(url, "/responses", {"model": "up/m", "input": "Hi", "background": True}).json["id"]
    assert get(url, f"/responses/{created}?stream=true").payloads[-1]["type"] == "response.completed"
    events = browser.open(f"/viewer/responses/{created}.json?tab=events").json["events"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    browser.open(f"/viewer/responses/{created}?tab=events")
    assert "<code>response.output_text.delta</code>" in browser.text


def test_copies_name_the_address_that_the_browser_uses(browser: Browser, made: str) -> None:
    browser.open(
        f"/viewer/responses/{made}?tab=copy", **{"Host": "localhost:1", "X-Forwarded-Proto": "https"}
    )
    assert "curl https://localhost:1/v1/responses" in browser.text
    browser.open(f"/viewer/responses/{made}?tab=unknown")
    assert browser.page.status == 400


def test_conversations(url: str, browser: Browser, upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(TEXT)
    items = [{"type": "message", "role": "user", "content": "First words"}]
    created = post(url, "/conversations", {"items": items, "metadata": {"a": "b"}}).json["id"]
    response = post(url, "/responses", {"model": "up/m", "input": "Next", "conversation": created}).json["id"]
    (line,) = [
        each for each in browser.open("/viewer/conversations.json").json["data"] if each["id"] == created
    ]
    assert (line["words"], line["item_count"], line["metadata"]) == ("First words", 3, {"a": "b"})
    browser.open("/viewer/conversations")
    assert "First words" in browser.text
    browser.open(f"/viewer/conversations/{created}")
    assert browser.text.index("First words") < browser.text.index("Next")
    assert f'href="/viewer/responses/{response}"' in browser.text
    view = browser.open(f"/viewer/conversations/{created}.json?limit=1").json
    assert len(view["items"]) == 1
    assert view["next"].startswith(f"/viewer/conversations/{created}?")


def test_lists_have_pages(url: str, browser: Browser) -> None:
    ids = [post(url, "/conversations", {}).json["id"] for _ in range(3)]
    first = browser.open("/viewer/conversations.json?limit=2").json
    assert [each["id"] for each in first["data"]] == ids[:0:-1]
    assert first["first"] is None
    address = first["next"].replace("/viewer/conversations", "/viewer/conversations.json")
    second = browser.open(address).json
    assert second["data"][0]["id"] == ids[0]
    assert second["first"] == "/viewer/conversations?limit=2"
    browser.open(first["next"])
    assert ">Newest</a>" in browser.text
    assert browser.open("/viewer/conversations?after=conv_unknown").status == 404


def test_files_and_vector_stores_with_their_search(url: str, browser: Browser) -> None:
    parts = [part("purpose", b"assistants"), part("file", b"The cat sat on the mat.", "<b>.txt")]
    file_id = call(url, "POST", "/files", form(*parts), {"Content-Type": FORM["Content-Type"]}).json["id"]
    store = post(url, "/vector_stores", {"name": "Notes", "file_ids": [file_id]}).json["id"]
    browser.open("/viewer/files")
    assert "&lt;b&gt;.txt" in browser.text
    browser.open("/viewer/vector_stores")
    assert f'<a href="/viewer/vector_stores/{store}">Notes</a>' in browser.text
    view = browser.open(f"/viewer/vector_stores/{store}.json?q=cat").json
    assert [each["text"] for each in view["passages"]] == ["The cat sat on the mat."]
    assert [each["filename"] for each in view["files"]] == ["<b>.txt"]
    browser.open(f"/viewer/vector_stores/{store}?q=%3Cb%3E")
    assert "No passage matches." in browser.text
    assert 'value="&lt;b&gt;"' in browser.text


def test_the_queue_shows_background_responses(url: str, browser: Browser, upstream: Upstream) -> None:
    upstream.forget()
    upstream.script(TEXT)
    assert browser.open("/viewer/queue").status == 200
    created = post(url, "/responses", {"model": "up/m", "input": "Hi", "background": True}).json["id"]
    get(url, f"/responses/{created}?stream=true")
    assert browser.open("/viewer/queue.json").json["data"] == []


def test_batches_are_beside_the_queue(url: str, browser: Browser) -> None:
    lines = b'{"custom_id": "<b>", "method": "POST", "url": "/v1/responses", "body": {"model": "x"}}'
    file_id = call(
        url,
        "POST",
        "/files",
        form(part("purpose", b"batch"), part("file", lines, "lines.jsonl")),
        {"Content-Type": FORM["Content-Type"]},
    ).json["id"]
    body = {
        "input_file_id": file_id,
        "endpoint": "/v1/responses",
        "completion_window": "24h",
        "metadata": {"<i>": "x"},
    }
    created = post(url, "/batches", body).json["id"]
    (batch,) = browser.open("/viewer/queue.json").json["batches"]
    assert batch["id"] == created
    browser.open("/viewer/queue")
    assert created in browser.text
    assert "&lt;i&gt;: x" in browser.text


def test_the_server_shows_its_backends(browser: Browser) -> None:
    view = browser.open("/viewer/server.json").json
    assert [backend["health"]["name"] for backend in view["backends"]] == ["up"]
    browser.open("/viewer/server")
    assert "<code>up/m</code>" in browser.text


def test_errors_are_pages_and_errors_of_json_are_the_apis(browser: Browser) -> None:
    assert browser.open("/viewer/responses/resp_unknown").status == 404
    assert "not found" in browser.text
    error = browser.open("/viewer/responses/resp_unknown.json").error
    assert error["message"] == ObjectNotFound("Response", "resp_unknown").message
    assert browser.open("/viewer/<script>").status == 404
    assert "<script>" not in re.sub(r'<script src="[^"]+" defer>', "", browser.text)
    assert browser.send("/viewer/files", {}).status == 405


def test_pages_of_other_sites_reach_nothing(server: Serving, browser: Browser) -> None:
    assert browser.open("/viewer/files", Origin="https://evil.example").status == 403


def test_a_form_needs_its_token_without_keys_too(browser: Browser) -> None:
    browser.open("/viewer/login")
    token = browser.token()
    assert browser.send("/viewer/logout", {"token": "x"}).status == 403
    assert browser.send("/viewer/logout", {"token": token}).status == 303
