"""A PostgreSQL server whose disk is full, whose tables are damaged or locked, or that only reads."""

import asyncio
import secrets
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from antiphon.errors import StoreUnavailable
from antiphon.store import Store
from antiphon.store.responses.rows import FinishedResponse, NewItem
from tests.store.conftest import Run
from tests.store.samples import ME, body, finished, new_response, respond
from tests.support.postgresql import Cluster

pytestmark = [pytest.mark.slow, pytest.mark.processes]

SIZE = 16 * 1024 * 1024
"""The least limit for files that leaves PostgreSQL's log intact."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="antiphon-")))  # Sockets need a short path.
    yield cluster
    cluster.close()


@pytest.fixture
def own(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """Return the URL of a new database."""
    name = f"db_{secrets.token_hex(4)}"
    cluster.create(name)
    return cluster.url("tcp", name)


def large(number: int) -> FinishedResponse:
    """Return the end of a response with a megabyte that PostgreSQL can't compress."""
    item = NewItem(id=f"out_{number}", kind="message", body=f'{{"text": "{secrets.token_hex(500_000)}"}}')
    ended = finished(f"resp_{number}")
    return FinishedResponse(
        id=ended.id,
        status=ended.status,
        completed_at=ended.completed_at,
        body=ended.body,
        output=[item],
        log=None,
    )


@pytest.mark.timeout(120)
def test_D3_a_full_disk_loses_nothing_that_was_stored(cluster: Cluster, own: str, run: Run) -> None:
    async def check(store: Store, stored: int) -> None:
        for number in range(stored):
            found = await store.responses.get(ME, f"resp_{number}")
            assert found is not None
            assert found.status == "completed"

    async def fill() -> int:
        store = await Store.open(own)
        stored = 0

        async def respond_forever() -> None:
            nonlocal stored
            for number in count():
                await store.pending.begin(ME, new_response(f"resp_{number}", f"in_{number}"))
                await store.pending.finish(ME, large(number))
                stored += 1

        with pytest.raises(StoreUnavailable):
            await respond_forever()
        await check(store, stored)
        await store.close()
        return stored

    async def scenario() -> None:
        with cluster.full_disk(SIZE):
            stored = await fill()
        assert stored > 3
        store = await Store.open(own)
        await store.servers.recover(0)
        await check(store, stored)
        failed = await store.responses.get(ME, f"resp_{stored}")
        assert failed is None or failed.status == "failed"
        await respond(store, "resp_later", ["in_later"], ["out_later"])
        await store.close()

    run(scenario())


def test_D4_a_database_that_is_locked_for_a_while_only_delays(own: str, run: Run) -> None:
    async def scenario() -> None:
        store = await Store.open(own)
        with psycopg.connect(own) as other:
            other.execute("LOCK TABLE responses, items IN ACCESS EXCLUSIVE MODE")
            waiting = asyncio.create_task(respond(store, "resp_1", ["a"], ["b"]))
            reading = asyncio.create_task(store.responses.get(ME, "resp_1"))
            done, _ = await asyncio.wait([waiting, reading], timeout=0.3)
            assert done == set()
            other.rollback()
        await waiting
        await reading
        found = await store.responses.get(ME, "resp_1")
        assert found is not None
        assert (found.status, found.output) == ("completed", [body("b")])
        await store.close()

    run(scenario())


def test_D5_a_read_only_database_is_refused_and_names_the_reason(own: str, run: Run) -> None:
    async def scenario() -> None:
        await (await Store.open(own)).close()
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            await Store.open(f"{own}?options=-cdefault_transaction_read_only%3Don")

    run(scenario())


def test_D5_a_database_that_becomes_read_only_can_be_read(own: str, run: Run) -> None:
    async def scenario() -> None:
        store = await Store.open(own)
        await respond(store, "resp_1", ["a"], ["b"])
        with psycopg.connect(own, autocommit=True) as other:
            name = other.info.dbname
            other.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            mine = "datname = current_database() AND pid <> pg_backend_pid()"
            other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        with pytest.raises(StoreUnavailable):
            await respond(store, "resp_2", ["c"], ["d"])
        found = await store.responses.get(ME, "resp_1")
        assert found is not None
        assert found.status == "completed"
        with psycopg.connect(own, autocommit=True) as other:
            other.execute("SET default_transaction_read_only = off")
            other.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {mine}")
        await respond(store, "resp_3", ["e"], ["f"])
        await store.close()

    run(scenario())


def test_D6_a_damaged_table_is_an_error_with_a_reason_in_the_log(
    cluster: Cluster, own: str, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def fill() -> None:
        store = await Store.open(own)
        await respond(store, "resp_1", ["a"], ["b"])
        await store.close()

    async def read() -> None:
        store = await Store.open(own)
        with pytest.raises(StoreUnavailable, match="The details are in the server's log"):
            await store.responses.get(ME, "resp_1")
        await store.close()

    run(fill())
    cluster.damage(own.rpartition("/")[2], "items")
    run(read())
    assert "invalid page in block 0" in caplog.text
