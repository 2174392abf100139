"""Forks and comparisons on the pages."""

from collections.abc import Iterator

import pytest

from tests.server.client import Reply, call, get, post
from tests.server.keyed import Person, keyed, person
from tests.server.pages.browser import Browser
from tests.server.test_file_search import asks, new_store, says
from tests.support.serving import Serving
from tests.support.upstream import Answer, Upstream


def script(upstream: Upstream, *answers: Answer) -> None:
    upstream.forget()
    upstream.script(*answers)


@pytest.fixture(scope="module")
def original(shared_server: Serving, shared_upstream: Upstream) -> str:
    """Return the id of a response with a tool call between two model calls."""
    url = shared_server.url
    store = new_store(url, ("Refunds take five days.", {}))
    script(shared_upstream, asks("refunds"), says("Five days."))
    tool = {"type": "file_search", "vector_store_ids": [store]}
    body = {"model": "up/m", "input": "<b>How long?</b>", "instructions": "Be brief.", "tools": [tool]}
    created: str = post(url, "/responses", body).json["id"]
    return created


def fork(browser: Browser, original: str, **fields: str) -> str:
    """Fork by the form of the page, and return the id of the fork."""
    browser.open(f"/viewer/responses/{original}")
    given = {"token": browser.token(), "instructions": "Be brief.", "model": "up/m", "input": ""}
    browser.send(f"/viewer/responses/{original}/fork", given | fields)
    assert browser.page.status == 303, browser.text
    return browser.page.headers["location"].removeprefix("/viewer/responses/")


def ended(url: str, response_id: str) -> str:
    """Wait until a response has ended, and return its text."""
    while (response := get(url, f"/responses/{response_id}").json)["status"] == "in_progress":
        pass
    assert response["status"] == "completed", response
    text: str = response["output"][-1]["content"][0]["text"]
    return text


def test_a_fork_makes_the_calls_from_the_chosen_one_on(url: str, upstream: Upstream, original: str) -> None:
    browser = Browser(url)
    script(upstream, says("Six days."))
    forked = fork(browser, original, step="2")
    assert ended(url, forked) == "Six days."
    assert len(upstream.chats) == 1
    view = browser.open(f"/viewer/responses/{forked}.json").json
    assert view["forked_from"] == original
    assert [bar["step"].get("is_kept", False) for bar in view["timeline"]["bars"]] == [True, True, False]
    assert forked in browser.open(f"/viewer/responses/{original}.json").json["forks"]
    browser.open("/viewer/responses")
    assert f'href="/viewer/responses/{original}">fork</a>' in browser.text


def test_a_fork_can_have_other_instructions_and_another_input(
    url: str, upstream: Upstream, original: str
) -> None:
    script(upstream, says("Other."))
    forked = fork(Browser(url), original, step="1", instructions="Be long.", input="How much?")
    assert ended(url, forked) == "Other."
    (chat,) = upstream.chats
    assert [message["content"] for message in chat.json["messages"]] == ["Be long.", "How much?"]


@pytest.mark.parametrize("step", ["", "x", "0", "7", "99999999"])
def test_wrong_steps_are_errors(url: str, original: str, step: str) -> None:
    browser = Browser(url)
    browser.open(f"/viewer/responses/{original}")
    fields = {"token": browser.token(), "step": step}
    assert browser.send(f"/viewer/responses/{original}/fork", fields).status == 400
    assert "Invalid &#39;step&#39;" in browser.text


def test_a_fork_needs_the_token_of_the_form(url: str, upstream: Upstream, original: str) -> None:
    browser = Browser(url)
    browser.open(f"/viewer/responses/{original}")
    upstream.requests.clear()
    assert browser.send(f"/viewer/responses/{original}/fork", {"step": "1"}).status == 403
    assert not upstream.chats


def test_programs_fork_with_json(url: str, upstream: Upstream, original: str) -> None:
    script(upstream, says("Seven days."))
    path = f"/viewer/responses/{original}/fork.json"
    reply = call(url.removesuffix("/v1"), "POST", path, {"step": 2})
    assert reply.status == 200, reply.body
    assert reply.json["output"][-1]["content"][0]["text"] == "Seven days."
    assert call(url.removesuffix("/v1"), "POST", path, {"step": 9}).error["param"] == "step"


def test_two_responses_side_by_side(url: str, upstream: Upstream, original: str) -> None:
    browser = Browser(url)
    script(upstream, says("<b>Eight</b> days."))
    forked = fork(browser, original, step="2")
    ended(url, forked)
    found = browser.open(f"/viewer/diff.json?left={original}&right={forked}").json["comparison"]
    assert (found["first"], found["head"]) == (3, [])
    assert [pair["differs"] for pair in found["pairs"]] == [[], [], ["text"]]
    browser.open(f"/viewer/diff?left={original}&right={forked}")
    assert "The first difference is in step 3." in browser.text
    assert "&lt;b&gt;Eight&lt;/b&gt; days." in browser.text
    assert "&lt;b&gt;How long?&lt;/b&gt;" in browser.text
    browser.open(f"/viewer/diff?left={original}&right={original}")
    assert "The responses are equal." in browser.text
    assert browser.open("/viewer/diff").status == 200
    assert browser.open(f"/viewer/diff?left={original}&right=resp_unknown").status == 404


def test_the_requests_that_were_sent(url: str, original: str) -> None:
    browser = Browser(url)
    requests = browser.open(f"/viewer/responses/{original}.json?tab=request").json["requests"]
    assert [each["sent"]["is_exact"] for each in requests] == [True, True]
    assert [message["role"] for message in requests[1]["sent"]["body"]["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    browser.open(f"/viewer/responses/{original}?tab=request")
    assert "details may differ" not in browser.text


@pytest.fixture(scope="module")
def keyed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Upstream]]:
    with Upstream() as upstream:
        upstream.script(says("Hers."))
        with keyed(tmp_path_factory.mktemp("forks") / "state.db", upstream) as server:
            yield server, upstream


def test_nobody_forks_or_compares_the_responses_of_others(keyed_server: tuple[Serving, Upstream]) -> None:
    server, upstream = keyed_server
    alice, bob = person(server, "alice"), person(server, "bob")
    hers = alice.made("/responses", {"model": "up/m", "input": "Secret"})
    his = bob.made("/responses", {"model": "up/m", "input": "Mine"})
    upstream.requests.clear()
    browser = Browser(server.url)
    browser.sign_in(bob.key)
    browser.open(f"/viewer/responses/{his}")
    fields = {"token": browser.token(), "step": "1"}
    assert browser.send(f"/viewer/responses/{hers}/fork", fields).status == 404
    assert browser.open(f"/viewer/diff?left={his}&right={hers}").status == 404
    assert _fork(bob, hers).status == 404
    assert not upstream.chats
    # JSON is for programs with a key: cookies don't count, because a form of another site could send them.
    assert browser.send(f"/viewer/responses/{his}/fork.json", {}).status == 401
    assert _fork(bob, his).status == 200


def _fork(someone: Person, response_id: str) -> Reply:
    path = f"/viewer/responses/{response_id}/fork.json"
    return call(someone.url.removesuffix("/v1"), "POST", path, {}, someone.headers)
