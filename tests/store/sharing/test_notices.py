"""Notices between the servers of a database."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator

import psycopg
import pytest
from sqlalchemy import make_url

from antiphon.store import Store
from antiphon.store.servers import Member
from antiphon.store.sharing import notices
from tests.store.conftest import Run


@pytest.fixture
def servers(postgresql_tables: str, run: Run) -> Iterator[list[Store]]:
    """Open two servers of a PostgreSQL database."""
    opened = [run(Store.open(postgresql_tables, member=Member(id=name, is_worker=True))) for name in "ab"]
    yield opened
    for store in opened:
        run(store.close())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 (another process makes it hold)
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def _listening(store: Store, received: list[str], missed: list[int]) -> AsyncGenerator[None, None]:
    task = asyncio.create_task(store.notices.listen(received.append, lambda: missed.append(1)))
    try:
        await until(lambda: store.notices.is_listening)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert not store.notices.is_listening


def test_other_servers_receive_a_notice_and_the_sender_does_not(servers: list[Store], run: Run) -> None:
    one, other = servers
    mine: list[str] = []
    theirs: list[str] = []

    async def scenario() -> None:
        async with _listening(one, mine, []), _listening(other, theirs, []):
            for number in range(100):
                one.notices.send(f"events resp_{number}")
            one.notices.send("events resp_0")
            await one.notices.flush()
            await until(lambda: len(theirs) >= 100)
            other.notices.send("queue")
            await until(lambda: mine == ["queue"])

    run(scenario())
    assert sorted(theirs) == sorted(f"events resp_{number}" for number in range(100))


def test_after_a_lost_connection_a_server_listens_again_and_learns_that_it_has_missed_some(
    servers: list[Store], run: Run, postgresql_tables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_PAUSE", 0.0)
    one, other = servers
    received: list[str] = []
    missed: list[int] = []

    async def scenario() -> None:
        async with _listening(other, received, missed):
            await asyncio.to_thread(_end_listeners, postgresql_tables)
            await until(lambda: len(missed) == 2)
            one.notices.send("queue")
            await until(lambda: received == ["queue"])

    run(scenario())


def _end_listeners(url: str) -> None:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN antiphon%'"
        )


def test_a_stopped_server_tells_the_others_what_it_has_left(servers: list[Store], run: Run) -> None:
    one, other = servers
    received: list[str] = []

    async def scenario() -> None:
        async with _listening(other, received, []):
            await one.close()
            await until(lambda: received == ["queue"])

    run(scenario())
    servers.remove(one)


def test_a_server_that_is_alone_and_one_on_sqlite_send_nothing(postgresql_tables: str, run: Run) -> None:
    async def scenario() -> None:
        for url, is_worker in ((postgresql_tables, False), (":memory:", True)):
            store = await Store.open(url, member=Member(id="a", is_worker=is_worker))
            store.notices.send("queue")
            assert store.notices._sending is None
            if url == ":memory:":
                await store.notices.listen(lambda _: None, lambda: None)
                assert not store.notices.is_listening
            await store.close()

    run(scenario())
