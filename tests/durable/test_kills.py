"""Two servers of one database that are killed, frozen or called at the same time."""

import os
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from antiphon.wire.json import JSONObject
from tests.durable.processes import ASK, Backend, Processes, Server, processes
from tests.durable.test_crashes import check_items, texts
from tests.server.client import get, post
from tests.server.following import cancel, created, followed, stream
from tests.support.postgresql import schema
from tests.support.thorough import often
from tests.support.upstream import Upstream

pytestmark = [pytest.mark.slow, pytest.mark.processes]

KILLS = {
    count: int(os.environ.get("ANTIPHON_KILLS", default))
    for count, default in ((1, often(2, 50)), (2, often(2, 50)))
}
"""Number of kills at random points, with one and with two servers: of a streamed and a polled response."""
ALL_WORDS = "".join(f"word{number} " for number in range(12))


def pause(seconds: float) -> None:
    """Let the processes work for a while."""
    threading.Event().wait(seconds)


def check_log(events: list[JSONObject]) -> None:
    """Assert that a log is whole: no gap, no duplicate, one item after another, the whole text."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.completed", events[-2:]
    assert "".join(texts(events)) == ALL_WORDS
    check_items(events)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Processes, Backend, Upstream]]:
    """Yield servers over one database, which the tests of the module share."""
    folder = tmp_path_factory.mktemp("servers")
    with ExitStack() as stack:
        database = str(folder / "state.db")
        if request.param == "postgresql":
            database = stack.enter_context(schema(request.getfixturevalue("postgresql")))
        yield stack.enter_context(processes(folder, database))


@pytest.fixture
def backend(shared: tuple[Processes, Backend, Upstream]) -> Backend:
    """Return the backend, without traces of earlier tests."""
    shared[1].rounds.clear()
    shared[1].pause = 0.01
    return shared[1]


@pytest.fixture
def servers(shared: tuple[Processes, Backend, Upstream], backend: Backend) -> Processes:
    return shared[0]


@pytest.fixture
def search(shared: tuple[Processes, Backend, Upstream]) -> Upstream:
    return shared[2]


def killed(server: Server, after: float, *, is_read: bool) -> tuple[str, list[JSONObject]]:
    """Kill a server while it runs a response; return its ID and the events that a client has read."""
    if is_read:
        with created(server.url, ASK) as (response_id, lines):
            threading.Timer(after, server.process.kill).start()
            return response_id, list(lines)
    response_id = post(server.url, "/responses", ASK).json["id"]
    pause(after)
    server.process.kill()
    return response_id, []


@pytest.mark.timeout(300 + 60 * max(KILLS.values()))
@pytest.mark.parametrize("count", [1, 2])
def test_D1_D8_kills_at_random_points_lose_nothing_and_pay_nothing_twice(
    servers: Processes, backend: Backend, search: Upstream, count: int
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    for kill in range(KILLS[count]):
        first = servers.server(0)
        if count == 2:
            servers.server(1)
        else:
            servers.kill(1)
        backend.rounds.clear()
        search.requests.clear()
        response_id, read = killed(first, chance.uniform(0, 0.6), is_read=kill % 2 == 0)
        first.process.wait()
        finished = servers.finished_calls(response_id)
        before = backend.rounds.copy()
        # A second server goes on by itself; without it, the next start of the first one does.
        url = servers.server(count - 1).url
        events = followed(url, response_id).payloads
        check_log(events)
        assert events[1 : len(read) + 1] == read
        assert get(url, f"/responses/{response_id}").json["status"] == "completed"
        for number in range(3):
            again = backend.rounds[number] - before[number]
            if number in finished:
                assert again == 0, f"call {number} was paid twice (seed {seed}, kill {kill})"
            assert again <= 1
        assert len(search.requests) <= 3


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_D8_a_client_of_another_server_sees_no_gap_when_a_server_ends(
    servers: Processes, backend: Backend, number: signal.Signals
) -> None:
    one, two = servers.pair()
    backend.pause = 0.2
    # A stream of its own would keep the server for the seconds that open streams have to end.
    response_id = post(one.url, "/responses", ASK).json["id"]
    with stream(two.url, response_id) as lines:
        read = [next(lines) for _ in range(3)]
        one.process.send_signal(number)
        one.process.wait(timeout=20)
        backend.pause = 0.01
        events = read + list(lines)
    assert one.process.returncode == (0 if number == signal.SIGTERM else -number)
    check_log(events)
    assert followed(two.url, response_id).payloads == events


def freeze(server: Server, database: str) -> None:
    """Stop a server at a moment in which it doesn't hold the write lock of an SQLite file."""
    server.process.send_signal(signal.SIGSTOP)
    while not database.startswith("postgresql") and is_locked(database):
        server.process.send_signal(signal.SIGCONT)
        server.process.send_signal(signal.SIGSTOP)


