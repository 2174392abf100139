"""Files in vector stores, alone and in batches, without checks of the owner."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, func, insert, select, text, update

from antiphon.ids import new_id
from antiphon.store.database import Database
from antiphon.store.deletions.queue import remove_or_queue
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.errors import AttachedFileNotFound, FileBatchNotFound, FileNotStored, ObjectNotFound
from antiphon.store.paging import Rows, page_by_time
from antiphon.store.tables import (
    file_batches,
    files,
    is_attached,
    is_being_read,
    vector_store_files,
    vector_stores,
)
from antiphon.store.vector_stores.counters import file_counts
from antiphon.store.vector_stores.removal import detach_some, remove_detached_files
from antiphon.store.vector_stores.rows import (
    AttachedFile,
    Attachment,
    NamedFile,
    NewBatch,
    StoredBatch,
    Unread,
)
from antiphon.wire.lists import PageQuery
from antiphon.wire.vector_stores import FileStatus

_COLUMNS = tuple(vector_store_files.c[name] for name in AttachedFile.__struct_fields__)
_KEY = ("vector_store_id", "file_id")
_NAMES = [column.name for column in vector_store_files.c]
# A file that is attached again keeps its old chunks until it is read, because they may be very many.
_ATTACH = text(
    f"INSERT INTO vector_store_files ({', '.join(_NAMES)}) VALUES (:{', :'.join(_NAMES)}) "  # noqa: S608
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in _KEY)
)
_LOST = {
    "status": "failed",
    "error_code": "server_error",
    "error_message": "The server stopped before the file was read. Please attach it again.",
}


class AttachmentRecords:
    """The files in all vector stores."""

    def __init__(self, database: Database, deletions: DeletionRecords, server_id: str) -> None:
        self._database = database
        self._deletions = deletions
        self._server_id = server_id

    async def attach(
        self, vector_store_id: str, given: Sequence[Attachment], batch: NewBatch | None = None
    ) -> list[AttachedFile]:
        """Attach files with the status `in_progress`, optionally as a batch.

        Files that are already attached start again.

        Raises:
            ObjectNotFound: The store was deleted in the meantime.
            FileNotStored: A file was deleted in the meantime.
        """
        attached = [
            AttachedFile(
                **{name: getattr(each, name) for name in each.__struct_fields__},
                vector_store_id=vector_store_id,
                batch_id=batch.id if batch else None,
                status="in_progress",
                attempt=new_id("attempt", 8),
                usage_bytes=0,
                error_code=None,
                error_message=None,
            )
            for each in given
        ]
        await self._database.write(lambda c: _attach(c, vector_store_id, attached, batch, self._server_id))
        return attached

    async def get(self, vector_store_id: str, file_id: str) -> AttachedFile:
        """Return a file of a vector store.

        Raises:
            AttachedFileNotFound: The file isn't in the vector store.
        """
        found = await self._database.read(lambda c: _files(c, _is(vector_store_id, file_id)))
        if not found:
            raise AttachedFileNotFound(file_id, vector_store_id)
        return found[0]

    async def named(
        self, vector_store_ids: Sequence[str], file_ids: Collection[str] | None = None
    ) -> list[NamedFile]:
        """Return the completed files of these vector stores, optionally only some files."""
        return await self._database.read(lambda c: _named(c, vector_store_ids, file_ids))

    async def is_wanted(self, file: AttachedFile) -> bool:
        """Return whether the file must still be read.

        It must not once it is cancelled, detached or attached again.
        """
        where = _is(file.vector_store_id, file.file_id) & is_being_read
        found = await self._database.read(lambda c: _files(c, where))
        return [each.attempt for each in found] == [file.attempt]

    async def page(
        self,
        vector_store_id: str,
        query: PageQuery,
        *,
        status: FileStatus | None = None,
        batch_id: str | None = None,
    ) -> Rows[AttachedFile]:
        """Return a page of a store's files, optionally with one status or of one batch.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        listed = select(*_COLUMNS).where(vector_store_files.c.vector_store_id == vector_store_id, is_attached)
        if status is not None:
            listed = listed.where(vector_store_files.c.status == status)
        if batch_id is not None:
            listed = listed.where(vector_store_files.c.batch_id == batch_id)
        key = (vector_store_files.c.created_at, vector_store_files.c.file_id)
        rows, has_more = await self._database.read(lambda c: page_by_time(c, listed, key, query))
        return Rows([AttachedFile(**row._asdict()) for row in rows], has_more)

    async def set_attributes(self, vector_store_id: str, file_id: str, attributes: str) -> None:
        """Replace the attributes, given as JSON text.

        Raises:
            AttachedFileNotFound: The file isn't in the vector store.
        """
        changed = (
            update(vector_store_files).where(_is(vector_store_id, file_id)).values(attributes=attributes)
        )
        if await self._database.write(lambda c: c.execute(changed).rowcount) == 0:
            raise AttachedFileNotFound(file_id, vector_store_id)

    async def detach(self, vector_store_id: str, file_id: str) -> bool:
        """Remove the file from the vector store; return False if it does not contain the file.

        The file is hidden at once; if it has many chunks, they are removed later.
        """
        found = await self._database.write(lambda c: _detach(c, vector_store_id, file_id))
        if found:
            self._deletions.notify()
        return found

    async def finish(self, file: AttachedFile, outcome: int | Unread) -> None:
        """Store the outcome of reading a file: the size of its text in bytes, or an error.

        The outcome is dropped if the file was cancelled, detached or attached again in the meantime.
        """
        if isinstance(outcome, int):
            values = {"status": "completed", "usage_bytes": outcome}
        else:
            values = {"status": "failed", "error_code": outcome.code, "error_message": outcome.message}
        ended = (
            update(vector_store_files)
            .where(_is(file.vector_store_id, file.file_id))
            .where(vector_store_files.c.attempt == file.attempt)
            .where(is_being_read)
            .values(values)
        )
        await self._database.write(lambda c: c.execute(ended))

    async def get_batch(self, vector_store_id: str, batch_id: str) -> StoredBatch:
        """Return a batch with its current state.

        Raises:
            FileBatchNotFound: The vector store has no such batch.
        """
        return await self._database.read(lambda c: _get_batch(c, vector_store_id, batch_id))

    async def cancel_batch(self, vector_store_id: str, batch_id: str) -> list[str]:
        """Cancel the files of a batch that are in progress, and return their IDs.

        A batch without such files stays unchanged.

        Raises:
            FileBatchNotFound: The vector store has no such batch.
        """
        return await self._database.write(lambda c: _cancel_batch(c, vector_store_id, batch_id))


