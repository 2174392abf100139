"""A WebSocket connection: its frames, its beginning and its end, the request log, recording."""

import asyncio
import json
import logging
from pathlib import Path

import pytest
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus

from antiphon.errors import InternalError, RequestTooLarge
from antiphon.ids import INSTANCE, INSTANCE_HEADER
from antiphon.server.websocket import connection
from antiphon.server.websocket.connection import MAX_WAITING, Connection
from antiphon.service.responses.responses import Responses
from antiphon.testing import serve
from tests.server.client import SECONDS, check_life_cycle, ended, tasks, types
from tests.server.faults import TEXT
from tests.server.http.test_disconnect import hanging, settled
from tests.server.sockets import Socket
from tests.server.test_request_log import fields, line
from tests.server.websocket.stage import F, asked, stage
from tests.service.world import call_function
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, chunk, sse


def test_frames_are_answered_in_their_order(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        for number in range(3):
            socket.create(metadata={"number": str(number)})
        socket.send("{")
        answers = [socket.events() for _ in range(3)]
        assert socket.refusal()["code"] == "invalid_json"
    assert [events[-1]["response"]["metadata"]["number"] for events in answers] == ["0", "1", "2"]
    for events in answers:
        check_life_cycle(events)


def test_no_more_than_some_may_wait(server: Serving, upstream: Upstream) -> None:
    upstream.script(hanging(chunk("Hel")))
    with Socket(server.url) as socket:
        socket.create()
        socket.until("response.output_text.delta")
        for _ in range(MAX_WAITING + 1):
            socket.create()
        error = socket.refusal()
        assert (error["status"], error["type"], error["code"]) == (
            429,
            "rate_limit_error",
            "rate_limit_exceeded",
        )
    assert upstream.disconnected.wait(1)
    assert len(upstream.chats) == 1


def test_what_waits_is_bounded_in_size(
    server: Serving, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MAX_WAITING_SIZE", 1000)
    upstream.script(hanging(chunk("Hel")))
    with Socket(server.url) as socket:
        socket.create()
        socket.until("response.output_text.delta")
        socket.create(input="x" * 900)
        socket.create(input="x" * 900)
        error = socket.refusal()
        assert (error["status"], error["code"]) == (429, "rate_limit_exceeded")
        assert "is full (requests: 1)" in error["message"]
    assert upstream.disconnected.wait(1)


# Beginning and end of a connection.


def test_a_connection_that_is_left(server: Serving, upstream: Upstream) -> None:
    upstream.script(hanging(chunk("Hel")))
    before = server.call(tasks())
    with Socket(server.url) as socket:
        socket.create()
        socket.until("response.output_text.delta")
        assert upstream.hanging.wait(SECONDS)
    assert upstream.disconnected.wait(1)
    assert server.call(ended(before)) == []
    response = settled(server)
    assert response["status"] == "cancelled"
    assert response["output"][0]["content"][0]["text"] == "Hel"


def test_D2_the_server_is_stopped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = tmp_path / "state.db"
    with Upstream() as upstream:
        upstream.script(hanging(chunk("Hel")))
        with Serving(database, backends(backend(upstream))) as server:
            idle, busy = Socket(server.url), Socket(server.url)
            busy.create()
            busy.until("response.output_text.delta")
        assert upstream.disconnected.wait(1)
        assert idle.closed()[0] == busy.closed()[0] == 1012  # "service restart"
        with Serving(database, backends(backend(upstream))) as server:
            assert settled(server)["status"] == "cancelled"
    assert "Traceback" not in caplog.text


def test_the_age_limit(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LIMIT", 0.0)
    with Socket(server.url) as socket:
        assert socket.refusal() == {
            "status": 400,
            "type": "invalid_request_error",
            "code": "websocket_connection_limit_reached",
            "param": None,
            "message": "Responses websocket connection limit reached (60 minutes). "
            "Create a new websocket connection to continue.",
        }
        assert socket.closed() == (1000, "")


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """Return the connections that the server opens."""
    opened: list[Connection] = []

    class Kept(Connection):
        def __init__(self, websocket: WebSocket) -> None:
            super().__init__(websocket)
            opened.append(self)

    monkeypatch.setattr(connection, "Connection", Kept)
    return opened


def test_running_responses_end_before_an_old_connection_closes(connections: list[Connection]) -> None:
    """Their steering input is applied, and later requests and input are rejected."""

    async def scenario() -> None:
        async with stage() as given:
            given.brain.hold("Hi", "Stop")
            given.create("Hi")
            given.create("waiting")
            first = (await given.until("response.created"))["response"]["id"]
            given.steer(first, "Stop")
            await given.until("response.steer.accepted")
            connections[0].expire()
            given.create("late", stream_id="a")
            refused = await given.until("error", "a")
            assert refused["error"]["code"] == "websocket_connection_limit_reached"
            given.steer(first, "Late")
            returned = await given.until("response.steer.failed")
            assert returned["error"]["code"] == "response_not_active"
            for gate in given.brain.gates.values():
                gate.set()
            error = await given.until("error")
            assert error["error"]["code"] == "websocket_connection_limit_reached"
            assert given.kinds()[-1] == "error"
            assert [asked(each) for each in given.brain.requests] == ["Hi", "Stop", "waiting"]
            await given.left()
            assert given.closed == 1000

    asyncio.run(scenario())


def test_an_old_connection_returns_the_input_that_waits(connections: list[Connection]) -> None:
    async def scenario() -> None:
        async with stage() as given:
            given.brain.hold("Hi")
            given.brain.replies["Hi"] = [call_function("call_1")]
            given.create("Hi", tools=[F])
            first = (await given.until("response.created"))["response"]["id"]
            given.steer(first, "Stop")
            await given.until("response.steer.accepted")
            given.brain.gates["Hi"].set()
            await given.until("response.steer.pending")
            connections[0].expire()
            returned = await given.until("response.steer.failed")
            assert returned["steer"]["input"] == "Stop"
            await given.left()
            assert given.kinds()[-2:] == ["steer.failed", "error"]

    asyncio.run(scenario())


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["])
def test_pages_of_other_sites_are_refused(server: Serving, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Socket(server.url, {"Origin": origin})
    answer = refused.value.response
    assert answer.status_code == 403
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.body is not None
    assert json.loads(answer.body)["error"]["code"] == "origin_not_allowed"


def test_pages_of_this_server_are_not(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url, {"Origin": server.url.removesuffix("/v1")}) as socket:
        assert socket.response(store=False)["status"] == "completed"


def test_the_server_does_not_call_itself(server: Serving) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Socket(server.url, {INSTANCE_HEADER: INSTANCE})
    assert refused.value.response.status_code == 508


def test_there_is_no_other_path(server: Serving) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Socket(server.url, path="/responses/resp_1")
    assert refused.value.response.status_code == 403


def test_a_fault_of_the_server(
    server: Serving, upstream: Upstream, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: object) -> None:
        raise ZeroDivisionError("an inner detail")

    upstream.script(TEXT)
    with Socket(server.url) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(Responses, "create", broken)
            error = socket.error()
        assert error["status"] == 500
        assert error["message"] == InternalError().message
        assert "an inner detail" in caplog.text
        assert socket.response(store=False)["status"] == "completed"


def test_headers_of_an_error(server: Serving, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(*given: object) -> None:
        raise RequestTooLarge("m", headers={"Retry-After": "7"})

    monkeypatch.setattr(Responses, "create", limited)
    with Socket(server.url) as socket:
        assert socket.error()["headers"] == {"Retry-After": "7"}


# The request log.


def test_each_response_has_a_line(
    server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")
    upstream.script(TEXT)
    with Socket(server.url, {"Authorization": "Bearer sk-canary"}) as socket:
        first = socket.response(input="my secret")
        socket.send('{"type": "my secret"}')
        socket.refusal()
        second = socket.response(input="my secret")
        # The log has the lines of all responses before this one.
        socket.response(input="my secret")
    found = [record.__dict__["fields"] for record in caplog.records if record.name == "antiphon.access"]
    assert [each["status"] for each in found[:3]] == [200, 400, 200]
    assert [found[0]["response_id"], found[2]["response_id"]] == [first["id"], second["id"]]
    lines = [record.getMessage() for record in caplog.records if record.name == "antiphon.access"]
    assert lines[0] == f"{first['id']} up/m stream {found[0]['seconds']:.2f}s completed"
    assert len({each["request_id"] for each in found}) == len(found)
    assert (found[1]["method"], found[1]["path"], found[1]["param"]) == ("WS", "/v1/responses", "type")
    assert "my secret" not in caplog.text + str(found)
    assert "sk-canary" not in caplog.text + str(found)


def test_a_response_that_is_left_has_a_line(
    server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "antiphon.access")
    upstream.script(hanging(chunk("Hel")))
    before = server.call(tasks())
    with Socket(server.url) as socket:
        socket.create()
        socket.until("response.output_text.delta")
    assert server.call(ended(before)) == []
    assert line(caplog).endswith(" cancelled")
    assert fields(caplog)["status"] == 499


# Recording.


def test_scopes_modes_and_faults(tmp_path: Path) -> None:
    with Upstream() as upstream:
        upstream.script(sse(chunk("One."), chunk(finish="stop")), sse(chunk("Two."), chunk(finish="stop")))
        with serve(
            tmp_path, "record", backends=[backend(upstream)], scope="a", recording_header=True
        ) as server:
            with Socket(server.url) as socket:
                one = socket.response()
            with Socket(server.url, {"x-antiphon-scope": "b"}) as socket:
                two = socket.response()
            with Socket(server.url, {"x-antiphon-fault": "500"}) as socket:
                assert types(socket.ask())[-2:] == ["error", "failed"]
            with Socket(server.url, {"x-antiphon-recording": "wrong"}) as socket:
                assert socket.error()["param"] == "x-antiphon-recording"
            # The recording has the injected fault.
            outcomes = [(outcome.scope, outcome.recorded, outcome.error is None) for outcome in server.take()]
            assert outcomes == [("a", 1, True), ("b", 1, True), ("a", 1, False)]
    with serve(tmp_path, scope="b") as server:
        with Socket(server.url_of("a")) as socket:
            assert socket.response()["output"][0]["content"] == one["output"][0]["content"]
        with Socket(server.url) as socket:
            assert socket.response()["output"][0]["content"] == two["output"][0]["content"]


def test_steering_headers_need_leave(server: Serving) -> None:
    with Socket(server.url, {"x-antiphon-fault": "timeout"}) as socket:
        assert socket.error()["code"] == "recording_header_not_allowed"
