"""The raw inputs through a real nginx: both count the same requests, and no response goes to another."""

import logging
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import uvloop

from tests.server.http.corpus import CASES
from tests.server.http.proxy import NGINX, Begun, Forwarded, through_nginx

FULLER = {"a_thousand": "nginx adds headers, so that there are more than 1000"}
"""Cases that only nginx's own headers make too large."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


@pytest.fixture(scope="module", params=[True, False], ids=["buffered", "unbuffered"])
def counted(request: pytest.FixtureRequest) -> tuple[list[Begun], list[Forwarded]]:
    """Return the requests that our application saw, and those that nginx logged."""
    logging.getLogger("antiphon.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="nginx") as folder:
        found = uvloop.run(through_nginx(Path(folder), CASES, buffers=request.param))
    logging.getLogger("antiphon.server").setLevel(logging.NOTSET)
    return found


def test_most_cases_reach_the_application(counted: tuple[list[Begun], list[Forwarded]]) -> None:
    """Otherwise the other tests would say little."""
    begun, logged = counted
    assert len(begun) > 200
    assert len(logged) > len(CASES)


def test_the_application_sees_what_nginx_forwards_and_nothing_else(
    counted: tuple[list[Begun], list[Forwarded]],
) -> None:
    begun, logged = counted
    # Our scope has no fragment, and no question mark without a query.
    forwarded = {(each.id, each.method, each.target.partition("#")[0].removesuffix("?")) for each in logged}
    assert [each for each in begun if each not in forwarded] == []
    assert [each for each, count in Counter(begun).items() if count > 1] == []


def test_each_response_goes_to_its_request(counted: tuple[list[Begun], list[Forwarded]]) -> None:
    begun, logged = counted
    seen = {name for name, _, _ in begun}
    answered = [each for each in logged if each.seen]
    assert len(answered) > 200
    assert [each for each in answered if each.seen != each.id or each.id not in seen] == []


def test_refusals_behind_nginx_are_those_without_it(
    counted: tuple[list[Begun], list[Forwarded]],
) -> None:
    _, logged = counted
    ours = {case.name: case.ours for case in CASES}
    unanswered = [each for each in logged if not each.seen]
    # Without a status, nginx forwards nothing or not the whole body.
    assert {each.status for each in unanswered} <= {"400", "-", ""}
    refused = {each.case for each in unanswered if each.status == "400"}
    assert {each for each in refused if "400" not in ours[each].split() and each not in FULLER} == set()


def test_no_request_of_a_whole_body_stays_without_a_response(
    counted: tuple[list[Begun], list[Forwarded]],
) -> None:
    """A server that loses a part of a body waits for it until nginx gives up."""
    begun, logged = counted
    seen = {name for name, _, _ in begun}
    ours = {case.name: case.ours for case in CASES}
    unanswered = {each.case for each in logged if each.id in seen and not each.seen}
    assert {each for each in unanswered if "200" in ours[each].split()} == set()
