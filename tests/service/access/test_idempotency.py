"""Answers stored under idempotency keys, and access to them."""

import asyncio
import logging
from pathlib import Path

import pytest

from antiphon.errors import InvalidRequest, StoreUnavailable
from antiphon.service.access.errors import AnswerNotKept, IdempotencyKeyInUse
from antiphon.service.access.idempotency import MAX_ANSWER, Answer, Claim, Idempotency
from antiphon.store import Store

ME = "me"


def answer(body: bytes | None = b'{"id": "resp_1", "output": "a secret"}') -> Answer:
    headers = [(b"content-type", b"application/json"), (b"x-odd", b"\xff")]
    return Answer(fingerprint=b"\0" * 32, request_bytes=5, status=200, headers=headers, body=body)


async def keep(idempotency: Idempotency, key: str, kept: Answer, owner: str = ME) -> None:
    claim = await idempotency.begin(owner, key)
    assert isinstance(claim, Claim)
    await claim.keep(kept)


def test_the_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        await keep(Idempotency(store.idempotency, "secret"), "k", answer())
        assert await Idempotency(store.idempotency, "secret").begin(ME, "k") == answer()
        await store.close()

    asyncio.run(scenario())


def test_S19_the_database_says_neither_the_key_nor_the_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        await keep(Idempotency(store.idempotency, "secret"), "my-own-key", answer(b"planted " * 1000))
        await store.close()

    asyncio.run(scenario())
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"idempotency_keys" in written
    assert b"planted" not in written
    assert b"my-own-key" not in written


def test_an_answer_is_sealed_for_its_key_and_owner(tmp_path: Path) -> None:
    """Even someone with write access to the database can't give one client the answers of another."""

    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        idempotency = Idempotency(store.idempotency, "secret")
        claim = await idempotency.begin(ME, "k")
        assert isinstance(claim, Claim)
        other = await idempotency.begin("another", "k")
        assert isinstance(other, Claim)
        await claim.records.keep("another", other.key_hash, claim.cipher.encrypt(b"moved", None))
        with pytest.raises(AnswerNotKept):
            await idempotency.begin("another", "k")
        await store.close()

    asyncio.run(scenario())


def test_with_another_secret_it_is_known_that_there_was_an_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        await keep(Idempotency(store.idempotency, "secret"), "k", answer())
        with pytest.raises(AnswerNotKept):
            await Idempotency(store.idempotency, "another secret").begin(ME, "k")
        await store.close()

    asyncio.run(scenario())


def test_of_an_answer_that_is_too_large_only_the_head_is_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        idempotency = Idempotency(store.idempotency, "secret")
        await keep(idempotency, "largest", answer(b"x" * MAX_ANSWER))
        await keep(idempotency, "larger", answer(b"x" * (MAX_ANSWER + 1)))
        assert await idempotency.begin(ME, "largest") == answer(b"x" * MAX_ANSWER)
        assert await idempotency.begin(ME, "larger") == answer(None)
        await store.close()

    asyncio.run(scenario())


def test_a_key_is_in_use_until_it_is_released(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        idempotency = Idempotency(store.idempotency, "secret")
        for _ in range(2):
            claim = await idempotency.begin(ME, "k")
            assert isinstance(claim, Claim)
            with pytest.raises(IdempotencyKeyInUse):
                await idempotency.begin(ME, "k")
            claim.release()
        await store.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("key", "code"), [("", "string_below_min_length"), ("k" * 256, "string_above_max_length")]
)
def test_what_is_no_key(key: str, code: str) -> None:
    async def scenario() -> None:
        store = await Store.open(":memory:")
        idempotency = Idempotency(store.idempotency, "secret")
        with pytest.raises(InvalidRequest) as caught:
            await idempotency.begin(ME, key)
        assert (caught.value.code, caught.value.param) == (code, "idempotency-key")
        assert isinstance(await idempotency.begin(ME, "k" * 255), Claim)
        await store.close()

    asyncio.run(scenario())


def test_an_answer_that_cannot_be_stored_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A request that waits for the answer gets it all the same."""

    async def scenario() -> None:
        store = await Store.open(str(tmp_path / "a.db"))
        idempotency = Idempotency(store.idempotency, "secret")
        claims = [await idempotency.begin(ME, key) for key in ("kept", "released")]
        await store.close()
        assert isinstance(claims[0], Claim)
        await claims[0].keep(answer())
        assert isinstance(claims[1], Claim)
        claims[1].release()
        with pytest.raises(StoreUnavailable):
            await idempotency.begin(ME, "k")

    with caplog.at_level(logging.INFO, "antiphon.service"):
        asyncio.run(scenario())
    assert [record.message for record in caplog.records] == [
        "Failed to store the response for an idempotency key: The store is closed.",
        "Failed to release an idempotency key: The store is closed.",
    ]
