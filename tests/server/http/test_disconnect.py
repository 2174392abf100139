"""Clients that disconnect: the backend's stream is closed within a second, and the response is ended."""

import asyncio
import json
import logging
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.parse import urlsplit

import pytest

from antiphon.store import Store
from antiphon.testing import serve
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.lists import PageQuery
from tests.server.client import SECONDS, ended, get, post, tasks
from tests.server.faults import HALF, TEXT, body, call
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, silence, sse

STREAM_OR_JSON = pytest.mark.parametrize("stream", [True, False], ids=["stream", "json"])


def hanging(*payloads: JSONObject) -> Answer:
    return sse(*payloads, done=False, end="hang")


POSITIONS: dict[str, tuple[Answer, str, list[JSON]]] = {
    "created": (silence(), "response.in_progress", []),
    "nothing_sent": (hanging(), "response.in_progress", []),
    "role": (hanging(chunk("", role="assistant")), "response.in_progress", []),
    "text": (hanging(chunk("Hel")), "response.output_text.delta", ["Hel"]),
    "reasoning": (hanging(chunk(reasoning="Hm")), "response.reasoning_text.delta", ["Hm"]),
    "arguments": (hanging(*call('{"a')), "response.function_call_arguments.delta", ['{"a']),
    "second_item": (
        hanging(chunk("Well"), *call('{"a')),
        "response.function_call_arguments.delta",
        ["Well", '{"a'],
    ),
    "before_the_end": (
        hanging(chunk("Hello"), chunk(finish="stop")),
        "response.output_text.delta",
        ["Hello"],
    ),
}
"""The answer of a silent backend, the event until which the client reads, and the kept content."""


