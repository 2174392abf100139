"""Streams that clients resume, from two servers on one database of each kind."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.durable import streams
from antiphon.service.responses import background
from antiphon.wire.json import JSONObject
from tests.server.client import SECONDS, call, get, post
from tests.server.following import cancel, created, followed, stream
from tests.support.postgresql import ON_BOTH
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, reply, sse

pytestmark = ON_BOTH

ASK: JSONObject = {"model": "m", "input": "hi", "stream": True}
GRACE, BEAT = 1.0, 0.1
HANGING = sse(chunk("Hel"), end="hang", done=False)
CALL: list[JSONObject] = [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}}]


class Held(Upstream):
    """Backend that sends the second half of a stream after `release`."""

    def __init__(self) -> None:
        super().__init__()
        self.release = asyncio.Event()

    async def _answer(
        self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if answer.length or answer.end != "keep":
            return await super()._answer(answer, reader, writer)
        half = len(answer.pieces) // 2
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number, piece in enumerate(answer.pieces):
            if number == half:
                await self.release.wait()
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def hold(self) -> None:
        self._loop.call_soon_threadsafe(self.release.clear)

    def go_on(self) -> None:
        self._loop.call_soon_threadsafe(self.release.set)


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Held() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def shared_server(database: Path | str, shared_upstream: Upstream) -> Iterator[Serving]:
    serving = Serving(database, backends(backend(shared_upstream)))
    serving.resume_grace = GRACE
    with serving as server:
        assert get(server.url, "/models").status == 200
        yield server


@pytest.fixture(scope="module")
def other(database: Path | str, shared_server: Serving, shared_upstream: Upstream) -> Iterator[Serving]:
    with Serving(database, backends(backend(shared_upstream))) as server:
        yield server


@pytest.fixture
def held(upstream: Upstream) -> Held:
    assert isinstance(upstream, Held)
    upstream.hold()
    return upstream


@pytest.fixture(autouse=True)
def _beat(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (streams, background):
        monkeypatch.setattr(module, "READER_BEAT", BEAT)


@pytest.mark.parametrize(
    "pieces",
    [
        (chunk("Hel"), chunk("lo"), chunk(finish="stop")),
        (chunk("Let me "), chunk("see."), chunk(tool_calls=CALL), chunk(finish="tool_calls")),
        (chunk(reasoning="Hm"), chunk("Hello"), chunk(finish="length")),
    ],
    ids=["text", "function_call", "reasoning"],
)
def test_a_lost_stream_is_resumed_from_any_server(
    server: Serving, other: Serving, held: Held, pieces: tuple[JSONObject, ...]
) -> None:
    held.script(sse(*pieces))
    with created(server.url, ASK) as (response_id, lines):
        read = [next(lines) for _ in range(3)]
    # The server of the response waits until it is stored.
    assert get(server.url, f"/responses/{response_id}").json["status"] == "in_progress"
    last = read[-1]["sequence_number"]
    with stream(other.url, response_id) as lines:
        again = [next(lines) for _ in range(last + 1)]
        assert again[1:] == read
        held.go_on()
        whole = again + list(lines)
    assert [event["sequence_number"] for event in whole] == list(range(len(whole)))
    assert whole[-1]["type"] in ("response.completed", "response.incomplete")
    assert get(server.url, f"/responses/{response_id}").json == whole[-1]["response"]
    for each in (server, other):
        assert followed(each.url, response_id, last).payloads == whole[last + 1 :]
    assert len(held.chats) == 1


def test_the_log_is_what_the_client_received(server: Serving, other: Serving, held: Held) -> None:
    held.go_on()
    for answer in (
        sse(chunk("Hel"), chunk("lo"), chunk(tool_calls=CALL), chunk(finish="tool_calls")),
        reply({"error": {"message": "no"}}, status=500),
    ):
        held.script(answer)
        sent = post(server.url, "/responses", ASK).payloads
        response_id = sent[0]["response"]["id"]
        for each in (server, other):
            assert followed(each.url, response_id).payloads == sent
            assert followed(each.url, response_id, 1).payloads == sent[2:]


def test_a_response_that_nobody_reads_is_cancelled_after_the_grace_period(
    server: Serving, other: Serving, upstream: Upstream
) -> None:
    upstream.script(HANGING)
    with created(server.url, ASK) as (response_id, lines):
        read = [next(lines) for _ in range(4)]
    assert not upstream.disconnected.wait(GRACE / 2)
    assert get(server.url, f"/responses/{response_id}").json["status"] == "in_progress"
    assert upstream.disconnected.wait(SECONDS)
    events = followed(other.url, response_id).payloads
    assert events[1:5] == read
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.incomplete"
    ended = events[-1]["response"]
    assert (ended["status"], ended["output"][0]["content"][0]["text"]) == ("cancelled", "Hel")
    assert get(server.url, f"/responses/{response_id}").json == ended


def test_a_reader_at_another_server_keeps_the_response_alive(
    server: Serving, other: Serving, held: Held
) -> None:
    held.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    with created(server.url, ASK) as (response_id, _):
        pass
    assert get(server.url, f"/responses/{response_id}").status == 200
    with stream(other.url, response_id) as lines:
        [next(lines) for _ in range(3)]
        threading.Event().wait(2 * GRACE)
        held.go_on()
        assert list(lines)[-1]["type"] == "response.completed"


def test_a_response_is_deleted_after_its_client_has_left(server: Serving, upstream: Upstream) -> None:
    upstream.script(HANGING)
    with created(server.url, ASK) as (response_id, lines):
        [next(lines) for _ in range(4)]
    assert call(server.url, "DELETE", f"/responses/{response_id}").status == 200
    assert upstream.disconnected.wait(SECONDS)
    for refused in (get(server.url, f"/responses/{response_id}"), followed(server.url, response_id)):
        assert refused.status == 404


def test_a_response_is_deleted_before_its_client_leaves(server: Serving, held: Held) -> None:
    held.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    with created(server.url, ASK) as (response_id, lines):
        assert call(server.url, "DELETE", f"/responses/{response_id}").status == 200
        held.go_on()
        assert list(lines)[-1]["type"] == "response.completed"
    assert followed(server.url, response_id).status == 404


def test_a_conversation_is_locked_until_the_lost_response_has_ended(
    server: Serving, held: Held, conversation: str
) -> None:
    held.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    with created(server.url, ASK | {"conversation": conversation}) as (response_id, _):
        pass
    locked = post(server.url, "/responses", ASK | {"conversation": conversation})
    assert locked.error["code"] == "conversation_locked"
    held.go_on()
    assert followed(server.url, response_id).last["status"] == "completed"
    items = get(server.url, f"/conversations/{conversation}/items").json["data"]
    assert [item["role"] for item in items] == ["assistant", "user"]


def test_a_repeated_request_with_a_key_gets_the_stream_of_the_lost_one(server: Serving, held: Held) -> None:
    held.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    headers = {"Idempotency-Key": f"lost-{id(held)}"}
    with created(server.url, ASK, headers) as (response_id, _):
        pass
    held.go_on()
    events = followed(server.url, response_id).payloads
    assert events[-1]["type"] == "response.completed"
    while (again := post(server.url, "/responses", ASK, headers)).status == 409:
        pass  # The response with the key is being stored.
    assert again.headers["idempotent-replayed"] == "true"
    assert again.payloads == events
    assert len(held.chats) == 1


def test_only_stored_streams_can_be_resumed(server: Serving, held: Held) -> None:
    held.go_on()
    held.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    unstored = post(server.url, "/responses", ASK | {"store": False}).last["id"]
    assert followed(server.url, unstored).status == 404
    whole = post(server.url, "/responses", ASK | {"stream": False}).json["id"]
    refused = followed(server.url, whole)
    assert (refused.status, refused.error["param"]) == (400, "stream")
    resumable = post(server.url, "/responses", ASK).last["id"]
    assert cancel(server.url, resumable).error["message"] == "Cannot cancel a synchronous response."


def test_clients_of_llama_stack_resume_in_their_dialect(server: Serving, held: Held) -> None:
    held.go_on()
    held.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop")))
    agent = {"User-Agent": "OgxClient/Python 1.1.3"}
    sent = post(server.url, "/responses", ASK, agent).payloads
    response_id = sent[0]["response"]["id"]
    path = f"/responses/{response_id}?stream=true"
    assert call(server.url, "GET", path, headers=agent).payloads == sent
