"""The pages in a real browser, of a server without keys."""

import os
from pathlib import Path

import pytest

from tests.browser.chromium import Tab
from tests.browser.scene import Scene, created, says, script
from tests.server.client import post
from tests.support.upstream import silence

SHOTS = Path(__file__).parents[2] / ".pytest_cache" / "screenshots"
"""Folder of the screenshots."""
IMAGES = Path(__file__).parents[2] / "docs" / "images"
"""Folder of those in the docs, which are written with ANTIPHON_DOCS_IMAGES=1."""
IN_DOCS = frozenset({"list", "response", "diff"})
ROWS = "document.querySelectorAll('tr[data-row]').length"


def test_the_list_is_small_loads_nothing_foreign_and_breaks_no_policy(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/")
    assert tab.run("location.pathname") == "/viewer/responses"
    tab.until("document.querySelector('.live.on')")
    assert "How long does a refund take?" in tab.text()
    assert "file_search" in tab.text()
    assert tab.received() < 60_000
    assert all(address.startswith(scene.origin) for address in tab.addresses())
    assert tab.problems() == []


def test_responses_appear_and_change_by_themselves(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses")
    tab.until("document.querySelector('.live.on')")
    scene.upstream.forget()
    scene.upstream.script(silence())
    made = created(scene.url, "Something slow", background=True)
    row = f"document.getElementById('row-{made}')"
    tab.until(f"{row}?.querySelector('.in_progress')")
    assert tab.run(f"{row} === document.querySelector('tbody').firstElementChild")
    assert "Something slow" in tab.run(f"{row}.innerText")
    post(scene.url, f"/responses/{made}/cancel")
    tab.until(f"{row}.querySelector('.cancelled')")
    assert tab.problems() == []


def test_the_page_of_a_running_response_changes_at_its_end(tab: Tab, scene: Scene) -> None:
    scene.upstream.forget()
    scene.upstream.script(silence())
    made = created(scene.url, "Something slow", background=True)
    tab.open(f"{scene.origin}/viewer/responses/{made}")
    assert "in progress" in tab.text()
    post(scene.url, f"/responses/{made}/cancel")
    tab.until("document.querySelector('h1 .cancelled')")


def test_a_hostile_text_does_nothing(tab: Tab, scene: Scene) -> None:
    for path in (f"/viewer/responses/{scene.hostile}", "/viewer/responses?q=click"):
        for query in ("", "tab=raw", "tab=request", "tab=copy") if "?" not in path else ("",):
            tab.open(f"{scene.origin}{path}{'?' if query else ''}{query}")
            assert "<script>" in tab.text()
            assert "hacked" not in tab.run("document.title")
            assert tab.run("document.scripts.length") == 1
            assert tab.run("document.querySelectorAll('main img, main style').length") == 0
            links = tab.run("[...document.querySelectorAll('main a')].map((link) => link.protocol)")
            assert set(links) <= {"http:", "https:"}
            assert all("evil" not in address for address in tab.addresses())
            assert tab.problems() == []


def test_a_template_in_a_text_is_text(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses/{scene.hostile}")
    assert "{{ 7 * 7 }}" in tab.text("main")


def test_a_response_has_its_timeline_and_its_chain(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses/{scene.tools}")
    kinds = tab.run("[...document.querySelectorAll('.waterfall .kind')].map((kind) => kind.innerText)")
    assert kinds == ["model 1", "tool", "model 2"]
    assert tab.run("document.querySelectorAll('.waterfall svg rect.model').length") == 2
    tab.click(".waterfall .step a")
    tab.until("location.hash.startsWith('#fs_')")
    tab.open(f"{scene.origin}/viewer/responses/{scene.followed}")
    assert tab.run("document.querySelector('.item.assistant strong').innerText") == "2.1 million"
    tab.submit("a[rel=next]")
    assert "Lyon has about half a million." in tab.text()
    tab.submit("a[rel=prev]")
    assert tab.run("location.pathname").endswith(scene.followed)


def test_the_request_to_the_backend_is_shown(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses/{scene.tools}?tab=request")
    assert tab.run("document.querySelectorAll('main article').length") == 2
    assert '"content": "How long does a refund take?"' in tab.text("main")
    assert '"role": "tool"' in tab.text("main")


def test_a_response_is_forked_and_compared(tab: Tab, scene: Scene) -> None:
    script(scene.upstream, says("Refunds take six days."))
    tab.open(f"{scene.origin}/viewer/responses/{scene.tools}")
    tab.click(".fork summary")
    tab.run("document.querySelector('[name=step]').value = '2'")
    tab.submit(".fork form[method=post] button")
    tab.until("document.querySelector('h1 .completed')")
    assert "Refunds take six days." in tab.text("main")
    assert "from the original" in tab.text(".waterfall")
    assert len(scene.upstream.chats) == 1  # The first call and the search were not made again.
    tab.click(".fork summary")
    tab.submit(".fork form[action='/viewer/diff'] button")
    assert "The first difference is in step 3." in tab.text("main")
    assert "text differs" in tab.text("#first")
    assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")
    keep(tab, "diff")
    assert tab.problems() == []


def test_tabs_are_swapped_in_and_back(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses/{scene.failed}")
    assert "Error: server_error" in tab.text()
    tab.run("window.kept = true")
    tab.click(".tabs a[href='?tab=raw']")
    tab.until("document.querySelector('main h2')?.innerText === 'Response'")
    assert tab.run("location.search") == "?tab=raw"
    tab.run("history.back()")
    tab.until("document.querySelector('.item')")
    assert tab.run("window.kept")


def test_search_and_filters_are_in_the_address(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses")
    tab.run("window.kept = true")
    tab.press("/")
    tab.until("document.activeElement.matches('input[type=search]')")
    tab.send("Input.insertText", text="refund")
    tab.press("Enter")
    tab.until(f"location.search === '?q=refund' && {ROWS} < 4")
    assert "How long does a refund take?" in tab.text("tbody")
    assert "Paris" not in tab.text("tbody")
    tab.click(".filters a")
    tab.until(f"{ROWS} > 3")
    tab.run(
        "const s = document.querySelector('[name=status]'); s.value = 'failed'; "
        "s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    tab.until(
        "location.search === '?status=failed' && document.querySelectorAll('tr[data-row]').length === 1"
    )
    assert tab.run("window.kept")


def test_keys_move_and_open(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses")
    selected = "[...document.querySelectorAll('[data-row]')].findIndex((row) => row.matches('.selected'))"
    places = []
    for key in ("j", "j", "j", "k"):
        tab.press(key)
        places.append(tab.run(selected))
    assert places == [0, 1, 2, 1]
    address = tab.run("document.querySelector('.selected a').href")
    tab.events.clear()
    tab.press("Enter")
    tab.until(f"location.href === '{address}'")


def test_a_request_is_copied(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses/{scene.followed}?tab=copy")
    tab.run("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    tab.click("[data-copy]")
    tab.until("document.querySelector('[data-copy]').innerText === 'Copied'")
    assert tab.run("window.copied").startswith(f"curl {scene.origin}/v1/responses")


def test_without_a_clipboard_the_text_is_selected(tab: Tab, scene: Scene) -> None:
    tab.open(f"{scene.origin}/viewer/responses/{scene.followed}?tab=copy")
    tab.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # As without HTTPS.
    tab.click("[data-copy]")
    tab.until("getSelection().toString().startsWith('curl ')")


def test_everything_works_without_scripts(tab: Tab, scene: Scene) -> None:
    tab.scripts(on=False)
    tab.open(f"{scene.origin}/viewer/responses")
    tab.fill("input[type=search]", "refund")
    tab.submit(".filters button")
    assert "q=refund" in tab.run("location.search")
    tab.submit("td.words a")
    tab.submit(".tabs a[href='?tab=raw']")
    assert "file_search_call" in tab.text("pre")
    for section in range(2, 6):
        tab.submit(f"header nav a:nth-child({section})")
        assert tab.run("document.querySelector('h1')") is not None


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("list", "/viewer/responses"),
        ("response", "/viewer/responses/{tools}"),
        ("upstream", "/viewer/responses/{tools}?tab=request"),
        ("events", "/viewer/responses/{tools}?tab=events"),
        ("copy", "/viewer/responses/{followed}?tab=copy"),
        ("files", "/viewer/files"),
        ("background", "/viewer/queue"),
        ("recordings", "/viewer/recordings"),
        ("conversation", "/viewer/conversations/{conversation}"),
        ("vector-store", "/viewer/vector_stores/{vector_store}?q=refund"),
        ("server", "/viewer/server"),
    ],
)
def test_screenshots(tab: Tab, scene: Scene, name: str, path: str) -> None:
    address = scene.origin + path.format(
        tools=scene.tools,
        followed=scene.followed,
        conversation=scene.conversation,
        vector_store=scene.vector_store,
    )
    for form, width, scheme in (("", 1280, "light"), ("-dark", 1280, "dark"), ("-narrow", 400, "light")):
        tab.style(width=width, height=760, scheme=scheme)
        tab.open(address)
        # Nothing is wider than the window.
        assert tab.run("document.documentElement.scrollWidth <= window.innerWidth")
        keep(tab, f"{name}{form}")


def keep(tab: Tab, name: str) -> None:
    """Write a screenshot of the page, also for the docs if they are to be written."""
    tab.screenshot(SHOTS / f"viewer-{name}.png")
    if name in IN_DOCS and os.environ.get("ANTIPHON_DOCS_IMAGES"):
        tab.screenshot(IMAGES / f"viewer-{name}.webp")
