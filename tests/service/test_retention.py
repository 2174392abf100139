import asyncio
from pathlib import Path

from antiphon.service.files.folder import FileFolder
from antiphon.service.retention import Retention
from antiphon.store import Store
from tests.store.file_samples import file
from tests.store.samples import ME, converse, respond


def test_a_file_goes_with_its_bytes_and_numbers_are_by_kind(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = await Store.open(":memory:")
        folder = FileFolder.open(str(tmp_path / "files"), 1000)
        for name in ("file-1", "file-2"):
            folder.path_of(name).write_text("content")
        await store.files.add(ME, file("file-1"))
        await store.files.add(ME, file("file-2", at=1e12))
        await respond(store, "resp_1", ["a"], ["b"])
        await converse(store, "conv_1", "c")
        retention = Retention(store, folder, {"responses": 60.0, "files": 60.0})
        assert await retention.count() == {"responses": 1, "files": 1}
        assert folder.path_of("file-1").exists()
        assert await retention.apply() == {"responses": 1, "files": 1}
        assert await retention.apply() == {"responses": 0, "files": 0}
        assert [path.name for path in (tmp_path / "files").iterdir()] == ["file-2"]
        assert await store.conversations.get(ME, "conv_1") is not None
        await store.close()

    asyncio.run(scenario())
