"""Uploaded files."""

import asyncio
from pathlib import Path

from msgspec import Struct

from antiphon.engine.request_context import Ids, RequestContext
from antiphon.errors import InvalidRequest, StoreUnavailable
from antiphon.ids import SHORT
from antiphon.service.files.folder import FileFolder, Upload
from antiphon.service.pages import page_of
from antiphon.store import Store
from antiphon.store.errors import FileNotStored
from antiphon.store.vector_stores.rows import StoredFile
from antiphon.wire.files import DeletedFile, File, FilePurpose
from antiphon.wire.lists import Page, PageQuery

_MAX_FILENAME = 255
_BATCH_LIFETIME = 30 * 86_400
"""Default lifetime of files with the purpose `batch`, in seconds.

OpenAI's default: https://platform.openai.com/docs/api-reference/files/create
"""


class FileDetails(Struct, frozen=True, kw_only=True):
    """The fields of an upload besides its content."""

    filename: str
    """Name of the file on the client's machine."""
    media_type: str | None
    """Media type in the upload; None if it has none."""
    purpose: FilePurpose
    """Intended use of the file."""
    expires_after: int | None
    """Lifetime in seconds; None for the default of the purpose."""


class Files:
    """The use cases of `/v1/files`.

    Every method raises `NotFound` for an object that doesn't exist or belongs to another owner.
    """

    def __init__(self, store: Store, folder: FileFolder) -> None:
        self._store = store
        self.folder = folder

    async def create(self, context: RequestContext, upload: Upload, details: FileDetails) -> File:
        """Store a complete upload."""
        stored = new_file(context, details, upload.size)
        await upload.keep(stored.id)
        try:
            await self._store.files.add(context.owner, stored)
        except StoreUnavailable:
            await self.folder.delete(stored.id)
            raise
        return shown_file(stored)

    async def get(self, owner: str, file_id: str) -> File:
        """Return the description of a file."""
        return shown_file(await self._store.files.get(owner, file_id))

    async def page(self, owner: str, query: PageQuery, purpose: str | None) -> Page[File]:
        """Return a page of the files with `purpose`; None for all purposes."""
        found = await self._store.files.page(owner, query, purpose=purpose)
        files = [shown_file(stored) for stored in found.rows]
        return page_of(files, [stored.id for stored in found.rows], has_more=found.has_more)

    async def content(self, owner: str, file_id: str) -> tuple[Path, str]:
        """Return the path of a file's content, and the name of the file.

        Raises:
            NotFound: The owner has no such file.
            StoreUnavailable: The content is missing from the folder of files.
        """
        stored = await self._store.files.get(owner, file_id)
        path = self.folder.path_of(stored.id)
        if not await asyncio.to_thread(path.is_file):
            raise StoreUnavailable(
                f"The content of the file '{file_id}' is missing from the folder of files. Upload it again."
            )
        return path, stored.filename

    async def delete(self, owner: str, file_id: str) -> DeletedFile:
        """Delete a file, and remove it from all vector stores."""
        if not await self._store.files.delete(owner, file_id):
            raise FileNotStored(file_id)
        await self.folder.delete(file_id)
        return DeletedFile(file_id)

    async def delete_expired(self) -> None:
        """Delete the expired files of all owners."""
        while deleted := await self._store.files.delete_expired():
            for file_id in deleted:
                await self.folder.delete(file_id)


def new_file(context: RequestContext, details: FileDetails, size: int) -> StoredFile:
    """Return the record of a new file of `size` bytes."""
    now, lifetime = context.clock(), details.expires_after
    if lifetime is None and details.purpose == "batch":
        lifetime = _BATCH_LIFETIME
    return StoredFile(
        id=_file_id(context.ids),
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
        purpose=details.purpose,
        filename=details.filename,
        media_type=details.media_type,
        bytes=size,
    )


def display_name(given: str, param: str) -> str:
    """Return the last part of a client's path without control characters, for display only.

    Raises:
        InvalidRequest: Nothing remains of the path, or too much.
    """
    name = "".join(each for each in given.replace("\\", "/").rpartition("/")[2] if each.isprintable())
    if not name or len(name) > _MAX_FILENAME:
        raise InvalidRequest(
            f"Invalid '{param}': the file's name must have between 1 and {_MAX_FILENAME} characters.",
            code="invalid_value",
            param=param,
        )
    return name


def _file_id(ids: Ids) -> str:
    """Return a new id with a hyphen, like OpenAI's; citation markers rely on it."""
    return ids("file", SHORT).replace("_", "-", 1)


def shown_file(stored: StoredFile) -> File:
    """Return a file as clients receive it."""
    return File(
        id=stored.id,
        bytes=stored.bytes,
        created_at=int(stored.created_at),
        expires_at=None if stored.expires_at is None else int(stored.expires_at),
        filename=stored.filename,
        purpose=stored.purpose,
    )
