"""Containers of the code interpreter: their files, and runs of code."""

import asyncio
import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.ids import SHORT
from antiphon.service.files.folder import FileFolder, Upload
from antiphon.service.pages import page_of
from antiphon.settings.tools import CodeInterpreterSettings
from antiphon.store import Store
from antiphon.store.containers.containers import Source, StoredContainer, StoredContainerFile
from antiphon.store.errors import ObjectNotFound
from antiphon.tools.sandbox import Sandbox
from antiphon.wire.containers import (
    Container,
    ContainerFile,
    ContainerLifetime,
    CreateContainer,
    DeletedContainer,
    DeletedContainerFile,
)
from antiphon.wire.json import JSONObject
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.tools import AutoContainer, CodeInterpreterTool, MemoryLimit

DATA = "/mnt/data/"
"""The folder of the files, as the code sees it."""
MINUTES = 20
"""Minutes without use after which a container expires, as at api.openai.com."""
MEMORY = {"1g": 1024**3, "4g": 4 * 1024**3, "16g": 16 * 1024**3, "64g": 64 * 1024**3}
_MAX_NAME = 512
_FILE_ID = 16
"""Number of random bytes in the ids of files."""
_EXTRA = (
    "The code interpreter is not installed on this server. The operator can install it with "
    "'pip install antiphon[code]'."
)


