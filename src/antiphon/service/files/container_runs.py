"""Runs of the code interpreter in the containers of one owner."""

import asyncio
import hashlib

from msgspec import UNSET

from antiphon.engine.request_context import RequestContext
from antiphon.errors import NotFound
from antiphon.service.files.containers import (
    MEMORY,
    MINUTES,
    Containers,
    container_file,
    new_file,
)
from antiphon.store.containers.containers import StoredContainer, StoredContainerFile
from antiphon.tools.sandbox import Job, Outcome
from antiphon.wire.containers import ContainerFile
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool

_FILE_ID = 16
"""Number of random bytes in the ids of files."""


class RequestContainers:
    """The containers of one owner, for the code interpreter in one request."""

    def __init__(self, containers: Containers, context: RequestContext) -> None:
        self._containers = containers
        self._context = context
        self._records = containers.records

    async def check(self, tool: CodeInterpreterTool, param: str) -> None:
        """Check that the container of a tool, and its files, can be used."""
        self._containers.check_tool(tool, param)
        if isinstance(tool.container, str):
            await self._records.get(self._context.owner, tool.container)
        elif tool.container.file_ids:
            await self._containers.store.files.find(self._context.owner, tool.container.file_ids)

    async def is_active(self, container_id: str) -> bool:
        """Return whether a container exists and hasn't expired."""
        try:
            await self._records.get(self._context.owner, container_id)
        except NotFound:
            return False
        return True

    async def use(self, container_id: str, auto: AutoContainer | None) -> None:
        """Note a run of a container; make it first if it doesn't exist and may be made."""
        now = self._context.clock()
        if auto is not None and await self._is_missing(container_id):
            new = StoredContainer(
                id=container_id,
                created_at=now,
                last_active_at=now,
                minutes=MINUTES,
                name="auto",
                memory_limit=auto.memory_limit or "1g",
            )
            given = None if auto.file_ids is UNSET else auto.file_ids
            await self._containers.add(self._context, new, given or ())
        await self._records.get(self._context.owner, container_id)
        await self._records.touch(container_id, now, runs=1)

    async def _is_missing(self, container_id: str) -> bool:
        """Return whether a container of this request is to be made."""
        try:
            found = await self._records.get(self._context.owner, container_id)
        except NotFound:
            return True
        if found.runs:
            return False
        # A server stopped while it made the container, which can lack files.
        await self._containers.delete(self._context.owner, container_id)
        return True

    async def run(self, container_id: str, code: str) -> Outcome:
        """Run code in a container."""
        sandbox = self._containers.sandbox
        container = await self._records.get(self._context.owner, container_id)
        stored = {file.path: file for file in await self._records.files(container_id)}
        held = await sandbox.files(container_id)
        put = {
            path: await asyncio.to_thread(self._containers.folder.path_of(file.id).read_bytes)
            for path, file in stored.items()
            if held is None or held.get(path) != file.digest
        }
        job = self._job(container, code)
        job.put = put
        job.remove = [path for path in held or () if path not in stored]
        outcome = await sandbox.run(container_id, job)
        if held is None and container.runs > 1:
            outcome.logs = "[The interpreter is new: variables of earlier calls are lost.]\n" + outcome.logs
        return outcome

    async def keep(self, container_id: str, call_id: str, outcome: Outcome) -> list[ContainerFile]:
        """Store the files and charts of a run, and return them."""
        return [container_file(each) for each in await self._keep(container_id, call_id, outcome)]

    def _job(self, container: StoredContainer, code: str) -> Job:
        """Return a run with the limits of a container."""
        memory = min(MEMORY[container.memory_limit], self._containers.settings.max_memory_bytes)
        return Job(
            code=code,
            memory=memory,
            seconds=self._containers.settings.timeout,
            output=self._containers.settings.max_bytes,
        )

    async def _keep(self, container_id: str, call_id: str, outcome: Outcome) -> list[StoredContainerFile]:
        """Store the files and the charts of a run.

        A later execution of a background response stores them again. So their IDs follow from the call, and
        no ID after them depends on what is stored already.
        """
        known = {file.path: file.id for file in await self._records.files(container_id)}
        contents = dict(outcome.files)
        for number, image in enumerate(outcome.images):
            name = _file_id(container_id, call_id, "image", str(number))
            known[f"{name}.png"] = name
            contents[f"{name}.png"] = image
        new: list[StoredContainerFile] = []
        for path, content in contents.items():
            file_id = known.get(path) or _file_id(container_id, call_id, "file", path)
            async with self._containers.folder.create() as upload:
                await upload.write(content)
                await upload.keep(file_id)
            new.append(new_file(self._context, container_id, file_id, content, (path, "assistant")))
        if new or outcome.removed:
            gone = await self._records.put_files(container_id, new, outcome.removed)
            await self._containers.delete_contents(gone)
        return new


def _file_id(*parts: str) -> str:
    """Return the ID of a file that a call has written."""
    digest = hashlib.sha256("\n".join(parts).encode(errors="surrogatepass"))
    return f"cfile_{digest.hexdigest()[: 2 * _FILE_ID]}"
