"""The pages in a real browser, of a server with keys."""

import pytest

from tests.browser.chromium import Tab
from tests.server.keyed import person
from tests.support.serving import Serving


@pytest.fixture(scope="module")
def key(keyed_server: Serving) -> str:
    return person(keyed_server, "alice").key


def sign_in(tab: Tab, server: Serving, key: str) -> None:
    tab.open(server.url.removesuffix("/v1") + "/viewer/files")
    tab.fill("input[name=key]", key)
    tab.submit("main button")


def test_a_person_signs_in_and_out(tab: Tab, keyed_server: Serving, key: str) -> None:
    sign_in(tab, keyed_server, key)
    assert tab.run("location.pathname") == "/viewer/files"
    assert tab.text(".owner").startswith("alice")
    assert tab.run("document.cookie") == ""  # Scripts don't see the session.
    for cookie in tab.send("Network.getCookies")["cookies"]:
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/viewer")
    tab.submit(".owner button")
    assert tab.run("location.pathname") == "/viewer/login"
    tab.open(keyed_server.url.removesuffix("/v1") + "/viewer/files")
    assert tab.run("location.pathname") == "/viewer/login"
    assert tab.problems() == []


def test_a_wrong_key_is_refused(tab: Tab, keyed_server: Serving) -> None:
    sign_in(tab, keyed_server, "wrong")
    assert "Incorrect API key provided" in tab.text("[role=alert]")


def test_a_form_of_another_site_is_refused(tab: Tab, keyed_server: Serving, key: str) -> None:
    sign_in(tab, keyed_server, key)
    # The same browser on a page of another site: localhost is another one than 127.0.0.1.
    origin = keyed_server.url.removesuffix("/v1")
    tab.open(origin.replace("127.0.0.1", "localhost") + "/docs")
    tab.send("Page.setBypassCSP", enabled=True)
    tab.open(origin.replace("127.0.0.1", "localhost") + "/docs")
    tab.run(
        f"document.body.innerHTML = `<form method=post action='{origin}/viewer/logout'>"
        "<input name=token value=guess><button>Win a prize</button></form>`"
    )
    tab.submit("button")
    assert tab.run("location.pathname") in ("/viewer/logout", "/viewer/login")
    tab.open(f"{origin}/viewer/files")
    assert tab.run("location.pathname") == "/viewer/files"  # Still signed in.
    assert tab.text(".owner").startswith("alice")


def test_a_form_with_a_wrong_token_is_refused(tab: Tab, keyed_server: Serving, key: str) -> None:
    sign_in(tab, keyed_server, key)
    tab.run("document.querySelector('.owner [name=token]').value = 'guess'")
    tab.submit(".owner button")
    assert "Not allowed" in tab.text("h1")
    tab.open(keyed_server.url.removesuffix("/v1") + "/viewer/files")
    assert tab.text(".owner").startswith("alice")


def test_signing_in_works_without_scripts(tab: Tab, keyed_server: Serving, key: str) -> None:
    tab.scripts(on=False)
    sign_in(tab, keyed_server, key)
    assert tab.run("location.pathname") == "/viewer/files"