@contextmanager
def sent(
    url: str, path: str, body: JSONObject, headers: str = "", receives: int | None = None
) -> Iterator[socket.socket]:
    """Send a request and yield its connection, which is closed at the end.

    `receives` is the size of the client's receive buffer.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    content = json.dumps(body).encode()
    head = (
        f"POST {parts.path}{path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        if receives is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        connection.sendall(head.encode() + content)
        yield connection


def read_until(connection: socket.socket, event: str) -> bytes:
    received = b""
    while f"event: {event}\n".encode() not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    return received


def settled(server: Serving) -> JSONObject:
    """Return the newest stored response, after all pending writes."""
    server.call(server.store.servers.heartbeat())
    newest: JSONObject = get(server.url, "/responses?limit=1").json["data"][0]
    return newest


def contents(response: JSONObject) -> list[JSON]:
    return [
        item["arguments"] if item["type"] == "function_call" else item["content"][0]["text"]
        for item in response["output"]
    ]


def request(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi", "stream": True} | more


@pytest.mark.parametrize("position", POSITIONS.values(), ids=POSITIONS)
def test_D13_a_stream_is_left(
    server: Serving, upstream: Upstream, position: tuple[Answer, str, list[JSON]]
) -> None:
    answer, event, expected = position
    upstream.script(answer)
    with sent(server.url, "/responses", request()) as connection:
        read_until(connection, event)
        assert upstream.hanging.wait(SECONDS)
    assert upstream.disconnected.wait(1)
    response = settled(server)
    assert response["status"] == "cancelled"
    assert response["error"] is None
    assert response["completed_at"] is None
    assert contents(response) == expected
    assert {item.get("status", "incomplete") for item in response["output"][-1:]} <= {"incomplete"}


@STREAM_OR_JSON
@pytest.mark.parametrize("length", [100_000, 900_000])
def test_a_long_request_is_left(server: Serving, upstream: Upstream, stream: bool, length: int) -> None:
    """Until such a body is read, the connection is paused; then it must be resumed to detect its end."""
    upstream.script(silence())
    with sent(server.url, "/responses", request(stream=stream, input="x" * length)):
        assert upstream.hanging.wait(SECONDS)
    assert upstream.disconnected.wait(1)


@pytest.mark.parametrize(
    "answer",
    [silence(), body(end="hang"), body(HALF, end="hang"), hanging(chunk("Hel"))],
    ids=["created", "head", "half", "text"],
)
def test_a_reply_is_not_waited_for(server: Serving, upstream: Upstream, answer: Answer) -> None:
    upstream.script(answer)
    with sent(server.url, "/responses", request(stream=False)):
        assert upstream.hanging.wait(SECONDS)
    assert upstream.disconnected.wait(1)
    assert settled(server)["status"] == "cancelled"


@STREAM_OR_JSON
@pytest.mark.parametrize("answer", [silence(), hanging(chunk("Hel"))], ids=["created", "text"])
def test_chat_completions(server: Serving, upstream: Upstream, answer: Answer, stream: bool) -> None:
    upstream.script(answer)
    body: JSONObject = {"model": "up/m", "messages": [], "stream": stream}
    with sent(server.url, "/chat/completions", body):
        assert upstream.hanging.wait(SECONDS)
    assert upstream.disconnected.wait(1)


@STREAM_OR_JSON
def test_the_conversation_is_free_again(server: Serving, upstream: Upstream, stream: bool) -> None:
    conversation = post(server.url, "/conversations", {}).json["id"]
    body = request(conversation=conversation, stream=stream)
    upstream.script(hanging(chunk("Hel")))
    with sent(server.url, "/responses", body):
        assert upstream.hanging.wait(SECONDS)
        locked = post(server.url, "/responses", body)
        assert locked.status == 400
        assert (locked.error["code"], locked.error["param"]) == ("conversation_locked", "conversation")
    assert upstream.disconnected.wait(1)
    assert settled(server)["status"] == "cancelled"
    assert get(server.url, f"/conversations/{conversation}/items").json["data"] == []
    upstream.script(TEXT)
    assert post(server.url, "/responses", body | {"stream": False}).json["status"] == "completed"
    items = get(server.url, f"/conversations/{conversation}/items").json["data"]
    assert [item["role"] for item in items] == ["assistant", "user"]


def test_B47_half_a_body(server: Serving, upstream: Upstream, caplog: pytest.LogCaptureFixture) -> None:
    parts = urlsplit(server.url)
    caplog.set_level(logging.INFO, "antiphon.access")
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        before = server.call(tasks())
        connection.sendall(
            b"POST /v1/responses HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
        )
        # The server requests the body when it begins to read it.
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b'{"model": "up/m",')
    assert server.call(ended(before)) == []
    assert "POST /v1/responses 499" in caplog.text
    assert "Traceback" not in caplog.text
    assert upstream.requests == []


def test_store_false_leaves_nothing(server: Serving, upstream: Upstream) -> None:
    before = get(server.url, "/responses").json
    upstream.script(hanging(chunk("Hel")))
    with sent(server.url, "/responses", request(store=False)) as connection:
        read_until(connection, "response.output_text.delta")
    assert upstream.disconnected.wait(1)
    server.call(server.store.servers.heartbeat())
    assert get(server.url, "/responses").json == before


def test_D12_a_client_that_reads_nothing_is_disconnected(new_database: str) -> None:
    with Upstream() as upstream:
        upstream.script(sse(*[chunk("x" * 200_000)] * 100, end="cut"))
        with serve(
            mode="live", backends=[backend(upstream)], send_timeout=0.2, database=new_database
        ) as server:
            with sent(server.url, "/responses", request(), receives=4096) as connection:
                watching = select.poll()
                watching.register(connection, 0)  # Tells that it is reset, and reads nothing.
                assert watching.poll(SECONDS * 1000)
            while (newest := get(server.url, "/responses").json["data"][0]["status"]) == "in_progress":
                pass
            assert newest == "cancelled"


@STREAM_OR_JSON
def test_D2_the_server_is_stopped(new_database: str, caplog: pytest.LogCaptureFixture, stream: bool) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        upstream.script(hanging(chunk("Hel")))
        with Serving(new_database, backends(backend(upstream))) as server:
            conversation = post(server.url, "/conversations", {}).json["id"]
            body = request(conversation=conversation, stream=stream)
            client = stack.enter_context(sent(server.url, "/responses", body))
            assert upstream.hanging.wait(SECONDS)
        assert upstream.disconnected.wait(1)
        head, _, content = b"".join(iter(partial(client.recv, 65536), b"")).partition(b"\r\n\r\n")
    if stream:
        assert b"response.output_text.delta" in content
        # Without the end of the HTTP body, a client can't mistake it for a complete stream.
        assert not content.endswith(b"0\r\n\r\n")
    else:
        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(content)["error"] == {
            "message": "The server is shutting down. Please try again later.",
            "type": "server_error",
            "param": None,
            "code": None,
        }
    assert "Traceback" not in caplog.text

    async def look() -> tuple[str, JSONObject]:
        store = await Store.open(new_database)
        try:
            (stored,) = (await store.responses.list("local", PageQuery())).responses
            await store.conversations.lock("local", conversation, "resp_next")
            return stored.status, json.loads(stored.body)
        finally:
            await store.close()

    status, stored = asyncio.run(look())
    assert status == stored["status"] == "cancelled"
