"""The pages of a server with keys."""

import time
from collections.abc import Iterator

import pytest

from antiphon.server.pages import sessions
from antiphon.server.pages.app import ROUTES
from antiphon.service.access import keys
from tests.server.client import call
from tests.server.faults import TEXT
from tests.server.keyed import SETTINGS_KEY, Person, keyed, person
from tests.server.pages.browser import Browser
from tests.support.serving import Serving
from tests.support.upstream import Upstream


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with Upstream() as upstream:
        upstream.script(TEXT)
        with keyed(tmp_path_factory.mktemp("pages") / "state.db", upstream) as server:
            yield server


@pytest.fixture(scope="module")
def alice(server: Serving) -> Person:
    return person(server, "alice")


@pytest.fixture(scope="module")
def bob(server: Serving) -> Person:
    return person(server, "bob")


@pytest.fixture(scope="module")
def hers(alice: Person) -> dict[str, str]:
    """Return the ids of objects of alice."""
    conversation = alice.made(
        "/conversations", {"items": [{"type": "message", "role": "user", "content": "Her secret"}]}
    )
    return {
        "response_id": alice.made("/responses", {"model": "up/m", "input": "Her secret"}),
        "conversation_id": conversation,
        "vector_store_id": alice.made("/vector_stores", {"name": "Her secret"}),
    }


def pages() -> list[str]:
    """Return the paths of all pages, and of their twins in JSON."""
    paths = [route.path for route in ROUTES if "GET" in (route.methods or ())]
    assert len(paths) > 15
    return [path for path in paths if path not in ("/viewer/login", "/viewer/static/{name}")]


def test_a_browser_signs_in_with_a_key_and_out_again(
    server: Serving, alice: Person, hers: dict[str, str]
) -> None:
    browser = Browser(server.url)
    address = f"/viewer/responses/{hers['response_id']}?tab=raw"
    browser.open(address)
    assert (
        browser.page.headers["location"]
        == f"/viewer/login?next={address.replace('?', '%3F').replace('=', '%3D')}"
    )
    browser.follow()
    assert browser.page.status == 200
    assert "Sign in" in browser.text
    browser.send("/viewer/login", {"token": browser.token(), "key": alice.key, "next": address})
    assert browser.page.headers["location"] == address
    browser.follow()
    assert "Her secret" in browser.text
    assert alice.key not in browser.text
    browser.send("/viewer/logout", {"token": browser.token()})
    assert browser.page.headers["location"] == "/viewer/login"
    browser.open(address)
    assert browser.page.status == 303


def test_the_address_of_the_server_leads_browsers_to_the_pages(server: Serving) -> None:
    browser = Browser(server.url)
    browser.open("/")
    assert browser.page.headers["location"] == "/viewer/login?next=/"
    assert call(server.url.removesuffix("/v1"), "GET", "/").status == 401  # As before for programs.
    assert call(server.url.removesuffix("/v1"), "POST", "/").status == 401


@pytest.mark.parametrize("path", pages())
def test_every_page_needs_a_key(server: Serving, hers: dict[str, str], path: str) -> None:
    address = path.format(**hers)
    reply = Browser(server.url).open(address)
    if path.endswith(".json"):
        assert (reply.status, reply.error["code"]) == (401, None)
    else:
        assert reply.headers["location"].startswith("/viewer/login")
    assert b"secret" not in reply.body


@pytest.mark.parametrize("path", [path for path in pages() if "{" in path])
def test_objects_of_another_owner_are_not_found(
    server: Serving, bob: Person, hers: dict[str, str], path: str
) -> None:
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    reply = browser.open(path.format(**hers))
    assert reply.status == 404
    assert b"secret" not in reply.body
    unknown = browser.open(path.format(**{name: f"{value[:-4]}0000" for name, value in hers.items()}))
    assert unknown.status == 404


@pytest.mark.parametrize("path", [path for path in pages() if path.count("/") == 2 and "{" not in path])
def test_lists_show_the_objects_of_their_owner(
    server: Serving, alice: Person, bob: Person, hers: dict[str, str], path: str
) -> None:
    for someone in (alice, bob):
        browser = Browser(server.url)
        browser.sign_in(someone.key)
        reply = browser.open(path)
        if path.startswith(("/viewer/server", "/viewer/recordings")):
            assert reply.status == 403
            continue
        assert reply.status == 200, reply.body
        if someone is bob:
            assert b"secret" not in reply.body
            assert not any(value[5:].encode() in reply.body for value in hers.values())


def test_the_operator_sees_the_server(server: Serving) -> None:
    browser = Browser(server.url)
    browser.sign_in(SETTINGS_KEY)
    assert browser.open("/viewer/server").status == 200
    assert "/viewer/server" in browser.text
    assert SETTINGS_KEY not in browser.text


def test_others_are_told_which_key_they_need(server: Serving, bob: Person) -> None:
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    browser.open("/viewer/server")
    assert "Only keys of the owner &#39;local&#39; may see it." in browser.text
    assert 'href="/viewer/server"' not in browser.text
    reply = call(server.url.removesuffix("/v1"), "GET", "/viewer/server.json", headers=bob.headers)
    assert (reply.status, reply.error["code"]) == (403, "operator_only")


