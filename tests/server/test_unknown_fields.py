"""Unknown fields of bodies: named in a header and in the log, or rejected."""

import logging

import pytest

from antiphon.testing import serve
from tests.server.bad_bodies import ask
from tests.server.client import post
from tests.server.faults import TEXT
from tests.server.sockets import Socket
from tests.support.serving import Serving, backend
from tests.support.upstream import Upstream

IGNORED = "x-antiphon-ignored"
PROMPT = {"prompt": "Hi"}


@pytest.mark.parametrize("stream", [False, True])
def test_ignored_fields_are_named_in_a_header(url: str, upstream: Upstream, stream: bool) -> None:
    upstream.script(TEXT)
    answer = post(url, "/responses", ask(zzz=1, reasoning={"yyy": 1}, stream=stream))
    assert answer.status == 200
    assert answer.headers[IGNORED] == "reasoning.yyy, zzz"


def test_no_header_names_known_fields(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    assert IGNORED not in post(url, "/responses", ask()).headers


def test_a_header_has_no_unusual_characters_of_names(url: str, upstream: Upstream) -> None:
    upstream.script(TEXT)
    fields = {"a\r\nset-cookie: b": 1, "z, %\u00e4": 1, "x" * 1000: 1}
    answer = post(url, "/responses", ask(**fields))
    assert answer.headers[IGNORED] == f"a%0D%0Aset-cookie%3A%20b, {'x' * 200}, z%2C%20%25%C3%A4"


def test_an_error_has_the_header_too(url: str) -> None:
    answer = post(url, "/responses", ask(model="other/m", zzz=1))
    assert (answer.status, answer.headers[IGNORED]) == (404, "zzz")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/conversations", {}),
        ("/conversations/CONVERSATION", {"metadata": {}}),
        ("/conversations/CONVERSATION/items", {"items": [{"role": "user", "content": "Hi"}]}),
        ("/prompts", PROMPT),
        ("/responses/input_tokens", ask()),
        ("/vector_stores", {}),
    ],
)
def test_every_endpoint_with_a_body_names_them(
    url: str, conversation: str, path: str, body: dict[str, object]
) -> None:
    answer = post(url, path.replace("CONVERSATION", conversation), body | {"zzz": 1})
    assert (answer.status, answer.headers.get(IGNORED)) == (200, "zzz")


def test_the_line_of_a_request_names_them(
    server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")
    upstream.script(TEXT)
    post(server.url, "/responses", ask(zzz=1))
    entry = next(record for record in caplog.records if record.name == "antiphon.access")
    assert entry.getMessage().endswith(" completed, ignored zzz")
    assert entry.__dict__["fields"]["ignored"] == ["zzz"]


def test_the_line_of_a_websocket_request_names_them(
    server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        assert socket.ask(zzz=1)[-1]["type"] == "response.completed"
    lines = [record.getMessage() for record in caplog.records if record.name == "antiphon.access"]
    assert any(line.endswith(" completed, ignored zzz") for line in lines)


def test_a_strict_server_rejects_them(upstream: Upstream) -> None:
    upstream.script(TEXT)
    with serve(mode="live", backends=[backend(upstream)], strict=True) as server:
        answer = post(server.url, "/responses", ask(reasoning={"zzz": 1}))
        assert answer.status == 400
        assert answer.error == {
            "message": "Unknown parameter: 'reasoning.zzz'.",
            "type": "invalid_request_error",
            "param": "reasoning.zzz",
            "code": "unknown_parameter",
        }
        assert IGNORED not in answer.headers
        with Socket(server.url) as socket:
            assert socket.ask(zzz=1)[-1]["error"]["code"] == "unknown_parameter"
        assert upstream.chats == []
        assert post(server.url, "/responses", ask()).status == 200


@pytest.mark.parametrize("headers", [{}, {"User-Agent": "LlamaStackClient/Python 0.4.7"}])
def test_promises_of_llama_stack_are_rejected(url: str, upstream: Upstream, headers: dict[str, str]) -> None:
    answer = post(url, "/responses", ask(max_infer_iters=3), headers)
    assert (answer.status, answer.error["param"]) == (400, "max_infer_iters")
    assert "max_tool_calls" in answer.error["message"]
    assert upstream.chats == []
