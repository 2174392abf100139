import msgspec
import pytest
from sqlalchemy import inspect, text

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.errors import KeyNameTaken
from antiphon.store.keys import StoredKey
from antiphon.store.migrations import MIGRATIONS, migrate
from tests.store.conftest import OpenStore, Run


def key(name: str, digit: str, *, at: float = 1.0) -> StoredKey:
    return StoredKey(hash=digit * 64, name=name, owner=f"{name}'s", hint="wxyz", created_at=at)


LIMITED = msgspec.structs.replace(
    key("limited", "c", at=3), requests_per_minute=60, tokens_per_minute=9000, concurrent_streams=2
)


def test_a_key_is_found_by_its_hash(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for each in (key("one", "a"), LIMITED):
            await store.keys.add(each)
        assert await store.keys.find("a" * 64) == key("one", "a")
        assert await store.keys.find("c" * 64) == LIMITED
        assert await store.keys.find("b" * 64) is None

    run(scenario())


def test_all_keys_are_listed_oldest_first(store: Store, run: Run) -> None:
    async def scenario() -> None:
        assert await store.keys.all() == []
        for each in (LIMITED, key("z", "a"), key("a", "b")):
            await store.keys.add(each)
        assert [each.name for each in await store.keys.all()] == ["a", "z", "limited"]

    run(scenario())


def test_a_name_is_given_once_until_its_key_is_deleted(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.keys.add(key("one", "a"))
        with pytest.raises(KeyNameTaken, match="The key name 'one' is already taken"):
            await store.keys.add(key("one", "b"))
        assert await store.keys.all() == [key("one", "a")]
        assert await store.keys.delete("one")
        assert not await store.keys.delete("one")
        assert await store.keys.find("a" * 64) is None
        await store.keys.add(key("one", "b"))

    run(scenario())


def test_other_servers_see_a_key_at_once(open_store: OpenStore, run: Run) -> None:
    async def scenario(one: Store, other: Store) -> None:
        await one.keys.add(key("one", "a"))
        assert await other.keys.find("a" * 64) == key("one", "a")

    run(scenario(open_store(), open_store()))


def test_all_keys_are_read_only_after_a_change(open_store: OpenStore, run: Run) -> None:
    async def scenario(one: Store, other: Store) -> None:
        before = await one.keys.changed(None)
        assert before is not None
        assert before.keys == []
        assert await one.keys.changed(before.version) is None
        seen = [before.version]
        for change in (
            other.keys.add(key("one", "a")),
            other.keys.add(key("two", "b")),
            other.keys.delete("one"),
            other.keys.add(key("one", "a")),
            one.keys.delete("one"),
        ):
            await change
            after = await one.keys.changed(seen[-1])
            assert after is not None
            assert after.keys == await one.keys.all()
            assert await one.keys.changed(after.version) is None
            seen.append(after.version)
        assert len(set(seen)) == len(seen)
        assert not await other.keys.delete("none")
        assert await one.keys.changed(seen[-1]) is None

    run(scenario(open_store(), open_store()))


def test_a_database_from_before_there_were_keys_gets_the_table(new_url: str) -> None:
    engine = open_engine(new_url).writing
    with engine.begin() as connection:
        migrate(connection, MIGRATIONS)
        connection.execute(text("DROP TABLE api_keys"))
        connection.execute(text("DELETE FROM schema_version WHERE name LIKE '%_keys'"))
    with engine.begin() as connection:
        migrate(connection, MIGRATIONS)
        assert inspect(connection).has_table("api_keys")
    engine.dispose()
