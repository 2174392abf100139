"""Records of uploaded files, whose content is in a folder."""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, delete, insert, or_, select

from antiphon.store.database import Database
from antiphon.store.errors import FileNotStored
from antiphon.store.paging import page_by_time
from antiphon.store.tables import files
from antiphon.store.vector_stores.rows import Rows, StoredFile
from antiphon.wire.lists import PageQuery

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

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def add(self, owner: str, file: StoredFile) -> None:
        """Store the record of a new file."""
        lifetime = None if file.expires_at is None else file.expires_at - file.created_at
        row = {name: getattr(file, name) for name in file.__struct_fields__}
        row |= {"owner": owner, "deadline": None if lifetime is None else self._clock() + lifetime}
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
        listed = select(*_COLUMNS).where(files.c.owner == owner, _unexpired(self._clock()))
        if purpose is not None:
            listed = listed.where(files.c.purpose == purpose)
        rows, has_more = await self._database.read(
            lambda c: page_by_time(c, listed, (files.c.created_at, files.c.id), query)
        )
        return Rows([StoredFile(**row._asdict()) for row in rows], has_more)

    async def delete(self, owner: str, file_id: str) -> bool:
        """Delete a file's record, also from vector stores; return False if there is none."""
        gone = delete(files).where(files.c.id == file_id, files.c.owner == owner)
        return await self._database.write(lambda c: c.execute(gone).rowcount > 0)

    async def delete_expired(self) -> list[str]:
        """Delete the records of expired files of all owners, and return their IDs."""
        expired = delete(files).where(files.c.deadline < self._clock()).returning(files.c.id)
        return await self._database.write(lambda c: list(c.execute(expired).scalars()))


def _unexpired(now: float) -> ColumnElement[bool]:
    return or_(files.c.deadline.is_(None), files.c.deadline >= now)


def _find(connection: Connection, owner: str, file_ids: Sequence[str], now: float) -> dict[str, StoredFile]:
    chosen = select(*_COLUMNS).where(files.c.owner == owner, files.c.id.in_(file_ids), _unexpired(now))
    return {row.id: StoredFile(**row._asdict()) for row in connection.execute(chosen)}
