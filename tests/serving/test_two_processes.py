"""Two server processes of one database: what one of them counts, locks and stores holds at the other."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from antiphon.service.access.keys import create_key
from antiphon.service.access.limits import Limits
from antiphon.store import Store
from antiphon.wire.json import JSONObject
from tests.server.client import Reply, call
from tests.server.sockets import Socket
from tests.support.postgresql import schema
from tests.support.upstream import Upstream, chunk, sse

_SERVE = """
from antiphon.cli import main
from antiphon.service.access import keys
from antiphon.serving import periodic

keys.REFRESH = periodic._HEARTBEAT = 0.3
main()
"""
"""The command of a server that soon notices others and revoked keys."""

ASK: JSONObject = {"model": "antiphon/sample", "input": "Hi"}
HANGING = sse(chunk("Hel"), done=False, end="hang")
"""A stream that ends only when its client leaves."""


class Pair:
    """Two servers of one database, and its API keys."""

    def __init__(self, database: str, urls: list[str], backend: Upstream) -> None:
        self.urls = urls
        self.backend = backend
        self._database = database
        self._names = 0

    def key(self, **limits: int) -> Mapping[str, str]:
        """Return the headers of a new key with an owner of its own."""
        self._names += 1
        self.name = f"key{self._names}"
        name = self.name

        async def create(store: Store) -> str:
            return (await create_key(store.keys, name, None, Limits(**limits)))[0]

        return {"Authorization": f"Bearer {self._in_database(create)}"}

    def revoke(self, name: str) -> None:
        async def delete(store: Store) -> str:
            assert await store.keys.delete(name)
            return name

        self._in_database(delete)

    def _in_database(self, work: Callable[[Store], Coroutine[object, object, str]]) -> str:
        async def main() -> str:
            store = await Store.open(self._database)
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(main())

    def post(
        self, number: int, key: Mapping[str, str], body: JSONObject = ASK, path: str = "/responses"
    ) -> Reply:
        """Send a request to one of the servers."""
        return call(self.urls[number], "POST", path, body, key)

    @contextmanager
    def stream(self, number: int, key: Mapping[str, str], **more: str) -> Iterator[HTTPResponse]:
        """Open a stream that ends with the block."""
        self.backend.script(HANGING)
        parts = urlsplit(self.urls[number])
        connection = HTTPConnection(parts.netloc, timeout=20)
        body = json.dumps({"model": "m", "input": "Hi", "stream": True} | more)
        connection.request("POST", "/v1/responses", body, {"Content-Type": "application/json", **key})
        answer = connection.getresponse()
        try:
            assert answer.status == 200, answer.read()
            while b"output_text.delta" not in answer.readline():
                pass
            yield answer
        finally:
            answer.close()
            connection.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        database = f"{folder}/shared.db"
        if request.param == "postgresql":
            database = stack.enter_context(schema(request.getfixturevalue("postgresql")))
        backend = stack.enter_context(Upstream())
        (folder / "antiphon.toml").write_text(
            f'database = "{database}"\ndiscover = false\n'
            f'[models.up]\nbase_url = "{backend.base_url}"\nkind = "openai"\napi_key = "none"\n'
        )
        servers = [stack.enter_context(_server(folder)) for _ in range(2)]  # They start at the same time.
        urls = [url() for url in servers]
        pair = Pair(database, urls, backend)
        _wait_for_company(pair)
        yield pair


@contextmanager
def _server(folder: Path) -> Iterator[Callable[[], str]]:
    """Start a server; yield a function that returns its URL once it serves."""
    command = [sys.executable, "-c", _SERVE, "serve", "--port", "0", "--print-url"]
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True) as process:
        output = process.stdout
        assert output is not None
        try:
            yield lambda: output.readline().strip()
        finally:
            process.kill()


def _wait_for_company(pair: Pair) -> None:
    """Wait until the servers require keys and count together."""
    for _ in range(100):
        key = pair.key(requests_per_minute=1)
        if [pair.post(number, key).status for number in (0, 1)] == [200, 429]:
            return
        threading.Event().wait(0.1)
    raise AssertionError("the servers count alone")


def eventually(holds: Callable[[], bool]) -> bool:
    """Return whether something holds within a few seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.02)
    return True


