"""Records of uploaded files, whose content is in a folder."""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from antiphon.store.database import Database
from antiphon.store.deletions.queue import remove_later, remove_or_queue
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.deletions.slices import write_in_slices
from antiphon.store.errors import FileNotStored
from antiphon.store.paging import Rows, page_by_time
from antiphon.store.tables import files, vector_store_files
from antiphon.store.vector_stores.removal import detach_some, remove_file
from antiphon.store.vector_stores.rows import StoredFile
from antiphon.wire.lists import PageQuery

_MOST_EXPIRED = 500
"""The most expired files to delete per call."""
_COLUMNS = (
    files.c.id,
    files.c.created_at,
    files.c.expires_at,
    files.c.purpose,
    files.c.filename,
    files.c.media_type,
    files.c.bytes,
)


class FileRecords:
    """The files of all owners; expired ones are hidden even before their deletion."""

    def __init__(self, database: Database, deletions: DeletionRecords, clock: Callable[[], float]) -> None:
        self._database = database
        self._deletions = deletions
        self._clock = clock

    async def add(self, owner: str, file: StoredFile) -> None:
        """Store the record of a new file."""
        row = file_row(owner, file, self._clock())
        await self._database.write(lambda c: c.execute(insert(files), row))

    async def get(self, owner: str, file_id: str) -> StoredFile:
        """Return a file.

        Raises:
            FileNotStored: It doesn't exist, has expired, or has another owner.
        """
        return (await self.find(owner, [file_id]))[file_id]

    async def find(self, owner: str, file_ids: Sequence[str]) -> dict[str, StoredFile]:
        """Return several files by ID.

        Raises:
            FileNotStored: One of them doesn't exist, has expired, or has another owner.
        """
        now = self._clock()
        found = await self._database.read(lambda c: _find(c, owner, file_ids, now))
        for file_id in file_ids:
            if file_id not in found:
                raise FileNotStored(file_id)
        return found

    async def page(self, owner: str, query: PageQuery, *, purpose: str | None = None) -> Rows[StoredFile]:
        """Return a page of the owner's files, optionally with one purpose.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        listed = select(*_COLUMNS).where(files.c.owner == owner, _is_visible(self._clock()))
        if purpose is not None:
            listed = listed.where(files.c.purpose == purpose)
        rows, has_more = await self._database.read(
            lambda c: page_by_time(c, listed, (files.c.created_at, files.c.id), query)
        )
        return Rows([StoredFile(**row._asdict()) for row in rows], has_more)

    async def delete(self, owner: str, file_id: str) -> bool:
        """Delete a file's record, also from vector stores; return False if there is none.

        It is hidden at once; if it has many chunks, they are removed later.
        """
        return await self._delete(file_id, files.c.owner == owner)

    async def delete_expired(self) -> list[str]:
        """Delete the records of some expired files of all owners, and return their IDs, if any are left."""
        now = self._clock()
        expired = files.c.deadline < now
        some = select(files.c.id).where(expired, files.c.deleted_at.is_(None)).limit(_MOST_EXPIRED)
        found = await self._database.read(lambda c: c.execute(some).scalars().all())
        return [file_id for file_id in found if await self._delete(file_id, expired)]

    async def _delete(self, file_id: str, condition: ColumnElement[bool]) -> bool:
        found, attached = await self._database.write(
            lambda c: hide_file(c, file_id, condition, self._clock())
        )
        if attached:
            await write_in_slices(self._database, lambda c: _detach_some(c, file_id))
        if found:
            self._deletions.notify()
        return found


def file_row(owner: str, file: StoredFile, now: float) -> dict[str, str | float | None]:
    """Return the row of a new file; `now` is the time by the store's clock."""
    lifetime = None if file.expires_at is None else file.expires_at - file.created_at
    row = {name: getattr(file, name) for name in file.__struct_fields__}
    return row | {"owner": owner, "deadline": None if lifetime is None else now + lifetime}


def hide_file(
    connection: Connection, file_id: str, condition: ColumnElement[bool], now: float
) -> tuple[bool, bool]:
    """Hide a file that meets a condition, and remove or queue it.

    Returns:
        Whether there is such a file, and whether vector stores still show it.
    """
    chosen = (files.c.id == file_id) & condition & files.c.deleted_at.is_(None)
    hidden = update(files).where(chosen).values(deleted_at=now)
    if connection.execute(hidden).rowcount == 0:
        return False, False
    if _detach_some(connection, file_id):
        remove_later(connection, "file", file_id)
        return True, True
    remove_or_queue(connection, "file", file_id, remove_file)
    return True, False


def _detach_some(connection: Connection, file_id: str) -> bool:
    return detach_some(connection, vector_store_files.c.file_id == file_id)[1]


def _is_visible(now: float) -> ColumnElement[bool]:
    return files.c.deleted_at.is_(None) & or_(files.c.deadline.is_(None), files.c.deadline >= now)


def _find(connection: Connection, owner: str, file_ids: Sequence[str], now: float) -> dict[str, StoredFile]:
    chosen = select(*_COLUMNS).where(files.c.owner == owner, files.c.id.in_(file_ids), _is_visible(now))
    return {row.id: StoredFile(**row._asdict()) for row in connection.execute(chosen)}
