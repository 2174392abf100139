import asyncio
import logging

import pytest
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from antiphon.errors import InvalidRequest
from antiphon.server.edge.boundary import Boundary
from tests.server.asgi import Answer, called, run, scope
from tests.server.test_request_log import fields, line


@pytest.fixture(autouse=True)
def _log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")


def test_every_answer_has_an_id_and_every_request_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log = Boundary(Response("hi", 201, {"x-own": "kept"}))
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


def test_a_server_error_is_answered_logged_and_raised_again(caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("secret detail")

    answer = Answer()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(Boundary(breaks), scope(), answer))
    assert answer.status == 500
    assert "secret" not in answer.json["error"]["message"]
    assert answer.json["error"]["type"] == "server_error"
    assert fields(caplog)["status"] == 500


def test_an_error_is_answered_and_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
        raise InvalidRequest("secret", code="invalid_value", param="a.b[0]")

    answer = called(Boundary(refuses), scope("POST", "/v1/things"))
    assert answer.status == 400
    assert answer.json["error"]["param"] == "a.b[0]"
    assert answer.headers["x-request-id"].startswith("req_")
    assert line(caplog).endswith(" invalid_value: a.b[0]")


@pytest.mark.parametrize("error", [InvalidRequest("late"), ZeroDivisionError()])
def test_nothing_is_added_to_an_answer_that_has_begun(error: Exception) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    answer = Answer()
    with pytest.raises(type(error)):
        asyncio.run(run(Boundary(breaks), scope(), answer))
    assert [message["type"] for message in answer.sent] == ["http.response.start"]


def test_a_client_that_goes_leaves_a_line(caplog: pytest.LogCaptureFixture) -> None:
    async def reads(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    assert called(Boundary(reads), scope()).status == 499
    assert fields(caplog)["status"] == 499


def test_the_life_of_a_server_that_wants_to_know(caplog: pytest.LogCaptureFixture) -> None:
    """Some servers and test clients wait for an answer to lifespan messages."""
    told = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Message:
        return {"type": next(told)}

    async def send(message: Message) -> None:
        sent.append(message["type"])

    asyncio.run(Boundary(Response("hi"))({"type": "lifespan", "state": {}}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert not caplog.records


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

        task = asyncio.create_task(run(Boundary(app), scope(), answer))
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
        assert answer.json["error"]["message"] == "The server is shutting down. Please try again later."
        assert fields(caplog)["status"] == 503