def test_programs_read_json_with_a_key(server: Serving, alice: Person, hers: dict[str, str]) -> None:
    path = f"/viewer/responses/{hers['response_id']}.json"
    reply = call(server.url.removesuffix("/v1"), "GET", path, headers=alice.headers)
    assert reply.json["response"]["id"] == hers["response_id"]
    wrong = {"Authorization": "Bearer wrong"}
    assert call(server.url.removesuffix("/v1"), "GET", path, headers=wrong).status == 401


@pytest.mark.parametrize("key", ["", "wrong", "sk-antiphon-" + "x" * 43])
def test_a_wrong_key_is_refused_with_a_message(server: Serving, key: str) -> None:
    browser = Browser(server.url)
    reply = browser.sign_in(key)
    assert reply.status == 401
    assert 'role="alert"' in browser.text
    assert browser.open("/viewer").status == 303


def test_forms_of_other_sites_are_refused(server: Serving, alice: Person) -> None:
    victim = Browser(server.url)
    victim.sign_in(alice.key)
    mine = Browser(server.url)
    mine.open("/viewer/login")
    for token in ("", "x", mine.token()):
        assert victim.send("/viewer/logout", {"token": token}).status == 403
    assert "does not belong to this session" in victim.text
    assert victim.send("/viewer/logout", {}).status == 403
    assert victim.open("/viewer/files").status == 200  # Still signed in.


def test_nobody_signs_a_victim_in(server: Serving, bob: Person) -> None:
    # Without a cookie of its own, a browser has no token that would fit.
    mine = Browser(server.url)
    mine.open("/viewer/login")
    victim = Browser(server.url)
    reply = victim.send("/viewer/login", {"token": mine.token(), "key": bob.key})
    assert reply.status == 403


def test_requests_of_other_sites_sign_nobody_out(server: Serving, bob: Person) -> None:
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    kept, browser.cookies = browser.cookies, {}  # Browsers send no cookie with them.
    browser.open("/viewer/login")
    assert not browser.cookies.keys() & {name for name in kept if not name.endswith("-form")}
    browser.cookies = kept | browser.cookies
    assert browser.open("/viewer/files").status == 200


def test_signing_in_changes_the_session(server: Serving, bob: Person) -> None:
    browser = Browser(server.url)
    browser.open("/viewer/login")
    before, token = dict(browser.cookies), browser.token()
    browser.send("/viewer/login", {"token": token, "key": bob.key})
    assert browser.cookies != before
    assert browser.send("/viewer/logout", {"token": token}).status == 403


def test_a_changed_or_foreign_cookie_is_no_session(server: Serving, bob: Person) -> None:
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    (name,) = (name for name in browser.cookies if not name.endswith("-form"))
    value = browser.cookies[name]
    for wrong in (value[:-4] + "AAAA", "antiphon1.AAAA", "x", "x" * 9000):
        browser.cookies = {name: wrong}
        assert browser.open("/viewer/files").status == 303


def test_the_session_is_for_the_pages_only(server: Serving, bob: Person) -> None:
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    assert browser.open("/v1/responses").status == 401


def test_a_session_ends(server: Serving, bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    later = time.time() + sessions.LIFETIME + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert browser.open("/viewer/files").status == 303


def test_a_revoked_key_ends_its_sessions(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "REFRESH", 0)
    eve = person(server, "eve")
    browser = Browser(server.url)
    browser.sign_in(eve.key)
    assert browser.open("/viewer/files").status == 200
    assert server.call(server.store.keys.delete("eve"))
    assert browser.open("/viewer/files").status == 303


@pytest.mark.parametrize(
    ("address", "after"),
    [
        ("/viewer/files?after=x", "/viewer/files?after=x"),
        ("https://evil.example/", "/viewer"),
        ("//evil.example/", "/viewer"),
        ("/viewer.evil.example", "/viewer"),
        ("/viewer\\@evil.example", "/viewer"),
        ("/viewer/\r\nX-Evil: 1", "/viewer"),
        ("/v1/responses", "/viewer"),
    ],
)
def test_signing_in_leads_to_pages_only(server: Serving, bob: Person, address: str, after: str) -> None:
    browser = Browser(server.url)
    browser.open("/viewer/login")
    browser.send("/viewer/login", {"token": browser.token(), "key": bob.key, "next": address})
    assert browser.page.headers["location"] == after


def test_behind_https_the_cookie_is_secure(server: Serving) -> None:
    reply = Browser(server.url).open("/viewer/login", **{"X-Forwarded-Proto": "https"})
    assert reply.headers["set-cookie"].endswith("; Secure")
    assert "Secure" not in Browser(server.url).open("/viewer/login").headers["set-cookie"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join([b"a=1"] * 100), b"x" * 1_100_000])
def test_other_bodies_are_refused(server: Serving, body: bytes) -> None:
    reply = call(server.url.removesuffix("/v1"), "POST", "/viewer/login", body)
    assert reply.status in (400, 403, 413)
    assert reply.headers["content-type"].startswith("text/html")
