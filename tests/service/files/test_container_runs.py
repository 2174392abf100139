import asyncio
from pathlib import Path

import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.service.files.container_runs import RequestContainers
from antiphon.service.files.containers import Containers
from antiphon.service.files.folder import FileFolder
from antiphon.settings.tools import CodeInterpreterSettings
from antiphon.store import Store
from antiphon.wire.containers import ContainerFile
from antiphon.wire.tools import AutoContainer
from tests.durable.crashing import Crash
from tests.store.file_samples import file
from tests.store.samples import ME

FILES = ["file-1", "file-2"]
AUTO = AutoContainer(file_ids=FILES)


def test_a_container_that_a_crash_left_without_files_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> set[str]:
        store = await Store.open(":memory:")
        folder = FileFolder.open(str(tmp_path), 1000)
        try:
            for name in FILES:
                await store.files.add(ME, file(name))
                folder.path_of(name).write_text(name)
            containers = Containers(store, folder, CodeInterpreterSettings())
            context = RequestContext(owner=ME)
            await crash_after_one_copy(containers, context)
            use = RequestContainers(containers, context)
            for _ in range(2):
                await use.use("cntr_1", AUTO)
                found = await store.containers.files("cntr_1")
                assert [each.path for each in found] == ["file-1.txt", "file-2.txt"]
            assert (await store.containers.get(ME, "cntr_1")).runs == 2
            return {each.id for each in found}
        finally:
            await store.close()

    async def crash_after_one_copy(containers: Containers, context: RequestContext) -> None:
        copied = containers.add_copy

        async def crash(context: RequestContext, container_id: str, file_id: str) -> ContainerFile:
            if file_id == "file-2":
                raise Crash
            return await copied(context, container_id, file_id)

        with monkeypatch.context() as patched:
            patched.setattr(containers, "add_copy", crash)
            with pytest.raises(Crash):
                await RequestContainers(containers, context).use("cntr_1", AUTO)

    kept = asyncio.run(scenario())
    assert {path.name for path in tmp_path.iterdir()} == kept | {*FILES}, "no content is left over"