def test_requests_at_both_processes_count(pair: Pair) -> None:
    key = pair.key(requests_per_minute=4)
    replies = [pair.post(number % 2, key) for number in range(6)]
    assert [reply.status for reply in replies] == [200] * 4 + [429] * 2
    assert [reply.headers["x-ratelimit-remaining-requests"] for reply in replies[:4]] == ["3", "2", "1", "0"]


def test_tokens_that_one_process_has_spent_are_missing_at_the_other(pair: Pair) -> None:
    key = pair.key(tokens_per_minute=5)
    assert pair.post(0, key).status == 200
    assert eventually(lambda: pair.post(1, key).status == 429)


def test_streams_at_both_processes_count(pair: Pair) -> None:
    key = pair.key(concurrent_streams=2)
    with pair.stream(0, key), pair.stream(1, key):
        for number in (0, 1):
            refused = pair.post(number, key, ASK | {"stream": True})
            assert refused.status == 429
            assert "Limit 2, Used 2" in refused.error["message"]
    assert eventually(lambda: pair.post(1, key, ASK | {"stream": True}).status == 200)


def test_a_request_with_a_key_runs_once_at_both_processes(pair: Pair) -> None:
    key = {**pair.key(), "Idempotency-Key": "once"}
    with pair.stream(0, key):
        busy = pair.post(1, key, {"model": "m", "input": "Hi", "stream": True})
        assert (busy.status, busy.error["code"]) == (409, "idempotency_key_in_use")
    assert eventually(lambda: pair.post(1, key).status == 200)
    first, again = pair.post(1, key), pair.post(0, key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body == first.body


def test_a_conversation_is_locked_at_both_processes(pair: Pair) -> None:
    key = pair.key()
    conversation = pair.post(0, key, {}, "/conversations").json["id"]
    with pair.stream(0, key, conversation=conversation):
        locked = pair.post(1, key, ASK | {"conversation": conversation})
        assert locked.error["code"] == "conversation_locked"
    assert eventually(lambda: pair.post(1, key, ASK | {"conversation": conversation}).status == 200)


def test_a_websocket_continues_a_response_of_the_other_process(pair: Pair) -> None:
    key = pair.key()
    first = pair.post(0, key).json["id"]
    with Socket(pair.urls[1], key) as socket:
        socket.create(model="antiphon/sample", previous_response_id=first)
        response = socket.events()[-1]["response"]
    assert (response["status"], response["previous_response_id"]) == ("completed", first)
    second = response["id"]
    assert pair.post(0, key, ASK | {"previous_response_id": second}).status == 200


def test_lanes_of_two_processes_share_the_limits_of_their_key(pair: Pair) -> None:
    key = pair.key(concurrent_streams=2)
    pair.backend.script(HANGING)
    with Socket(pair.urls[0], key) as first, Socket(pair.urls[1], key) as second:
        for socket, lane in ((first, "a"), (second, "b")):
            socket.create(model="m", stream_id=lane)
            created = socket.until("response.output_text.delta")[0]["response"]["id"]
        second.create(model="antiphon/sample", stream_id="c")
        refused = second.until("error")[-1]
        assert (refused["stream_id"], refused["error"]["code"]) == ("c", "rate_limit_exceeded")
        # A response is steered on its own connection alone.
        first.send({"type": "response.steer", "previous_response_id": created, "input": "Stop"})
        failed = first.until("response.steer.failed")[-1]
        assert failed["error"]["code"] == "response_not_found"


def test_both_processes_refuse_a_revoked_key(pair: Pair) -> None:
    key = pair.key()
    name = pair.name
    assert [pair.post(number, key).status for number in (0, 1)] == [200, 200]
    pair.revoke(name)
    assert eventually(lambda: [pair.post(number, key).status for number in (0, 1)] == [401, 401])
