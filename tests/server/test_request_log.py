import logging

import msgspec
import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import SECONDS, ended, post, tasks
from tests.server.faults import FAULTS, TEXT, USAGE
from tests.server.http.test_disconnect import hanging, sent
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk, sse


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")


def fields(caplog: pytest.LogCaptureFixture) -> JSONObject:
    """Return the fields of the newest entry of the request log."""
    records = [record for record in caplog.records if record.name == "antiphon.access"]
    found: JSONObject = records[-1].__dict__["fields"]
    return found


def line(caplog: pytest.LogCaptureFixture) -> str:
    return [record.getMessage() for record in caplog.records if record.name == "antiphon.access"][-1]


def ask(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi"} | more


def logged(server: Serving, upstream: Upstream, **more: JSON) -> JSONObject:
    """Return the response to a request, once its line is in the log."""
    before = server.call(tasks())
    answer = post(server.url, "/responses", ask(**more))
    assert server.call(ended(before)) == []
    response: JSONObject = answer.last if more.get("stream") else answer.json
    return response


def test_a_response(server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    upstream.script(sse(chunk("Hi"), chunk(finish="stop"), chunk(usage=USAGE)))
    tools: list[JSON] = [{"type": "function", "name": name} for name in ("f", "g")]
    response = logged(server, upstream, stream=True, tools=tools)
    found = fields(caplog)
    seconds = f"{found['seconds']:.2f}s"
    assert line(caplog) == f"{response['id']} up/m stream {seconds} 3->2 tok completed"
    assert found["request_id"].startswith("req_")
    assert (found["response_id"], found["model"], found["status"]) == (response["id"], "up/m", 200)
    assert (found["stream"], found["tools"], found["response_status"]) == (True, 2, "completed")
    assert (found["input_tokens"], found["output_tokens"], found["error"]) == (3, 2, None)
    msgspec.json.encode(found)


def test_a_plain_response(server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    upstream.script(TEXT)
    response = logged(server, upstream)
    assert line(caplog) == f"{response['id']} up/m {fields(caplog)['seconds']:.2f}s completed"


def test_a_failure_says_why(server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    answer = FAULTS["F7_400"].answer
    assert answer is not None
    upstream.script(answer)
    logged(server, upstream)
    assert line(caplog).endswith(" failed: up: the backend's words")
    assert fields(caplog)["status"] == 400


def test_a_client_that_goes(server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    upstream.script(hanging(chunk("Hel")))
    before = server.call(tasks())
    with sent(server.url, "/responses", ask()):
        assert upstream.hanging.wait(SECONDS)
    assert server.call(ended(before)) == []
    assert line(caplog).endswith(" cancelled")
    assert fields(caplog)["response_status"] == "cancelled"


def test_no_key_and_no_words_of_the_caller_are_logged(
    server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.script(TEXT)
    before = server.call(tasks())
    post(server.url, "/responses", ask(input="my secret"), {"Authorization": "Bearer sk-canary"})
    assert server.call(ended(before)) == []
    everything = caplog.text + str([record.__dict__ for record in caplog.records])
    assert "my secret" not in everything
    assert "sk-canary" not in everything


def test_a_refused_request_says_where_and_not_what(
    server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    logged(server, upstream, input=[{"role": "my secret", "content": "x"}])
    assert line(caplog).startswith("POST /v1/responses 400 ")
    assert line(caplog).endswith(" invalid_value: input[0].role")
    assert "my secret" not in caplog.text
