"""Vector stores and their expiry."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, bindparam, insert, select, update

from antiphon.store.database import Database
from antiphon.store.deletions.queue import remove_later, remove_or_queue
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.deletions.slices import write_in_slices
from antiphon.store.errors import ObjectNotFound
from antiphon.store.paging import Rows, page_by_time
from antiphon.store.tables import vector_store_files, vector_stores
from antiphon.store.vector_stores.counters import STATUSES, file_counts
from antiphon.store.vector_stores.removal import detach_some, remove_vector_store
from antiphon.store.vector_stores.rows import NewVectorStore, StoredVectorStore
from antiphon.wire.lists import PageQuery

DAY = 86_400.0
"""Seconds in a day."""
_STALE = 60.0
"""Age in seconds at which the time of the last use is updated, to save writes."""

_COLUMNS = (
    vector_stores.c.id,
    vector_stores.c.created_at,
    vector_stores.c.name,
    vector_stores.c.metadata,
    vector_stores.c.expires_after_days,
    vector_stores.c.embedding_model,
    vector_stores.c.embedding_dimension,
    vector_stores.c.last_active_at,
    vector_stores.c.used_at,
    vector_stores.c.usage_bytes,
)
_COUNTS = tuple(vector_stores.c[name] for name in STATUSES)
_USED = (
    update(vector_stores)
    .where(vector_stores.c.id.in_(bindparam("ids", expanding=True)))
    .where(vector_stores.c.used_at < bindparam("now") - _STALE)
    .values(
        # The API's clock may be frozen, so its time advances from its own last value.
        last_active_at=vector_stores.c.last_active_at + bindparam("now") - vector_stores.c.used_at,
        used_at=bindparam("now"),
    )
)
# A store lives for a day at least. The first condition is there for the index.
_IS_EXPIRED = and_(
    vector_stores.c.used_at < bindparam("now") - DAY,
    vector_stores.c.expires_after_days.is_not(None),
    vector_stores.c.used_at + vector_stores.c.expires_after_days * DAY < bindparam("now"),
)


class VectorStoreRecords:
    """The vector stores of all owners."""

    def __init__(self, database: Database, deletions: DeletionRecords, clock: Callable[[], float]) -> None:
        self._database = database
        self._deletions = deletions
        self._clock = clock

    async def create(self, owner: str, new: NewVectorStore) -> None:
        """Store a new vector store without files."""
        row = {name: getattr(new, name) for name in new.__struct_fields__}
        row |= {"owner": owner, "last_active_at": new.created_at, "used_at": self._clock()}
        await self._database.write(lambda c: c.execute(insert(vector_stores), row))

    async def get(self, owner: str, vector_store_id: str) -> StoredVectorStore:
        """Return a vector store.

        Raises:
            ObjectNotFound: It doesn't exist, or has another owner.
        """
        return (await self.find(owner, [vector_store_id]))[0]

    async def find(self, owner: str, ids: Sequence[str]) -> list[StoredVectorStore]:
        """Return several vector stores, in order.

        Raises:
            ObjectNotFound: One of them doesn't exist, or has another owner.
        """
        now = self._clock()
        found = await self._database.read(lambda c: _find(c, owner, ids, now))
        for vector_store_id in ids:
            if vector_store_id not in found:
                raise ObjectNotFound("Vector store", vector_store_id)
        return [found[vector_store_id] for vector_store_id in ids]

    async def page(self, owner: str, query: PageQuery) -> Rows[StoredVectorStore]:
        """Return a page of the owner's vector stores.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        now = self._clock()
        return await self._database.read(lambda c: _list(c, owner, query, now))

    async def update(self, owner: str, vector_store_id: str, changes: Mapping[str, str | int | None]) -> None:
        """Set `name`, `metadata` or `expires_after_days`.

        Raises:
            ObjectNotFound: It doesn't exist, or has another owner.
        """
        own = _is_own(owner, vector_store_id)
        # At least one column is always set, so that the row count shows whether the store exists.
        changed = update(vector_stores).where(own).values(id=vector_store_id, **changes)
        if await self._database.write(lambda c: c.execute(changed).rowcount) == 0:
            raise ObjectNotFound("Vector store", vector_store_id)

    async def delete(self, owner: str, vector_store_id: str) -> bool:
        """Delete a vector store, but not its files; return False if it doesn't exist.

        It is hidden at once; if it has many chunks, they are removed later.
        """
        found = await self._database.write(lambda c: _delete(c, owner, vector_store_id, self._clock()))
        if found:
            self._deletions.notify()
        return found

    async def mark_used(self, used: Sequence[StoredVectorStore]) -> None:
        """Record that these stores are in use now, which delays their expiry.

        The recorded time may be up to a minute old.
        """
        now = self._clock()
        stale = [store.id for store in used if now - store.used_at > _STALE]
        if stale:
            await self._database.write(lambda c: c.execute(_USED, {"ids": stale, "now": now}))

    async def empty_expired(self) -> None:
        """Detach all files from expired vector stores; the stores remain, as expired."""
        await write_in_slices(self._database, lambda c: _empty_some(c, self._clock()))
        self._deletions.notify()


def _is_own(owner: str, vector_store_id: str) -> ColumnElement[bool]:
    return (
        (vector_stores.c.id == vector_store_id)
        & (vector_stores.c.owner == owner)
        & vector_stores.c.deleted_at.is_(None)
    )


def _delete(connection: Connection, owner: str, vector_store_id: str, now: float) -> bool:
    hidden = update(vector_stores).where(_is_own(owner, vector_store_id)).values(deleted_at=now)
    if connection.execute(hidden).rowcount == 0:
        return False
    remove_or_queue(connection, "vector_store", vector_store_id, remove_vector_store)
    return True


def _empty_some(connection: Connection, now: float) -> bool:
    """Detach a slice of the files of expired stores, and return whether more may be left."""
    expired = select(vector_stores.c.id).where(_IS_EXPIRED).params(now=now)
    emptied, has_more = detach_some(connection, vector_store_files.c.vector_store_id.in_(expired))
    for vector_store_id in emptied:
        remove_later(connection, "detached_files", vector_store_id)
    return has_more


def _find(connection: Connection, owner: str, ids: Sequence[str], now: float) -> dict[str, StoredVectorStore]:
    chosen = select(*_COLUMNS, *_COUNTS).where(
        vector_stores.c.owner == owner, vector_stores.c.id.in_(ids), vector_stores.c.deleted_at.is_(None)
    )
    return {row["id"]: _stored(row, now) for row in connection.execute(chosen).mappings()}


def _list(connection: Connection, owner: str, query: PageQuery, now: float) -> Rows[StoredVectorStore]:
    listed = select(*_COLUMNS, *_COUNTS).where(
        vector_stores.c.owner == owner, vector_stores.c.deleted_at.is_(None)
    )
    key = (vector_stores.c.created_at, vector_stores.c.id)
    rows, has_more = page_by_time(connection, listed, key, query)
    return Rows([_stored(row._mapping, now) for row in rows], has_more)


def _stored(row: RowMapping, now: float) -> StoredVectorStore:
    days = row["expires_after_days"]
    return StoredVectorStore(
        **{column.name: row[column.name] for column in _COLUMNS},
        expired=days is not None and row["used_at"] + days * DAY < now,
        counts=file_counts({name: row[name] for name in STATUSES}),
    )
