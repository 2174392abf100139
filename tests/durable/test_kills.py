"""Servers that are killed or frozen while they run background responses."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from antiphon.wire.json import JSONObject
from tests.durable.processes import ASK, free_port, processes
from tests.durable.test_crashes import check_items, texts
from tests.server.client import get, post
from tests.server.following import cancel, created, followed, stream

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ANTIPHON_KILLS", "6"))
"""Number of kills in the test of random points; 50 for a thorough run."""
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


@pytest.mark.timeout(600)
def test_D1_kills_at_random_points_lose_nothing_and_pay_nothing_twice(url: str, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")  # noqa: T201
    chance = random.Random(seed)
    with processes(tmp_path, url) as (servers, backend, search):
        port = free_port()
        process, base = servers.start(port)
        for kill in range(KILLS):
            backend.rounds.clear()
            search.requests.clear()
            read: list[JSONObject] = []
            if kill % 2:
                response_id = post(base, "/responses", ASK).json["id"]
                pause(chance.uniform(0, 0.6))
                process.kill()
            else:
                with created(base, ASK) as (response_id, lines):
                    killer = threading.Timer(chance.uniform(0, 0.6), process.kill)
                    killer.start()
                    read += list(lines)
            process.wait()
            finished = servers.finished_calls(response_id)
            before = backend.rounds.copy()
            process, base = servers.start(port)
            events = followed(base, response_id).payloads
            check_log(events)
            assert events[1 : len(read) + 1] == read
            assert get(base, f"/responses/{response_id}").json["status"] == "completed"
            for number in range(3):
                again = backend.rounds[number] - before[number]
                if number in finished:
                    assert again == 0, f"call {number} was paid twice (seed {seed}, kill {kill})"
                assert again <= 1
            assert len(search.requests) <= 3


@pytest.mark.timeout(120)
def test_D8_another_server_goes_on_after_a_kill(url: str, tmp_path: Path) -> None:
    with processes(tmp_path, url) as (servers, backend, _):
        first, one = servers.start(free_port())
        _, two = servers.start(free_port())
        backend.pause = 0.2
        with created(one, ASK) as (response_id, _), stream(two, response_id) as lines:
            read = [next(lines) for _ in range(3)]
            first.kill()
            backend.pause = 0.01
            events = read + list(lines)
        check_log(events)
        assert followed(two, response_id).payloads == events


@pytest.mark.timeout(120)
def test_a_server_that_stops_leaves_its_responses_to_another(url: str, tmp_path: Path) -> None:
    with processes(tmp_path, url) as (servers, backend, _):
        first, one = servers.start(free_port())
        _, two = servers.start(free_port())
        backend.pause = 0.2
        with created(one, ASK) as (response_id, _), stream(two, response_id) as lines:
            read = [next(lines) for _ in range(3)]
            first.send_signal(signal.SIGTERM)
            assert first.wait(timeout=20) == 0
            backend.pause = 0.01
            events = read + list(lines)
        check_log(events)


@pytest.mark.timeout(120)
def test_a_frozen_server_writes_nothing_when_it_wakes_up(url: str, tmp_path: Path) -> None:
    with processes(tmp_path, url) as (servers, backend, _):
        first, one = servers.start(free_port())
        _, two = servers.start(free_port())
        backend.pause = 0.3
        with created(one, ASK) as (response_id, _), stream(two, response_id) as lines:
            read = [next(lines) for _ in range(3)]
            first.send_signal(signal.SIGSTOP)
            read.append(next(lines))
            first.send_signal(signal.SIGCONT)
            events = read + list(lines)
        check_log(events)
        assert get(one, f"/responses/{response_id}").json["status"] == "completed"
        assert followed(one, response_id).payloads == events


@pytest.mark.timeout(120)
def test_a_cancellation_reaches_the_server_that_runs_the_response(url: str, tmp_path: Path) -> None:
    with processes(tmp_path, url) as (servers, backend, _):
        _, one = servers.start(free_port())
        _, two = servers.start(free_port())
        backend.pause = 0.5
        with created(one, ASK) as (response_id, lines):
            [next(lines) for _ in range(2)]
        response = cancel(two, response_id).json
        assert response["status"] == "cancelled"
        assert get(one, f"/responses/{response_id}").json == response
        assert followed(one, response_id).payloads[-1]["response"] == response
