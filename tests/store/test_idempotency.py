import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from antiphon.store import Store, idempotency
from antiphon.store.idempotency import KEPT, Claim
from tests.store.conftest import OpenStore, Run
from tests.store.test_servers import Clock

ME, OTHER = "me", "another"
GRANTED, BUSY = Claim(granted=True), Claim()


def test_D20_an_answer_is_kept_for_the_key(store: Store, run: Run) -> None:
    async def scenario() -> None:
        assert await store.idempotency.claim(ME, "k") == GRANTED
        assert await store.idempotency.claim(ME, "k") == BUSY
        await store.idempotency.keep(ME, "k", b"\0\xff the answer")
        for _ in range(2):
            assert await store.idempotency.claim(ME, "k") == Claim(answer=b"\0\xff the answer")

    run(scenario())


def test_two_owners_may_have_the_same_key(store: Store, run: Run) -> None:
    async def scenario() -> None:
        assert await store.idempotency.claim(ME, "k") == GRANTED
        await store.idempotency.keep(ME, "k", b"mine")
        assert await store.idempotency.claim(OTHER, "k") == GRANTED
        await store.idempotency.keep(OTHER, "k", b"theirs")
        assert await store.idempotency.claim(ME, "k") == Claim(answer=b"mine")

    run(scenario())


def test_a_released_key_is_free_at_once(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(3):
            assert await store.idempotency.claim(ME, "k") == GRANTED
            store.idempotency.release(ME, "k")
        assert await store.idempotency.claim(ME, "k") == GRANTED
        await store.idempotency.keep(ME, "k", b"kept")
        assert await store.idempotency.claim(ME, "k") == Claim(answer=b"kept")

    run(scenario())


def test_D20_of_many_at_once_one_gets_the_key(open_store: OpenStore, run: Run) -> None:
    stores = [open_store() for _ in range(3)]

    async def scenario() -> None:
        claims = await asyncio.gather(*[store.idempotency.claim(ME, "k") for store in stores * 5])
        assert sorted(claim.granted for claim in claims) == [False] * 14 + [True]
        assert all(claim.answer is None for claim in claims)

    run(scenario())


def test_D20_another_server_gives_the_answer_too(open_store: OpenStore, run: Run) -> None:
    one, other = open_store(), open_store()

    async def scenario() -> None:
        assert await one.idempotency.claim(ME, "k") == GRANTED
        assert await other.idempotency.claim(ME, "k") == BUSY
        await one.idempotency.keep(ME, "k", b"one's")
        assert await other.idempotency.claim(ME, "k") == Claim(answer=b"one's")

    run(scenario())


def test_D20_what_died_with_its_server_is_released_when_it_starts_again(
    open_store: OpenStore, run: Run
) -> None:
    died = open_store(server_id="died")

    async def scenario() -> None:
        assert await died.idempotency.claim(ME, "answered") == GRANTED
        await died.idempotency.keep(ME, "answered", b"before")
        assert await died.idempotency.claim(ME, "lost") == GRANTED

    run(scenario())
    again = open_store(has_ended=lambda server_id: server_id == "died")

    async def after() -> None:
        assert await again.idempotency.claim(ME, "answered") == Claim(answer=b"before")
        assert await again.idempotency.claim(ME, "lost") == GRANTED
        assert await again.idempotency.claim(ME, "lost") == BUSY

    run(after())


def test_D20_what_died_with_another_server_is_released_when_that_is_silent(
    open_store: OpenStore, run: Run
) -> None:
    clock = Clock()
    died, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        assert await died.idempotency.claim(ME, "k") == GRANTED
        clock.now += 29
        await other.servers.recover(silent_for=30)
        assert await other.idempotency.claim(ME, "k") == BUSY
        clock.now += 2
        await other.servers.recover(silent_for=30)
        assert await other.idempotency.claim(ME, "k") == GRANTED
        # If it still runs, its answer isn't mistaken for the other server's, and it frees no keys of others.
        await died.idempotency.keep(ME, "k", b"too late")
        died.idempotency.release(ME, "k")
        await died.servers.heartbeat()
        assert await died.idempotency.claim(ME, "k") == BUSY
        await other.idempotency.keep(ME, "k", b"in time")
        assert await died.idempotency.claim(ME, "k") == Claim(answer=b"in time")

    run(scenario())


def test_answers_are_kept_for_a_day(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    store = open_store(clock=clock)

    async def scenario() -> None:
        for key in ("claimed_again", "deleted"):
            assert await store.idempotency.claim(ME, key) == GRANTED
            await store.idempotency.keep(ME, key, b"old")
        clock.now += KEPT
        await store.idempotency.delete_expired()
        assert await store.idempotency.claim(ME, "claimed_again") == Claim(answer=b"old")
        clock.now += 1
        assert await store.idempotency.claim(ME, "claimed_again") == GRANTED
        await store.idempotency.delete_expired()
        assert await store.idempotency.claim(ME, "claimed_again") == BUSY
        await store.idempotency.keep(ME, "claimed_again", b"new")
        assert await store.idempotency.claim(ME, "claimed_again") == Claim(answer=b"new")

        clock.now -= 1  # On a clock by which the other key would still be valid, it is gone.
        assert await store.idempotency.claim(ME, "deleted") == GRANTED

    run(scenario())


def test_a_request_may_run_for_longer_than_a_day(open_store: OpenStore, run: Run) -> None:
    clock = Clock()
    store, other = open_store(clock=clock), open_store(clock=clock)

    async def scenario() -> None:
        assert await store.idempotency.claim(ME, "k") == GRANTED
        clock.now += KEPT + 1
        await store.servers.heartbeat()
        await other.idempotency.delete_expired()
        assert await other.idempotency.claim(ME, "k") == BUSY

    run(scenario())


def test_a_claim_that_fails_holds_nobody_up(store: Store, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_: object) -> None:
        raise asyncio.CancelledError

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(store._database, "write", fails)
            with pytest.raises(asyncio.CancelledError):
                await store.idempotency.claim(ME, "k")
        assert await store.idempotency.claim(ME, "k") == GRANTED

    run(scenario())


def test_many_old_answers_are_deleted_in_slices(
    open_store: OpenStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "_SLICE", 4)
    clock = Clock()
    store = open_store(clock=clock)
    sizes: list[int] = []

    async def scenario() -> None:
        for number in range(10):
            assert await store.idempotency.claim(ME, f"old_{number}") == GRANTED
            await store.idempotency.keep(ME, f"old_{number}", b"old")
        clock.now += KEPT + 1
        assert await store.idempotency.claim(ME, "new") == GRANTED
        await store.idempotency.keep(ME, "new", b"new")
        write = store._database.write

        async def counted(run_write: Callable[[Connection], bool]) -> bool:
            more = await write(run_write)
            count = text("SELECT count(*) FROM idempotency_keys")
            sizes.append(await store._database.read(lambda c: int(c.execute(count).scalar_one())))
            return more

        monkeypatch.setattr(store._database, "write", counted)
        await store.idempotency.delete_expired()
        monkeypatch.undo()
        assert await store.idempotency.claim(ME, "new") == Claim(answer=b"new")

    run(scenario())
    assert sizes == [7, 3, 1]
