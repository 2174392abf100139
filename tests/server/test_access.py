import asyncio
import logging

import msgspec
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from antiphon.server.access import AccessLog
from antiphon.wire.json import JSON, JSONObject
from tests.server.asgi import Answer, called, run, scope
from tests.server.client import SECONDS, ended, post, tasks
from tests.server.faults import FAULTS, TEXT, USAGE
from tests.server.test_disconnect import hanging, sent
from tests.serving import Serving
from tests.upstream import Upstream, chunk, sse


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")


def fields(caplog: pytest.LogCaptureFixture) -> JSONObject:
    """The fields of the newest entry of the request log."""
    records = [record for record in caplog.records if record.name == "antiphon.access"]
    found: JSONObject = records[-1].__dict__["fields"]
    return found


def line(caplog: pytest.LogCaptureFixture) -> str:
    return [record.getMessage() for record in caplog.records if record.name == "antiphon.access"][-1]


def test_every_answer_has_an_id_and_every_request_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log = AccessLog(Response("hi", 201, {"x-own": "kept"}))
    answers = [called(log, scope("PUT", "/v1/things")) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 2
    assert all(each.startswith("req_") for each in ids)
    assert answers[0].headers["x-own"] == "kept"
    assert fields(caplog) | {"seconds": 0} == {
        "request_id": ids[1],
        "status": 201,
        "seconds": 0,
        "stream": False,
        "method": "PUT",
        "path": "/v1/things",
    }
    assert line(caplog) == f"PUT /v1/things 201 {fields(caplog)['seconds']:.2f}s"


def test_a_fault_is_logged_and_handed_on(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        called(AccessLog(breaks), scope())
    assert fields(caplog)["status"] == 499


def test_other_protocols_are_let_through(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    asyncio.run(run(AccessLog(app), {"type": "lifespan"}, Answer()))
    assert seen == ["lifespan"]
    assert caplog.records == []


@pytest.mark.parametrize("begun", [False, True])
def test_the_servers_end(begun: bool, caplog: pytest.LogCaptureFixture) -> None:
    answer = Answer()

    async def stop_it() -> None:
        waiting = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(run(AccessLog(app), scope(), answer))
        await waiting.wait()
        task.cancel()
        await task

    asyncio.run(stop_it())
    if begun:
        assert [message["type"] for message in answer.sent] == ["http.response.start"]
        assert fields(caplog)["status"] == 200
    else:
        assert answer.status == 503
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.json["error"]["message"] == "The server is being stopped. Please try again later."
        assert fields(caplog)["status"] == 503


def ask(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi"} | more


def logged(server: Serving, upstream: Upstream, **more: JSON) -> JSONObject:
    """The response to a request whose line is in the log by now."""
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
    assert line(caplog) == f"{response['id']} up/m stream 2 tools {seconds} 3->2 tok completed"
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
