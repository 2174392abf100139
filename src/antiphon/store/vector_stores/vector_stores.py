"""Vector stores and their expiry."""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, delete, insert, select, update

from antiphon.store.database import Database
from antiphon.store.errors import ObjectNotFound
from antiphon.store.paging import page_by_time
from antiphon.store.tables import vector_store_files, vector_stores
from antiphon.store.vector_stores.counters import STATUSES, file_counts
from antiphon.store.vector_stores.rows import NewVectorStore, Rows, StoredVectorStore
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

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
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
        own = (vector_stores.c.id == vector_store_id) & (vector_stores.c.owner == owner)
        # At least one column is always set, so that the row count shows whether the store exists.
        changed = update(vector_stores).where(own).values(id=vector_store_id, **changes)
        if await self._database.write(lambda c: c.execute(changed).rowcount) == 0:
            raise ObjectNotFound("Vector store", vector_store_id)

    async def delete(self, owner: str, vector_store_id: str) -> bool:
        """Delete a vector store, but not its files; return False if it doesn't exist."""
        own = (vector_stores.c.id == vector_store_id) & (vector_stores.c.owner == owner)
        return await self._database.write(lambda c: c.execute(delete(vector_stores).where(own)).rowcount > 0)

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
        expired = select(vector_stores.c.id).where(_IS_EXPIRED)
        emptied = delete(vector_store_files).where(vector_store_files.c.vector_store_id.in_(expired))
        await self._database.write(lambda c: c.execute(emptied, {"now": self._clock()}))


def _find(connection: Connection, owner: str, ids: Sequence[str], now: float) -> dict[str, StoredVectorStore]:
    chosen = select(*_COLUMNS, *_COUNTS).where(vector_stores.c.owner == owner, vector_stores.c.id.in_(ids))
    return {row["id"]: _stored(row, now) for row in connection.execute(chosen).mappings()}


def _list(connection: Connection, owner: str, query: PageQuery, now: float) -> Rows[StoredVectorStore]:
    listed = select(*_COLUMNS, *_COUNTS).where(vector_stores.c.owner == owner)
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