def fail_lost(connection: Connection, of_servers: ColumnElement[bool]) -> None:
    """Fail the files that stopped servers were reading. See `liveness`."""
    connection.execute(update(vector_store_files).where(is_being_read, of_servers).values(_LOST))


def _attach(
    connection: Connection,
    vector_store_id: str,
    attached: Sequence[AttachedFile],
    batch: NewBatch | None,
    server_id: str,
) -> None:
    chosen = (vector_stores.c.id == vector_store_id) & vector_stores.c.deleted_at.is_(None)
    if (
        connection.execute(select(vector_stores.c.id).where(chosen).with_for_update(read=True)).first()
        is None
    ):
        raise ObjectNotFound("Vector store", vector_store_id)
    _require_files(connection, [each.file_id for each in attached])
    if batch is not None:
        row = {"id": batch.id, "created_at": batch.created_at, "vector_store_id": vector_store_id}
        connection.execute(insert(file_batches), row | {"cancelled": False})
    rows = [
        {name: getattr(each, name) for name in each.__struct_fields__} | {"server_id": server_id}
        for each in attached
    ]
    connection.execute(_ATTACH, rows)


def _require_files(connection: Connection, file_ids: Sequence[str]) -> None:
    wanted = select(files.c.id).where(files.c.id.in_(file_ids), files.c.deleted_at.is_(None))
    found = set(connection.execute(wanted.with_for_update(read=True)).scalars())
    for file_id in file_ids:
        if file_id not in found:
            raise FileNotStored(file_id)


def _detach(connection: Connection, vector_store_id: str, file_id: str) -> bool:
    if not detach_some(connection, _is(vector_store_id, file_id))[0]:
        return False
    remove_or_queue(connection, "detached_files", vector_store_id, remove_detached_files)
    return True


def _is(vector_store_id: str, file_id: str) -> ColumnElement[bool]:
    return (
        (vector_store_files.c.vector_store_id == vector_store_id)
        & (vector_store_files.c.file_id == file_id)
        & is_attached
    )


def _files(connection: Connection, where: ColumnElement[bool]) -> list[AttachedFile]:
    rows = connection.execute(select(*_COLUMNS).where(where)).all()
    return [AttachedFile(**row._asdict()) for row in rows]


def _named(
    connection: Connection, vector_store_ids: Sequence[str], file_ids: Collection[str] | None
) -> list[NamedFile]:
    chosen = (
        select(
            vector_store_files.c.vector_store_id,
            vector_store_files.c.file_id,
            files.c.filename,
            vector_store_files.c.attributes,
        )
        .join(files, files.c.id == vector_store_files.c.file_id)
        .where(vector_store_files.c.vector_store_id.in_(vector_store_ids))
        .where(vector_store_files.c.status == "completed")
    )
    if file_ids is not None:
        chosen = chosen.where(vector_store_files.c.file_id.in_(file_ids))
    return [NamedFile(**row._asdict()) for row in connection.execute(chosen)]


def _get_batch(connection: Connection, vector_store_id: str, batch_id: str) -> StoredBatch:
    row = connection.execute(
        select(file_batches).where(
            file_batches.c.id == batch_id, file_batches.c.vector_store_id == vector_store_id
        )
    ).one_or_none()
    if row is None:
        raise FileBatchNotFound(batch_id, vector_store_id)
    status = vector_store_files.c.status
    counted = (
        select(status, func.count().label("number"))
        .where(vector_store_files.c.batch_id == batch_id)
        .group_by(status)
    )
    by_status = {found.status: found.number for found in connection.execute(counted)}
    return StoredBatch(**row._asdict(), counts=file_counts(by_status))


def _cancel_batch(connection: Connection, vector_store_id: str, batch_id: str) -> list[str]:
    _get_batch(connection, vector_store_id, batch_id)
    cancelled = connection.execute(
        update(vector_store_files)
        .where(vector_store_files.c.batch_id == batch_id, is_being_read)
        .values(status="cancelled")
        .returning(vector_store_files.c.file_id)
    )
    ids = list(cancelled.scalars())
    if ids:
        connection.execute(update(file_batches).where(file_batches.c.id == batch_id).values(cancelled=True))
    return ids
