import pytest

from antiphon.store import Store
from antiphon.store.errors import NotLatestVersion, PromptNotFound
from antiphon.store.prompts import StoredPrompt
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME


def prompt(prompt_id: str = "pmpt_1", version: int = 1, *, is_default: bool = True) -> StoredPrompt:
    return StoredPrompt(
        id=prompt_id,
        version=version,
        text=f"Text {version} of {{{{ who }}}}",
        variables=["who"],
        is_default=is_default,
    )


def test_a_prompt_comes_back_as_it_was_stored(store: Store, run: Run) -> None:
    run(store.prompts.create(ME, prompt(), 1.0))
    assert run(store.prompts.get(ME, "pmpt_1")) == prompt()
    assert run(store.prompts.get(ME, "pmpt_1", 1)) == prompt()
    with pytest.raises(PromptNotFound, match="'pmpt_1' and version '2' not found"):
        run(store.prompts.get(ME, "pmpt_1", 2))


def test_versions_follow_one_another(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.prompts.create(ME, prompt(), 1.0)
        await store.prompts.add_version(ME, prompt(version=2))
        await store.prompts.add_version(ME, prompt(version=3, is_default=False))
        assert (await store.prompts.get(ME, "pmpt_1")).version == 2
        versions = await store.prompts.versions(ME, "pmpt_1")
        assert [(each.version, each.is_default) for each in versions] == [(1, False), (2, True), (3, False)]
        with pytest.raises(NotLatestVersion, match=r"Version 2 .* is not the latest one, which is 3"):
            await store.prompts.add_version(ME, prompt(version=3))
        with pytest.raises(NotLatestVersion):
            await store.prompts.add_version(ME, prompt(version=9))
        assert len(await store.prompts.versions(ME, "pmpt_1")) == 3

    run(scenario())


def test_of_two_changes_at_once_one_is_refused(open_store: OpenStore, run: Run) -> None:
    async def scenario() -> None:
        one, other = stores
        await one.prompts.create(ME, prompt(), 1.0)
        await one.prompts.add_version(ME, prompt(version=2))
        with pytest.raises(NotLatestVersion):
            await other.prompts.add_version(ME, prompt(version=2))

    stores = open_store(), open_store()
    run(scenario())


def test_any_version_becomes_the_default(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.prompts.create(ME, prompt(), 1.0)
        await store.prompts.add_version(ME, prompt(version=2))
        await store.prompts.set_default(ME, "pmpt_1", 1)
        assert (await store.prompts.get(ME, "pmpt_1")).version == 1
        with pytest.raises(PromptNotFound):
            await store.prompts.set_default(ME, "pmpt_1", 3)
        with pytest.raises(PromptNotFound):
            await store.prompts.set_default(ME, "pmpt_2", 1)

    run(scenario())


def test_the_list_has_the_default_versions_newest_prompt_first(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for at, name in [(2.0, "pmpt_b"), (1.0, "pmpt_a"), (3.0, "pmpt_c")]:
            await store.prompts.create(ME, prompt(name), at)
        await store.prompts.add_version(ME, prompt("pmpt_b", 2))
        found = await store.prompts.defaults(ME)
        assert [(each.id, each.version) for each in found] == [("pmpt_c", 1), ("pmpt_b", 2), ("pmpt_a", 1)]
        assert all(each.is_default for each in found)

    run(scenario())


def test_another_owners_prompt_is_not_there(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.prompts.create("her", prompt(), 1.0)
        assert await store.prompts.defaults(ME) == []
        assert not await store.prompts.delete(ME, "pmpt_1")
        for attempt in (
            store.prompts.get(ME, "pmpt_1"),
            store.prompts.get(ME, "pmpt_1", 1),
            store.prompts.versions(ME, "pmpt_1"),
            store.prompts.add_version(ME, prompt(version=2)),
            store.prompts.set_default(ME, "pmpt_1", 1),
        ):
            with pytest.raises(PromptNotFound):
                await attempt
        assert await store.prompts.get("her", "pmpt_1") == prompt()

    run(scenario())


def test_a_deleted_prompt_is_gone_with_its_versions(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await store.prompts.create(ME, prompt(), 1.0)
        await store.prompts.add_version(ME, prompt(version=2))
        assert await store.prompts.delete(ME, "pmpt_1")
        assert not await store.prompts.delete(ME, "pmpt_1")
        with pytest.raises(PromptNotFound):
            await store.prompts.get(ME, "pmpt_1", 1)
        await store.prompts.create(ME, prompt(), 2.0)
        assert len(await store.prompts.versions(ME, "pmpt_1")) == 1

    run(scenario())
