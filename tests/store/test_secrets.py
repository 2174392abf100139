import asyncio

from antiphon.store import Store
from tests.store.conftest import Run


def test_a_secret_is_made_once_and_kept(url: str, run: Run) -> None:
    async def scenario() -> None:
        store = await Store.open(url)
        assert await store.secrets.find_or_keep("a", "first") == "first"
        assert await store.secrets.find_or_keep("a", "second") == "first"
        assert await store.secrets.find_or_keep("b", "other") == "other"
        await store.close()
        store = await Store.open(url)
        assert await store.secrets.find_or_keep("a", "third") == "first"
        await store.close()

    run(scenario())


def test_servers_that_start_together_have_the_same(url: str, run: Run) -> None:
    async def scenario() -> None:
        stores = [await Store.open(url) for _ in range(4)]
        found = await asyncio.gather(
            *(store.secrets.find_or_keep("a", f"of {number}") for number, store in enumerate(stores))
        )
        assert len(set(found)) == 1
        for store in stores:
            await store.close()

    run(scenario())
