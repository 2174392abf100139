"""API keys: creation, validity, revocation and owners; access without a key."""

import asyncio
import hashlib
import re
from collections.abc import Coroutine, Iterator
from typing import TypeVar

import pytest
from sqlalchemy import Connection, text

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import InvalidRequest
from antiphon.service.access.errors import InvalidApiKey, RateLimited
from antiphon.service.access.keys import REFRESH, Caller, Keys, KeySettings, create_key
from antiphon.service.access.limits import Limits
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.store import keys as store_keys
from antiphon.store.errors import KeyNameTaken
from antiphon.store.keys import StoredKey

T = TypeVar("T")

SETTINGS_KEY = "the-key-of-the-settings"


class World:
    """A store in memory, the keys of a server over it, and the clock of both."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self.now = 100.0
        self.store: Store = self.run(Store.open(":memory:"))

    def run(self, work: Coroutine[object, object, T]) -> T:
        return self.runner.run(work)

    def keys(self, api_key: str | None = None, **limits: int) -> Keys:
        secret = None if api_key is None else Secret(api_key)
        settings = KeySettings(api_key=secret, limits=Limits(**limits))
        return Keys(self.store.keys, self.store.usage, settings, lambda: self.now)

    def create(self, name: str | None = None, owner: str | None = None, **limits: int) -> str:
        return self.run(create_key(self.store.keys, name, owner, Limits(**limits)))[0]

    def caller(self, keys: Keys, key: str | None) -> Caller:
        caller = self.run(keys.caller(key))
        assert caller is not None
        return caller

    def refused(self, keys: Keys, key: str | None) -> InvalidApiKey:
        with pytest.raises(InvalidApiKey) as caught:
            self.run(keys.caller(key))
        assert caught.value.status == 401
        return caught.value


@pytest.fixture
def world() -> Iterator[World]:
    with asyncio.Runner() as runner:
        opened = World(runner)
        yield opened
        runner.run(opened.store.close())


def test_a_key_is_256_random_bits_and_only_its_hash_is_kept(world: World) -> None:
    key = world.create("alice")
    assert re.fullmatch(r"sk-antiphon-[A-Za-z0-9_-]{43}", key)
    assert key != world.create("bob")
    stored = world.run(world.store.keys.all())[0]
    assert stored.hash == hashlib.sha256(key.encode()).hexdigest()
    assert stored.hint == key[-4:]
    assert key not in repr(stored)


def test_a_key_opens_what_is_its_owners(world: World) -> None:
    own, unnamed = world.create("alice"), world.create()
    rotated = world.create("alice-2", "alice")
    keys = world.keys()
    for key, owner, name in [(own, "alice", "alice"), (rotated, "alice", "alice-2")]:
        caller = world.caller(keys, key)
        assert (caller.owner, caller.name) == (owner, name)
    caller = world.caller(keys, unnamed)
    assert caller.owner == caller.name
    assert caller.owner not in ("alice", LOCAL_OWNER)


def test_without_any_key_nobody_needs_one(world: World) -> None:
    keys = world.keys()
    assert not world.run(keys.is_needed())
    assert world.run(keys.caller(None)) is None
    assert world.run(keys.caller("whatever clients send")) is None


def test_with_a_key_everybody_needs_one(world: World) -> None:
    key = world.create("alice")
    keys = world.keys()
    assert world.run(keys.is_needed())
    assert len(keys) == 1
    missing = world.refused(keys, None)
    assert missing.code is None
    assert "You didn't provide an API key" in missing.message
    wrong = world.refused(keys, key[:-1] + ("a" if key[-1] != "a" else "b"))
    assert wrong.code == "invalid_api_key"
    assert re.fullmatch(r"Incorrect API key provided: sk-antip\*\*\*[A-Za-z0-9_-]{4}\.", wrong.message)
    assert wrong.headers == {"www-authenticate": "Bearer"}


def test_a_short_wrong_key_is_not_shown(world: World) -> None:
    world.create("alice")
    assert world.refused(world.keys(), "hunter2").message == "Incorrect API key provided: ***."


def test_the_settings_key_is_the_local_owners(world: World) -> None:
    keys = world.keys(SETTINGS_KEY)
    assert world.run(keys.is_needed())
    assert len(keys) == 1
    assert world.caller(keys, SETTINGS_KEY).owner == LOCAL_OWNER
    world.refused(keys, None)
    stored = world.create("alice")
    assert world.caller(keys, stored).owner == "alice"
    world.now += REFRESH
    assert world.caller(keys, SETTINGS_KEY).owner == LOCAL_OWNER
    assert len(keys) == 2


def test_a_new_key_is_good_at_once(world: World) -> None:
    world.create("alice")
    keys = world.keys()
    assert world.run(keys.is_needed())
    assert world.caller(keys, world.create("bob")).owner == "bob"


def test_the_first_key_closes_a_running_server_and_the_log_has_a_line(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    keys = world.keys()
    assert not world.run(keys.is_needed())
    world.create("alice")
    world.now += REFRESH
    world.refused(keys, None)
    line = "Found the first API key; every request requires a key from now on"
    assert caplog.messages == [line]
    world.create("bob")
    world.now += REFRESH
    world.refused(keys, None)
    # A server that starts with keys prints it in its first lines.
    assert world.run(world.keys().is_needed())
    assert caplog.messages == [line]


def test_a_revoked_key_is_refused_after_the_next_reading(world: World) -> None:
    key = world.create("alice")
    keys = world.keys()
    world.caller(keys, key)
    world.run(world.store.keys.delete("alice"))
    world.now += REFRESH - 0.1
    world.caller(keys, key)
    world.now += 0.1
    world.refused(keys, key)
    # Even without any key left, a running server doesn't become open to all.
    world.refused(keys, None)


def test_the_keys_are_read_again_only_after_a_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.create("alice")
    keys = world.keys()
    world.caller(keys, key)
    read: list[int] = []
    original = store_keys._all

    def counted(connection: Connection) -> list[StoredKey]:
        found = original(connection)
        read.append(len(found))
        return found

    monkeypatch.setattr(store_keys, "_all", counted)
    for _ in range(3):
        world.now += REFRESH
        world.caller(keys, key)
    assert read == []
    world.create("bob")
    for _ in range(2):
        world.now += REFRESH
        world.caller(keys, key)
    assert read == [2]


def test_a_key_revoked_while_it_is_looked_up_is_refused_after_the_next_reading(world: World) -> None:
    keys = world.keys()
    world.create("bob")
    world.run(keys.is_needed())
    key = world.create("alice")
    find = world.store.keys.find

    async def find_slowly(key_hash: str) -> StoredKey | None:
        found = await find(key_hash)
        await world.store.keys.delete("alice")
        world.now += REFRESH
        await keys.is_needed()
        return found

    world.store.keys.find = find_slowly  # type: ignore[method-assign]
    world.caller(keys, key)
    world.store.keys.find = find  # type: ignore[method-assign]
    world.refused(keys, key)


def test_many_at_once_wait_for_the_same_reading(world: World) -> None:
    key = world.create("alice")
    keys = world.keys()
    world.caller(keys, key)
    world.run(world.store.keys.delete("alice"))
    world.now += REFRESH

    async def together() -> list[Caller | BaseException | None]:
        return await asyncio.gather(*(keys.caller(key) for _ in range(5)), return_exceptions=True)

    assert [type(outcome) for outcome in world.run(together())] == [InvalidApiKey] * 5


def test_while_the_database_does_not_answer_known_keys_are_good(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    key = world.create("alice")
    keys = world.keys()
    world.caller(keys, key)
    world.run(_drop(world.store))
    world.now += REFRESH
    assert world.caller(keys, key).owner == "alice"
    assert caplog.messages[0].startswith("Failed to use the database: ")
    assert caplog.messages[1].startswith("Failed to read the list of API keys: ")
    assert len(caplog.messages) == 2
    world.caller(keys, key)
    assert len(caplog.messages) == 2
    assert key not in caplog.text


async def _drop(store: Store) -> None:
    await store._database.write(lambda c: c.execute(text("DROP TABLE versions")))


def test_limits_are_the_keys_own_or_else_the_settings(world: World) -> None:
    own = world.create("own", requests_per_minute=5)
    plain = world.create("plain")
    keys = world.keys(requests_per_minute=60, tokens_per_minute=1000)
    limits = [caller.meter.limits for key in (own, plain) if (caller := world.caller(keys, key)).meter]
    assert limits == [
        Limits(requests_per_minute=5, tokens_per_minute=1000),
        Limits(requests_per_minute=60, tokens_per_minute=1000),
    ]
    assert world.caller(world.keys(), plain).meter is None


def test_each_key_has_its_own_count_which_outlives_a_reading(world: World) -> None:
    one, other = world.create("one"), world.create("other")
    keys = world.keys(concurrent_streams=1)
    first = world.caller(keys, one)
    world.run(first.begin_stream())
    world.now += REFRESH
    world.run(world.caller(keys, other).begin_stream())
    with pytest.raises(RateLimited):
        world.run(world.caller(keys, one).begin_stream())
    first.end_stream()
    first.end_stream()
    again = world.caller(keys, one)
    world.run(again.begin_stream())
    with pytest.raises(RateLimited):
        world.run(world.caller(keys, one).begin_stream())


def test_callers_without_a_key_share_the_limits(world: World) -> None:
    keys = world.keys(requests_per_minute=1)
    caller = world.caller(keys, None)
    assert caller.owner == LOCAL_OWNER
    world.run(caller.begin_request())
    world.now += REFRESH
    with pytest.raises(RateLimited):
        world.run(world.caller(keys, "other").begin_request())


@pytest.mark.parametrize("name", ["", "two words", "a/b", "-", "é", "x" * 65, "a\nb"])
def test_names_that_are_refused(world: World, name: str) -> None:
    for param, given in (("name", (name, None)), ("owner", (None, name))):
        with pytest.raises(InvalidRequest) as caught:
            world.create(*given)
        assert caught.value.param == param
    assert world.run(world.store.keys.all()) == []


def test_a_name_is_taken_until_its_key_is_revoked(world: World) -> None:
    world.create("alice")
    with pytest.raises(KeyNameTaken):
        world.create("alice")


def test_tokens_of_work_after_a_request_count_for_its_key(world: World) -> None:
    key = world.create("ci", "team", tokens_per_minute=100)
    keys = world.keys()
    world.run(world.caller(keys, key).begin_request())
    spend = keys.spend_of("team", "ci")
    assert spend is not None
    spend(100)
    with pytest.raises(RateLimited, match="tokens per min"):
        world.run(world.caller(keys, key).begin_request())
    assert keys.spend_of("team", "other") is None
    assert keys.spend_of("other", "ci") is None


def test_tokens_of_work_without_a_key_count_for_all_without_one(world: World) -> None:
    keys = world.keys(tokens_per_minute=100)
    spend = keys.spend_of(LOCAL_OWNER, None)
    assert spend is not None
    spend(100)
    caller = keys.without_key()
    assert caller is not None
    with pytest.raises(RateLimited, match="tokens per min"):
        world.run(caller.begin_request())
    assert world.keys().spend_of(LOCAL_OWNER, None) is None
