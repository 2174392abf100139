"""Databases for the commands of `antiphon db`."""

import asyncio
from collections.abc import Awaitable, Callable

from antiphon.service.files.folder import FileFolder
from antiphon.store import Store
from tests.store.file_samples import file
from tests.store.samples import ME, respond

DATABASE = "state.db"


def fill(work: Callable[[Store], Awaitable[None]], database: str = DATABASE) -> None:
    """Open a database, fill it, and close it."""

    async def run() -> None:
        store = await Store.open(database)
        await work(store)
        await store.close()

    asyncio.run(run())


async def some(store: Store) -> None:
    """Store two old responses and an old file with its bytes."""
    await respond(store, "resp_1", ["a"], ["b"])
    await respond(store, "resp_2", ["c"], ["d"], previous="resp_1")
    await store.files.add(ME, file("file-1"))
    FileFolder.open(f"{DATABASE}.files", 1000).path_of("file-1").write_bytes(b"0123456789")