class Containers:
    """The use cases of `/v1/containers`, and the runs of the code interpreter.

    Every method raises `NotFound` for an object that doesn't exist or belongs to another owner.

    Args:
        store: The database.
        folder: The folder with the contents of files.
        settings: The limits of containers.
        is_played: Whether recordings answer all runs, which therefore need no sandbox.
    """

    def __init__(
        self,
        store: Store,
        folder: FileFolder,
        settings: CodeInterpreterSettings,
        *,
        is_played: bool = False,
    ) -> None:
        self._is_played = is_played
        self.store = store
        self.records = store.containers
        self.folder = folder
        self.settings = settings

    @cached_property
    def sandbox(self) -> Sandbox:
        """The interpreters of this machine."""
        # Only for the first use: it would lengthen every start.
        from antiphon.tools.code_interpreter.sandboxes.wasi import WasiLimits, WasiSandbox

        settings = self.settings
        limits = WasiLimits(
            disk=settings.max_disk_bytes, interpreters=settings.interpreters, idle=60.0 * MINUTES
        )
        return WasiSandbox(str(self.folder.path.resolve()), limits)

    async def create(self, context: RequestContext, request: CreateContainer) -> Container:
        """Create a container with the files that the request names."""
        self._check(request.memory_limit, request.network_policy, "")
        if request.skills:
            raise _unsupported("skills", "Containers of this server have no skills. Omit the parameter.")
        if not request.name or len(request.name) > _MAX_NAME:
            raise InvalidRequest(
                f"Invalid 'name': expected between 1 and {_MAX_NAME} characters.",
                code="invalid_value",
                param="name",
            )
        minutes = MINUTES if request.expires_after is None else request.expires_after.minutes
        new = StoredContainer(
            id=context.ids("cntr", SHORT),
            created_at=context.clock(),
            last_active_at=context.clock(),
            minutes=minutes,
            name=request.name,
            memory_limit=request.memory_limit or "1g",
        )
        await self.add(context, new, request.file_ids or ())
        return _container(new)

    async def add(self, context: RequestContext, new: StoredContainer, file_ids: Sequence[str]) -> None:
        """Store a new container with copies of uploaded files; without it if that fails."""
        await self.store.files.find(context.owner, file_ids)
        await self.records.create(context.owner, new, self.settings.max_containers)
        try:
            for file_id in file_ids:
                await self.add_copy(context, new.id, file_id)
        except AntiphonError:
            await self.delete(context.owner, new.id)
            raise

    async def get(self, context: RequestContext, container_id: str) -> Container:
        """Return a container, which counts as a use."""
        return _container(await self._used(context, container_id))

    async def page(self, owner: str, query: PageQuery, name: str | None) -> Page[Container]:
        """Return a page of the containers with `name`; None for all names."""
        found = await self.records.page(owner, query, name)
        listed = [_container(stored) for stored in found.rows]
        return page_of(listed, [stored.id for stored in found.rows], has_more=found.has_more)

    async def delete(self, owner: str, container_id: str) -> DeletedContainer:
        """Delete a container with its files and its interpreter."""
        files = await self.records.delete(owner, container_id)
        if files is None:
            raise ObjectNotFound("Container", container_id)
        await self.delete_contents(files)
        if "sandbox" in vars(self):
            await self.sandbox.stop(container_id)
        return DeletedContainer(container_id)

    async def add_upload(
        self, context: RequestContext, container_id: str, upload: Upload, name: str
    ) -> ContainerFile:
        """Add an uploaded file to a container."""
        await self._used(context, container_id)
        path = await self._free_path(container_id, name, upload.size)
        new = await self._keep(context, container_id, upload, (path, "user"))
        return container_file(new)

    async def add_copy(self, context: RequestContext, container_id: str, file_id: str) -> ContainerFile:
        """Add a copy of a file of `/v1/files` to a container."""
        await self._used(context, container_id)
        stored = await self.store.files.get(context.owner, file_id)
        path = await self._free_path(container_id, stored.filename, stored.bytes)
        content = await asyncio.to_thread(self.folder.path_of(file_id).read_bytes)
        async with self.folder.create() as upload:
            await upload.write(content)
            new = await self._keep(context, container_id, upload, (path, "user"))
        return container_file(new)

    async def file_page(
        self, context: RequestContext, container_id: str, query: PageQuery
    ) -> Page[ContainerFile]:
        """Return a page of the files of a container."""
        await self._used(context, container_id)
        found = await self.records.file_page(container_id, query)
        listed = [container_file(stored) for stored in found.rows]
        return page_of(listed, [stored.id for stored in found.rows], has_more=found.has_more)

    async def file(self, context: RequestContext, container_id: str, file_id: str) -> ContainerFile:
        """Return the description of a file."""
        await self._used(context, container_id)
        return container_file(await self.records.file(container_id, file_id))

    async def content(self, context: RequestContext, container_id: str, file_id: str) -> tuple[Path, str]:
        """Return the path of a file's content, and the name of the file."""
        await self._used(context, container_id)
        stored = await self.records.file(container_id, file_id)
        return self.folder.path_of(stored.id), stored.path.rpartition("/")[2]

    async def delete_file(
        self, context: RequestContext, container_id: str, file_id: str
    ) -> DeletedContainerFile:
        """Delete a file of a container."""
        await self._used(context, container_id)
        if not await self.records.delete_file(container_id, file_id):
            raise ObjectNotFound("Container file", file_id)
        await self.delete_contents([file_id])
        return DeletedContainerFile(file_id)

    async def delete_expired(self) -> None:
        """Delete the expired containers of all owners."""
        while (files := await self.records.delete_expired()) is not None:
            await self.delete_contents(files)

    async def close(self) -> None:
        """Stop the interpreters."""
        if "sandbox" in vars(self):
            await self.sandbox.close()

    def check_tool(self, tool: CodeInterpreterTool, param: str) -> None:
        """Check the container of a tool, without looking it up.

        Raises:
            InvalidRequest: The sandbox isn't installed, or the container cannot be made like this.
        """
        from antiphon.tools.code_interpreter.sandboxes.wasi import library_folder

        if not self._is_played and library_folder() is None:
            raise InvalidRequest(_EXTRA, code="unsupported_tool", param=param)
        if isinstance(tool.container, AutoContainer):
            auto = tool.container
            self._check(auto.memory_limit or None, auto.network_policy or None, f"{param}.container.")

    async def _keep(
        self, context: RequestContext, container_id: str, upload: Upload, place: tuple[str, Source]
    ) -> StoredContainerFile:
        file_id = context.ids("cfile", _FILE_ID)
        await upload.keep(file_id)
        content = await asyncio.to_thread(self.folder.path_of(file_id).read_bytes)
        new = new_file(context, container_id, file_id, content, place)
        await self.delete_contents(await self.records.put_files(container_id, [new], ()))
        return new

    async def _used(self, context: RequestContext, container_id: str) -> StoredContainer:
        stored = await self.records.get(context.owner, container_id)
        await self.records.touch(container_id, context.clock())
        return stored

    async def _free_path(self, container_id: str, name: str, size: int) -> str:
        """Return a path for a new file that has room in a container.

        Raises:
            InvalidRequest: The name is invalid, or the files would be too large.
        """
        files = await self.records.files(container_id)
        if name in (".", "..") or "/" in name:
            raise InvalidRequest("Invalid 'file': the name is not valid.", code="invalid_value", param="file")
        if size + sum(file.bytes for file in files) > self.settings.max_disk_bytes:
            raise InvalidRequest(
                f"The files of the container would be larger than {self.settings.max_disk_bytes} bytes. "
                "Delete some of them, or use a smaller file.",
                code="container_full",
                param="file",
            )
        taken = {file.path for file in files}
        number, path = 1, name
        while path in taken:
            number += 1
            path = f"{number}-{name}"
        return path

    async def delete_contents(self, files: Sequence[str]) -> None:
        """Delete the contents of files whose records are gone."""
        for file_id in files:
            await self.folder.delete(file_id)

    def _check(self, memory: MemoryLimit | None, policy: JSONObject | None, where: str) -> None:
        if memory is not None and memory != "1g" and MEMORY[memory] > self.settings.max_memory_bytes:
            raise _unsupported(
                f"{where}memory_limit",
                f"Containers of this server have at most {self.settings.max_memory_bytes} bytes of memory "
                "(setting tools.code_interpreter.max_memory_bytes). Use a smaller limit.",
            )
        if policy is not None and policy.get("type") != "disabled":
            raise _unsupported(
                f"{where}network_policy",
                "Containers of this server have no network. Use the type 'disabled', or omit the parameter.",
            )


def new_file(
    context: RequestContext, container_id: str, file_id: str, content: bytes, place: tuple[str, Source]
) -> StoredContainerFile:
    """Return the record of a file with this content; `place` is its path and its source."""
    path, source = place
    return StoredContainerFile(
        id=file_id,
        container_id=container_id,
        created_at=context.clock(),
        bytes=len(content),
        path=path,
        source=source,
        digest=hashlib.sha256(content).hexdigest(),
    )


def _container(stored: StoredContainer) -> Container:
    return Container(
        id=stored.id,
        created_at=int(stored.created_at),
        expires_after=ContainerLifetime(anchor="last_active_at", minutes=stored.minutes),
        last_active_at=int(stored.last_active_at),
        memory_limit=stored.memory_limit,
        name=stored.name,
        network_policy={"type": "disabled"},
    )


def container_file(stored: StoredContainerFile) -> ContainerFile:
    """Return a file as the API describes it."""
    return ContainerFile(
        id=stored.id,
        created_at=int(stored.created_at),
        bytes=stored.bytes,
        container_id=stored.container_id,
        path=DATA + stored.path,
        source=stored.source,
    )


def _unsupported(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, code="unsupported_value", param=param)
