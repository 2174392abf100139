"""Every fault of a backend, streamed, as JSON and over a WebSocket; `faults.py` lists them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from antiphon.backends.http import client as http_client
from antiphon.settings.backends import PRESETS, BackendSettings
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import Reply, check_life_cycle, ended, get, post, tasks, types
from tests.server.faults import FAULTS, WHOLE, Fault, Whole
from tests.server.sockets import Socket
from tests.support.certificates import untrusted_tls
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream

THINKING = msgspec.structs.replace(PRESETS["openai"], think_tags=True)


def refusing_url() -> str:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}/v1"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[Serving]:
    """Serve in front of `up`, of `up` with stricter limits, and of backends that can't be reached."""
    folder = tmp_path_factory.mktemp("faults")
    look_up = socket.getaddrinfo

    def resolve(host: str, *rest: object, **more: object) -> object:
        if host == "models.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *rest, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch, Upstream(tls=untrusted_tls(folder)) as untrusted:
        patch.setattr(socket, "getaddrinfo", resolve)
        # Each call has a new connection: if a kept one ends without a byte, the request is sent again.
        patch.setattr(http_client, "_REST", 60.0)
        given = [
            backend(shared_upstream, capabilities=THINKING),
            backend(shared_upstream, "hasty", first_byte_timeout=0.05, idle_timeout=0.05),
            at(refusing_url(), "dead"),
            at("http://models.invalid/v1", "nowhere"),
            at(untrusted.base_url, "untrusted"),
            at(shared_upstream.base_url.replace("http:", "https:"), "deaf", patience=0.05),
        ]
        listed = [msgspec.structs.replace(each, models=("m",)) for each in given]
        with Serving(folder / "state.db", backends(*listed)) as server:
            yield server


def at(base_url: str, name: str, patience: float = 5) -> BackendSettings:
    return BackendSettings(name=name, base_url=base_url, connect_timeout=patience)


def request(model: str, *, stream: bool) -> JSONObject:
    tools: list[JSON] = [
        {"type": "function", "name": name, "parameters": {}} for name in ("f", "g", "get_weather")
    ]
    return {"model": model, "input": "Hi", "stream": stream, "tools": tools}


@pytest.fixture(scope="module")
def connection(shared_server: Serving) -> Iterator[Socket]:
    """Open one connection for all tests: it must survive every failure."""
    with Socket(shared_server.url) as connection:
        yield connection


@contextmanager
def scripted(server: Serving, upstream: Upstream, *answers: Answer) -> Iterator[None]:
    """Script the backend for the block; afterwards none of its tasks may remain in the server (I5)."""
    upstream.script(*answers)
    before = server.call(tasks())
    yield
    assert server.call(ended(before)) == []
    if any(each.end == "hang" for each in answers):
        assert upstream.disconnected.wait(1)


def ask(server: Serving, upstream: Upstream, body: JSONObject, *answers: Answer) -> Reply:
    """Request a response over HTTP."""
    with scripted(server, upstream, *answers):
        return post(server.url, "/responses", body)


def ask_socket(
    server: Serving, upstream: Upstream, connection: Socket, model: str, *answers: Answer
) -> list[JSON]:
    """Request a response over a WebSocket, which must survive it."""
    with scripted(server, upstream, *answers):
        return connection.ask(**request(model, stream=True))


def stored(server: Serving) -> JSONObject:
    """Return the newest response, which must be the same by its id and in the list."""
    newest: JSONObject = get(server.url, "/responses?limit=1").json["data"][0]
    assert get(server.url, f"/responses/{newest['id']}").json == newest
    return newest


def contents(response: JSONObject) -> tuple[str, ...]:
    """Return the texts and arguments of the response's items."""
    found = []
    for item in response["output"]:
        parts = [part["text"] for part in item.get("content", [])]
        found.append(item["arguments"] if item["type"] == "function_call" else "".join(parts))
    return tuple(found)


def calls(fault: Fault) -> int:
    """Return the allowed number of requests: two only if the backend requests a retry, and soon."""
    if fault.answer is None:
        return 0
    return 2 if fault.retry_after == "0" else 1


def check_failed(response: JSONObject, fault: Fault, message: str) -> None:
    assert response["status"] == "failed"
    assert response["completed_at"] is None
    assert response["incomplete_details"] is None
    assert response["error"] == {
        "code": fault.response_code,
        "message": message,
        "param": fault.param,
        "type": fault.kind,
    }
    assert contents(response) == fault.output
    if fault.output:
        assert response["output"][-1]["status"] == "incomplete"


def check_message(message: str, fault: Fault) -> None:
    """Assert that the message names the backend and keeps its text (I6)."""
    name = fault.model.partition("/")[0]
    assert message.startswith((f"{name}: ", f"{fault.model}: "))
    assert fault.says in message


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_stream(server: Serving, upstream: Upstream, fault: Fault) -> None:
    answer = ask(
        server, upstream, request(fault.model, stream=True), *([fault.answer] if fault.answer else [])
    )
    assert answer.status == 200
    check_events(server, upstream, fault, answer.payloads)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_websocket(server: Serving, upstream: Upstream, connection: Socket, fault: Fault) -> None:
    answers = [fault.answer] if fault.answer else []
    check_events(server, upstream, fault, ask_socket(server, upstream, connection, fault.model, *answers))


def check_events(server: Serving, upstream: Upstream, fault: Fault, events: list[JSON]) -> None:
    check_life_cycle(events)
    message = events[-1]["response"]["error"]["message"]
    check_message(message, fault)
    check_failed(events[-1]["response"], fault, message)
    assert stored(server) == events[-1]["response"]
    assert len(upstream.chats) == calls(fault)
    if fault.response_code == "rate_limit_exceeded":
        assert "error" not in types(events)
    else:
        assert types(events)[-2:] == ["error", "failed"]
        envelope = {"message": message, "type": fault.kind, "param": fault.param, "code": fault.code}
        assert events[-2]["error"] == envelope


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_json(server: Serving, upstream: Upstream, fault: Fault) -> None:
    fault = fault.in_one_piece
    answer = ask(
        server, upstream, request(fault.model, stream=False), *([fault.answer] if fault.answer else [])
    )
    assert answer.status == fault.status
    error = answer.error
    assert (error["type"], error["param"], error["code"]) == (fault.kind, fault.param, fault.code)
    check_message(error["message"], fault)
    assert answer.headers.get("retry-after") == fault.retry_after
    check_failed(stored(server), fault, error["message"])
    assert len(upstream.chats) == calls(fault)


@pytest.mark.parametrize("way", ["stream", "json", "websocket"])
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_strange_but_whole(
    server: Serving, upstream: Upstream, connection: Socket, whole: Whole, way: str
) -> None:
    response: JSONObject
    if way == "json":
        response = ask(server, upstream, request("up/m", stream=False), *whole.answers).json
    else:
        if way == "stream":
            events = ask(server, upstream, request("up/m", stream=True), *whole.answers).payloads
        else:
            events = ask_socket(server, upstream, connection, "up/m", *whole.answers)
        check_life_cycle(events)
        response = events[-1]["response"]
    assert contents(response) == whole.output
    assert tuple(item["name"] for item in response["output"] if "name" in item) == whole.names
    assert response["error"] is None
    if whole.reason is None:
        assert response["status"] == "completed"
        assert {item.get("status", "completed") for item in response["output"]} == {"completed"}
    else:
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": whole.reason}
        assert response["output"][-1]["status"] == "incomplete"
    assert stored(server) == response
