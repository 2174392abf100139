"""Polls for the events of responses that other processes execute."""

import asyncio
from collections.abc import Collection

import pytest

from antiphon.durable import poller
from antiphon.durable.poller import Poller
from antiphon.durable.signals import Signals
from antiphon.errors import StoreUnavailable


class Database:
    """The progress of runs, and the polls for it."""

    def __init__(self) -> None:
        self.progress = {"one": 1, "other": 1}
        self.polls: list[list[str]] = []
        self.fails = False

    async def __call__(self, run_ids: Collection[str]) -> dict[str, int]:
        self.polls.append(sorted(run_ids))
        if self.fails:
            raise StoreUnavailable("down")
        return {run_id: self.progress[run_id] for run_id in run_ids if run_id in self.progress}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poller, "_INTERVAL", 0.0)


async def polled(database: Database, times: int) -> None:
    """Wait until a number of further polls has begun."""
    until = len(database.polls) + times
    for _ in range(1000):
        if len(database.polls) >= until:
            return
        await asyncio.sleep(0)
    raise AssertionError("no polls")


def test_readers_wake_when_their_response_has_changed() -> None:
    async def scenario() -> None:
        signals, database = Signals(), Database()
        polls = Poller(signals, database, lambda _: True)
        with signals.listen("one") as one, signals.listen("other") as other:
            polls.begin()
            await polled(database, 2)
            await one.wait(5)  # The first poll wakes all.
            await other.wait(5)
            database.progress["one"] += 1
            await one.wait(5)
            other_wakes = asyncio.create_task(other.wait(0.02))
            await polled(database, 2)
            assert not other_wakes.done()
            del database.progress["other"]  # Its response was deleted.
            await other_wakes
        polls.close()

    asyncio.run(scenario())


def test_one_query_serves_all_readers_and_none_remains_without_readers() -> None:
    async def scenario() -> list[list[str]]:
        signals, database = Signals(), Database()
        polls = Poller(signals, database, lambda run_id: run_id != "mine")
        with signals.listen("one"), signals.listen("other"), signals.listen("one"), signals.listen("mine"):
            polls.begin()
            polls.begin()
            await polled(database, 3)
        asked = [*database.polls]
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(database.polls) <= len(asked) + 1
        return asked

    assert {tuple(asked) for asked in asyncio.run(scenario())} == {("one", "other")}


def test_polls_go_on_after_a_failure_of_the_database() -> None:
    async def scenario() -> None:
        signals, database = Signals(), Database()
        database.fails = True
        polls = Poller(signals, database, lambda _: True)
        with signals.listen("one") as one:
            polls.begin()
            await polled(database, 2)
            database.fails = False
            await one.wait(5)
        polls.close()

    asyncio.run(scenario())