def is_locked(path: str) -> bool:
    """Return whether nobody can write to an SQLite file for a second."""
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


@pytest.mark.timeout(120)
def test_a_frozen_server_writes_nothing_when_it_wakes_up(servers: Processes, backend: Backend) -> None:
    one, two = servers.pair()
    backend.pause = 0.3
    with created(one.url, ASK) as (response_id, _), stream(two.url, response_id) as lines:
        read = [next(lines) for _ in range(3)]
        freeze(one, servers.database)
        read.append(next(lines))
        one.process.send_signal(signal.SIGCONT)
        backend.pause = 0.05
        events = read + list(lines)
    check_log(events)
    assert get(one.url, f"/responses/{response_id}").json["status"] == "completed"
    assert followed(one.url, response_id).payloads == events


@pytest.mark.timeout(120)
def test_a_cancellation_reaches_the_server_that_runs_the_response(
    servers: Processes, backend: Backend
) -> None:
    one, two = servers.pair()
    backend.pause = 0.5
    with created(one.url, ASK) as (response_id, lines):
        [next(lines) for _ in range(2)]
    response = cancel(two.url, response_id).json
    assert response["status"] == "cancelled"
    assert get(one.url, f"/responses/{response_id}").json == response
    assert followed(one.url, response_id).payloads[-1]["response"] == response


@pytest.mark.timeout(120)
def test_D9_a_hundred_writers_over_two_servers_give_one_order(servers: Processes, backend: Backend) -> None:
    urls = [server.url for server in servers.pair()]
    conversation = post(urls[0], "/conversations", {}).json["id"]
    path = f"/conversations/{conversation}/items"

    def add(number: int) -> list[str]:
        texts = [f"{number} {part}" for part in ("first", "second")]
        items = [{"type": "message", "role": "user", "content": text} for text in texts]
        added = post(urls[number % 2], path, {"items": items})
        assert added.status == 200, added.body
        return [item["id"] for item in added.json["data"]]

    def respond(number: int) -> list[str]:
        body = {"model": "m", "input": f"{number} asks", "conversation": conversation}
        while (reply := post(urls[number % 2], "/responses", body)).status != 200:
            assert reply.error["code"] == "conversation_locked"
        return [item["id"] for item in reply.json["output"]]

    with ThreadPoolExecutor(20) as pool:
        writers = [pool.submit(respond if number % 20 == 0 else add, number) for number in range(100)]
        written = [writer.result() for writer in writers]

    orders = []
    for url in urls:
        order = get(url, f"{path}?order=asc&limit=100").json["data"]
        order += get(url, f"{path}?order=asc&limit=100&after={order[-1]['id']}").json["data"]
        orders.append(order)
    assert orders[0] == orders[1]
    ids = [item["id"] for item in orders[0]]
    assert len(ids) == len(set(ids)) == 200
    for number, own in enumerate(written):
        # The items of one request stay together: two items, or a question and the reply to it.
        last = ids.index(own[-1])
        if number % 20 == 0:
            assert orders[0][last - 1]["content"][0]["text"] == f"{number} asks"
        else:
            assert ids[last - 1 : last + 1] == own
