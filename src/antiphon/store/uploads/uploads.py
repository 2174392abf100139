"""Records of uploads in parts, whose content is in the folder of files."""

from collections.abc import Callable, Sequence

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from antiphon.store.database import Database
from antiphon.store.errors import ObjectNotFound
from antiphon.store.files import file_row
from antiphon.store.tables import files, metadata
from antiphon.store.vector_stores.rows import StoredFile
from antiphon.wire.files import FilePurpose

_MOST_ENDED = 500
"""Parts of ended uploads that are found at once."""

uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("deadline", Double, nullable=False),  # The expiry by the store's own clock, which is never frozen
    Column("filename", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("file_seconds", Integer),  # The lifetime of the file
    Column("status", Text, nullable=False),  # "pending", "completed" or "cancelled"
)
"""The uploads of all owners."""
Index("uploads_by_deadline", uploads.c.deadline)

upload_parts = Table(
    "upload_parts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("upload_id", Text, ForeignKey("uploads.id", ondelete="CASCADE"), nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""The parts with content in the folder of files."""
Index("upload_parts_by_upload", upload_parts.c.upload_id)


def m025_uploads(connection: Connection) -> None:
    """Add the tables of uploads."""
    metadata.create_all(connection, [uploads, upload_parts])


class StoredUpload(Struct, frozen=True, kw_only=True):
    """An upload in parts."""

    id: str
    """The ID of the upload."""
    created_at: float
    """The time of its creation, in seconds since 1970."""
    expires_at: float
    """The time after which it accepts nothing."""
    filename: str
    """The name of the file."""
    purpose: FilePurpose
    """The purpose of the file."""
    media_type: str
    """The media type of the file."""
    bytes: int
    """The size of the file."""
    file_seconds: int | None
    """The lifetime of the file; None for the default of its purpose."""
    status: str
    """`pending`, `completed` or `cancelled`."""


_COLUMNS = tuple(uploads.c[name] for name in StoredUpload.__struct_fields__)


class UploadRecords:
    """The uploads of all owners."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def add(self, owner: str, new: StoredUpload) -> None:
        """Store a new upload."""
        row = {name: getattr(new, name) for name in new.__struct_fields__}
        deadline = self._clock() + new.expires_at - new.created_at
        await self._database.write(
            lambda c: c.execute(insert(uploads), row | {"owner": owner, "deadline": deadline})
        )

    async def get(self, owner: str, upload_id: str) -> tuple[StoredUpload, bool]:
        """Return an upload, and whether it still accepts parts.

        Raises:
            ObjectNotFound: The owner has no such upload.
        """
        mine = select(*_COLUMNS, _is_open(self._clock()).label("is_open")).where(_is(owner, upload_id))
        row = await self._database.read(lambda c: c.execute(mine).one_or_none())
        if row is None:
            raise ObjectNotFound("Upload", upload_id)
        values = row._asdict()
        is_open = bool(values.pop("is_open"))
        return StoredUpload(**values), is_open

    async def parts(self, upload_id: str) -> dict[str, int]:
        """Return the parts of an upload with their sizes."""
        found = select(upload_parts.c.id, upload_parts.c.bytes).where(upload_parts.c.upload_id == upload_id)
        rows = await self._database.read(lambda c: c.execute(found).all())
        return {row.id: row.bytes for row in rows}

    async def add_part(self, upload: StoredUpload, part_id: str, size: int, most: int) -> bool:
        """Store a part if it fits into the size of an open upload with fewer than `most` parts."""
        chosen = uploads.c.id == upload.id
        lock = select(uploads.c.bytes).where(chosen, _is_open(self._clock())).with_for_update()
        sums = select(func.count(), func.coalesce(func.sum(upload_parts.c.bytes), 0)).where(
            upload_parts.c.upload_id == upload.id
        )

        def run(connection: Connection) -> bool:
            total = connection.execute(lock).scalar()
            count, stored = connection.execute(sums).one()
            if total is None or count >= most or stored + size > total:
                return False
            row = {"id": part_id, "upload_id": upload.id, "bytes": size}
            connection.execute(insert(upload_parts), row)
            return True

        return await self._database.write(run)

    async def complete(self, owner: str, upload_id: str, file: StoredFile) -> bool:
        """Store the file of an open upload and complete it; return False if it isn't open any more."""
        now = self._clock()
        completed = update(uploads).where(_is(owner, upload_id), _is_open(now)).values(status="completed")

        def run(connection: Connection) -> bool:
            if connection.execute(completed).rowcount == 0:
                return False
            connection.execute(insert(files), file_row(owner, file, now))
            return True

        return await self._database.write(run)

    async def cancel(self, owner: str, upload_id: str) -> bool:
        """Cancel an open upload; return False if it isn't open."""
        cancelled = update(uploads).where(_is(owner, upload_id), _is_open(self._clock()))
        changed = cancelled.values(status="cancelled")
        return await self._database.write(lambda c: c.execute(changed).rowcount > 0)

    async def left_parts(self) -> list[str]:
        """Return some parts of uploads that have ended or expired, whose content can be deleted."""
        ended = or_(uploads.c.status != "pending", uploads.c.deadline <= self._clock())
        found = select(upload_parts.c.id).join_from(upload_parts, uploads).where(ended).limit(_MOST_ENDED)
        return list(await self._database.read(lambda c: c.execute(found).scalars().all()))

    async def forget_parts(self, part_ids: Sequence[str]) -> None:
        """Delete the records of parts whose content was deleted."""
        gone = delete(upload_parts).where(upload_parts.c.id.in_(part_ids))
        await self._database.write(lambda c: c.execute(gone))

    async def forget_ended(self, age: float) -> None:
        """Delete the uploads without parts whose time was over so many seconds ago."""
        with_parts = select(upload_parts.c.upload_id).where(upload_parts.c.upload_id == uploads.c.id)
        gone = delete(uploads).where(uploads.c.deadline <= self._clock() - age, ~with_parts.exists())
        await self._database.write(lambda c: c.execute(gone))


def _is(owner: str, upload_id: str) -> ColumnElement[bool]:
    return and_(uploads.c.id == upload_id, uploads.c.owner == owner)


def _is_open(now: float) -> ColumnElement[bool]:
    return and_(uploads.c.status == "pending", uploads.c.deadline > now)
