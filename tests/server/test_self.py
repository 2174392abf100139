"""A backend address that leads back to the server, under a name that its settings don't reveal."""

import pytest

from antiphon.ids import INSTANCE, INSTANCE_HEADER
from antiphon.wire.json import JSONObject
from tests.server.client import call, post
from tests.server.faults import TEXT
from tests.support.upstream import Upstream

OWN = {INSTANCE_HEADER: INSTANCE}


def test_calls_to_backends_say_whose_they_are(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    assert post(url, "/responses", {"model": "up/m", "input": "Hi"}).status == 200
    assert upstream.chats[-1].headers[INSTANCE_HEADER] == INSTANCE


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/responses", {"model": "up/m", "input": "Hi"}),
        ("/chat/completions", {"model": "up/m", "messages": []}),
    ],
)
def test_a_request_that_comes_round_is_refused(
    url: str, upstream: Upstream, path: str, body: JSONObject
) -> None:
    before = len(upstream.chats)
    failed = post(url, path, body, OWN)
    assert (failed.status, failed.error["code"]) == (508, "calls_itself")
    assert len(upstream.chats) == before


def test_the_servers_own_list_of_models_is_no_backends(url: str) -> None:
    assert call(url, "GET", "/models", headers=OWN).status == 508


def test_another_servers_request_is_welcome(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    other = {INSTANCE_HEADER: "0" * 32}
    assert post(url, "/responses", {"model": "up/m", "input": "Hi"}, other).status == 200
