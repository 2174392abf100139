"""A WebSocket connection: its frames, its beginning and its end, the request log, recording."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus

from antiphon.errors import InternalError, RequestTooLarge
from antiphon.ids import INSTANCE, INSTANCE_HEADER
from antiphon.server.routes import websocket
from antiphon.server.routes.websocket import MAX_WAITING, Session
from antiphon.service.responses.responses import Responses
from antiphon.testing import serve
from tests.server import asgi
from tests.server.client import SECONDS, check_life_cycle, ended, tasks, types
from tests.server.faults import TEXT
from tests.server.http.test_disconnect import hanging, settled
from tests.server.sockets import Socket
from tests.server.test_request_log import fields, line
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, chunk, sse

# Frames.

BAD: dict[str, tuple[str | bytes, int, str, str | None]] = {
    "broken": ("{", 400, "invalid_json", None),
    "empty": ("", 400, "invalid_json", None),
    "too_deep": ("[" * 100_000, 400, "invalid_json", None),
    "nul": ('{"type": "response.create", "input": "\\u0000"}', 400, "invalid_json", None),
    "array": ("[]", 400, "invalid_type", None),
    "no_type": ('{"model": "up/m"}', 400, "missing_required_parameter", "type"),
    "type_is_a_number": ('{"type": 1}', 400, "invalid_type", "type"),
    "unknown_type": ('{"type": "response.cancel"}', 400, "invalid_value", "type"),
    "no_input": ('{"type": "response.create", "model": "up/m"}', 400, "missing_required_parameter", "input"),
    "binary": (b'{"type": "response.create"}', 400, "unsupported_content_type", None),
    "too_big": ('{"input": "' + "x" * 1_000_000 + '"}', 413, "request_too_large", None),
    "background": (
        '{"type": "response.create", "model": "up/m", "input": "x", "background": true}',
        400,
        "unsupported_parameter",
        "background",
    ),
    "stream_id": (
        '{"type": "response.create", "model": "up/m", "input": "x", "stream_id": "a"}',
        400,
        "unsupported_parameter",
        "stream_id",
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_frame(
    server: Serving, upstream: Upstream, bad: tuple[str | bytes, int, str, str | None]
) -> None:
    frame, status, code, param = bad
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        socket.send(frame)
        error = socket.refusal()
        assert (error["status"], error["code"], error["param"]) == (status, code, param)
        assert error["type"] == "invalid_request_error"
        assert upstream.chats == []
        assert socket.response(store=False)["status"] == "completed"


def test_stream_means_nothing(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    with Socket(server.url) as socket:
        for stream in (True, False, None):
            events = socket.ask(stream=stream, stream_options={"include_obfuscation": False})
            check_life_cycle(events)


def test_a_frame_that_is_far_too_big_ends_the_connection() -> None:
    with serve(mode="live", backends=[], max_body_bytes=1000) as server, Socket(server.url) as socket:
        socket.send("x" * 1001)
        assert socket.refusal()["code"] == "request_too_large"
        socket.send("x" * 2001)
        assert socket.closed()[0] == 1009


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
    monkeypatch.setattr(websocket, "MAX_WAITING_SIZE", 1000)
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
    monkeypatch.setattr(websocket, "LIMIT", 0.0)
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


class NoKeys:
    """Keys of a server that needs none."""

    async def caller(self, key: str | None) -> None:
        return None


class SlowRun:
    """A response that ends when the test allows it."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()

    async def events(self) -> AsyncGenerator[list[str], None]:
        yield ["begins"]
        await self.may_end.wait()
        yield ["ends"]

    def turn(self) -> None:
        return None


def test_running_responses_end_before_an_old_connection_closes() -> None:
    sent: list[Message] = []

    async def scenario() -> None:
        run = SlowRun()
        session: Session

        class OneResponse:
            async def create(self, *given: object) -> AbstractAsyncContextManager[SlowRun]:
                return nullcontext(run)

        state = asgi.server(limit=1000, responses=OneResponse(), keys=NoKeys())
        app = SimpleNamespace(state=state)
        frames: asyncio.Queue[Message] = asyncio.Queue()
        frames.put_nowait({"type": "websocket.connect"})
        begins = asyncio.Event()

        async def send(message: Message) -> None:
            sent.append(message)
            if message.get("text") == '"begins"':
                begins.set()
            if message["type"] == "websocket.close":
                frames.put_nowait({"type": "websocket.disconnect", "code": 1000})

        scope = {**asgi.scope(path="/v1/responses"), "type": "websocket", "app": app}
        connection = WebSocket(scope, frames.get, send)
        await connection.accept()
        session = Session(connection)
        serving = asyncio.create_task(session.run(3600))
        create = json.dumps({"type": "response.create", "model": "m", "input": "Hi"})
        frames.put_nowait({"type": "websocket.receive", "text": create})
        await begins.wait()
        session.expire()
        run.may_end.set()
        await serving

    asyncio.run(scenario())
    texts = [json.loads(message["text"]) for message in sent if message["type"] == "websocket.send"]
    assert texts[:2] == ["begins", "ends"]
    assert texts[2]["error"]["code"] == "websocket_connection_limit_reached"
    assert sent[-1]["type"] == "websocket.close"


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
