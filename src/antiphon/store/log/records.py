"""The log of all owners: its lists, and everything about one response."""

import asyncio
import logging
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from msgspec.structs import replace
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    tuple_,
)

from antiphon.errors import StoreUnavailable
from antiphon.store.database import Database
from antiphon.store.deletions.slices import write_in_slices
from antiphon.store.errors import CursorNotFound
from antiphon.store.log.rows import LoggedRun, LogPage, LogQuery, LogRow, NewLogEntry
from antiphon.store.log.search import has_unindexed, index_some, matching, searchable
from antiphon.store.log.tables import FAILED, has_failed, log_entries, response_tools
from antiphon.store.tables import is_running, items, response_items, responses

log = logging.getLogger(__name__)

Chosen = TypeVar("Chosen", bound=tuple[object, ...])

_MOST_PER_OWNER = {"refused": 1000, "unstored": 10_000}
"""The most requests of one owner that the log keeps of each kind; older ones are deleted."""
_MOST_LINKS = 100
"""The most forks and continuations that are listed with a response."""
_MOST_FOUND = 20
"""The most IDs that begin alike and are returned."""
_RESPONSE = literal("response").label("kind")
_RESPONSES = (
    responses.c.id,
    _RESPONSE,
    responses.c.owner,
    responses.c.key_name,
    responses.c.created_at,
    responses.c.status,
    responses.c.model,
    responses.c.conversation_id,
    responses.c.previous_response_id,
    responses.c.forked_from,
    responses.c.summary,
)
_SLICES = 4
"""The most transactions of `index_a_few`."""
_MOST_OWNERS = 20
_OWNERS = text(
    "WITH RECURSIVE owners (owner, number) AS (SELECT min(owner), 1 FROM responses UNION ALL SELECT "
    "(SELECT min(owner) FROM responses WHERE owner > owners.owner), number + 1 FROM owners "
    "WHERE owners.owner IS NOT NULL AND number <= :most) SELECT owner FROM owners WHERE owner IS NOT NULL"
).bindparams(most=_MOST_OWNERS)
"""The owners of responses, of which an index finds each with one step; one more than are looked up."""
_ENTRIES = (
    log_entries.c.id,
    log_entries.c.kind,
    log_entries.c.owner,
    log_entries.c.key_name,
    log_entries.c.created_at,
    log_entries.c.status,
    log_entries.c.model,
    log_entries.c.summary,
)


@dataclass(frozen=True)
class _Place:
    """The place of a line in the order of time."""

    created_at: float
    id: str


class LogRecords:
    """The log of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, query: LogQuery) -> LogPage:
        """Return a page of the log, the newest lines first.

        A search indexes the responses first that have ended since the last time.

        Raises:
            CursorNotFound: The line `after` does not exist.
        """
        if query.text is not None:
            await self.index()
        return await self._database.read(lambda c: _list(c, query))

    async def get(self, owner: str | None, entry_id: str) -> LoggedRun | None:
        """Return everything about a response or a refused request.

        Args:
            owner: The owner; None finds those of all owners, which only the operator may see.
            entry_id: The ID.

        Returns:
            The line; None if the owner has no such line.
        """
        return await self._database.read(lambda c: _get(c, owner, entry_id))

    async def find(self, owner: str | None, prefix: str) -> list[str]:
        """Return the IDs of lines that begin with a text, at most 20."""
        return await self._database.read(lambda c: _find(c, owner, prefix))

    def add(self, entry: NewLogEntry) -> "asyncio.Future[None]":
        """Queue the write of a line about a request that has no stored response."""
        return self._database.enqueue(_add, entry, patient=True).future

    def add_soon(self, entry: NewLogEntry) -> None:
        """Queue the write of a line; if it fails, the server's log has the reason."""
        try:
            self.add(entry).cancel()  # The write remains, and the database logs its failure.
        except StoreUnavailable as error:
            log.error("Failed to log a request: %s", error.message)

    async def index(self) -> None:
        """Index the texts of all responses that have ended."""
        if await self._database.read(has_unindexed):
            await write_in_slices(self._database, index_some)

    async def index_a_few(self) -> None:
        """Index the texts of some responses that have ended; call it periodically.

        They are few, so that a busy server has its time for requests. A search indexes the rest.
        """
        for _ in range(_SLICES):
            if not (await self._database.read(has_unindexed) and await self._database.write(index_some)):
                return

    async def delete_excess(self) -> None:
        """Delete all but the last refused and unstored requests of each owner; call it periodically."""
        await self._database.write(_delete_excess)


def _add(connection: Connection, entries: list[NewLogEntry]) -> None:
    rows = [{name: getattr(entry, name) for name in entry.__struct_fields__} for entry in entries]
    connection.execute(insert(log_entries), rows)


def _list(connection: Connection, query: LogQuery) -> LogPage:
    after = None if query.after is None else _place(connection, query.owner, query.after)
    rows = [] if query.status == "refused" else _found(connection, query, after)
    if not query.concerns_responses_only:
        rows = sorted([*rows, *_entries(connection, query, after)], key=_order, reverse=True)
    return LogPage(rows[: query.limit], has_more=len(rows) > query.limit)


def _order(row: LogRow) -> tuple[float, str]:
    return row.created_at, row.id


def _place(connection: Connection, owner: str | None, entry_id: str) -> _Place:
    for table in (responses, log_entries):
        found = select(table.c.created_at).where(table.c.id == entry_id)
        if owner is not None:
            found = found.where(table.c.owner == owner)
        created_at = connection.execute(found).scalar()
        if created_at is not None:
            return _Place(created_at, entry_id)
    raise CursorNotFound(entry_id)


def _found(connection: Connection, query: LogQuery, after: _Place | None) -> list[LogRow]:
    """Return the first responses; those of one model are looked up for each owner, if owners are few.

    The index of models begins with the owner. Without it, a search for a rare model reads all responses.
    """
    if query.owner is None and query.model is not None and query.tool is None and query.text is None:
        owners = connection.execute(_OWNERS).scalars().all()
        if len(owners) <= _MOST_OWNERS:
            each = (_responses(connection, replace(query, owner=owner), after) for owner in owners)
            rows = sorted(chain.from_iterable(each), key=_order, reverse=True)
            return rows[: query.limit + 1]
    return _responses(connection, query, after)


def _responses(connection: Connection, query: LogQuery, after: _Place | None) -> list[LogRow]:
    chosen = select(*_RESPONSES).where(responses.c.deleted_at.is_(None), *_conditions(query))
    time: Column[float] = responses.c.created_at
    response_id: Column[str] = responses.c.id
    parameters: dict[str, str] = {}
    if query.text is not None:
        match = matching(connection.dialect.name, query.text, query.owner)
        if match is None:
            return []
        condition, parameters = match
        return _rows(connection, _searched(connection, chosen, condition, query, after), parameters)
    if query.tool is not None:
        time, response_id = response_tools.c.created_at, response_tools.c.response_id
        chosen = chosen.join(response_tools, response_id == responses.c.id).where(
            response_tools.c.tool == query.tool
        )
    if after is not None:
        chosen = chosen.where(tuple_(time, response_id) < (after.created_at, after.id))
    if query.since is not None:
        chosen = chosen.where(time >= query.since)
    chosen = chosen.order_by(time.desc(), response_id.desc()).limit(query.limit + 1)
    return _rows(connection, chosen, parameters)


def _rows(
    connection: Connection, chosen: "Select[Chosen]", parameters: dict[str, str] | None = None
) -> list[LogRow]:
    return [LogRow(**row._asdict()) for row in connection.execute(chosen, parameters or {})]


def _searched(
    connection: Connection, chosen: "Select[Chosen]", condition: str, query: LogQuery, after: _Place | None
) -> "Select[Chosen]":
    """Return the query for responses that contain words, the last indexed ones first.

    The index is in the order of the ends of responses, so that it need not be sorted.
    """
    number = "rowid" if connection.dialect.name == "sqlite" else "id"
    place: ColumnElement[int] = literal_column(f"search_texts.{number}")
    chosen = (
        chosen.join(searchable, searchable.c.response_id == responses.c.id)
        .join(text("search_texts"), place == searchable.c.id)
        .where(text(condition))
    )
    if after is not None:
        mine = select(searchable.c.id).where(searchable.c.response_id == after.id)
        chosen = chosen.where(place < mine.scalar_subquery())
    if query.since is not None:
        chosen = chosen.where(responses.c.created_at >= query.since)
    return chosen.order_by(place.desc()).limit(query.limit + 1)


def _conditions(query: LogQuery) -> list[ColumnElement[bool]]:
    """Return the conditions on the columns of a response."""
    are_failed = query.errors or query.status in FAILED
    # Planners must not prefer the index of an owner's responses, few of which have failed.
    owner = responses.c.owner.concat("") if are_failed else responses.c.owner
    pairs = (
        (owner, query.owner),
        (responses.c.model, query.model),
        (responses.c.status, query.status),
        (responses.c.conversation_id, query.conversation_id),
        (responses.c.key_name, query.key_name),
    )
    conditions: list[ColumnElement[bool]] = [column == value for column, value in pairs if value is not None]
    # They lead planners to the partial indexes.
    if are_failed:
        conditions.append(has_failed)
    elif query.status in ("queued", "in_progress"):
        conditions.append(is_running)
    return conditions


def _entries(connection: Connection, query: LogQuery, after: _Place | None) -> list[LogRow]:
    pairs = (
        (log_entries.c.owner, query.owner),
        (log_entries.c.model, query.model),
        (log_entries.c.status, query.status),
        (log_entries.c.key_name, query.key_name),
    )
    chosen = select(*_ENTRIES).where(*(column == value for column, value in pairs if value is not None))
    if query.errors:
        chosen = chosen.where(log_entries.c.status.in_((*FAILED, "refused")))
    if query.since is not None:
        chosen = chosen.where(log_entries.c.created_at >= query.since)
    key = tuple_(log_entries.c.created_at, log_entries.c.id)
    if after is not None:
        chosen = chosen.where(key < (after.created_at, after.id))
    chosen = chosen.order_by(log_entries.c.created_at.desc(), log_entries.c.id.desc())
    return _rows(connection, chosen.limit(query.limit + 1))


def _get(connection: Connection, owner: str | None, entry_id: str) -> LoggedRun | None:
    mine = [] if owner is None else [responses.c.owner == owner]
    found = select(*_RESPONSES, responses.c.steps, responses.c.body).where(
        responses.c.id == entry_id, responses.c.deleted_at.is_(None), *mine
    )
    row = connection.execute(found).one_or_none()
    if row is None:
        return _get_entry(connection, owner, entry_id)
    values = row._asdict()
    steps, body = values.pop("steps"), values.pop("body")
    bodies: dict[str, list[str]] = {"input": [], "output": []}
    linked = (
        select(response_items.c.direction, items.c.body)
        .join(items, items.c.id == response_items.c.item_id)
        .where(items.c.owner == row.owner, response_items.c.response_id == entry_id)
        .order_by(response_items.c.direction, response_items.c.position)
    )
    for direction, item in connection.execute(linked):
        bodies[direction].append(item)
    return LoggedRun(
        row=LogRow(**values),
        steps=steps,
        body=body,
        **bodies,
        forks=_linked(connection, row.owner, responses.c.forked_from == entry_id),
        next_ids=_linked(connection, row.owner, responses.c.previous_response_id == entry_id),
    )


def _linked(connection: Connection, owner: str, condition: ColumnElement[bool]) -> list[str]:
    found = select(responses.c.id).where(
        condition, responses.c.owner == owner, responses.c.deleted_at.is_(None)
    )
    ordered = found.order_by(responses.c.created_at, responses.c.id).limit(_MOST_LINKS)
    return list(connection.execute(ordered).scalars())


def _get_entry(connection: Connection, owner: str | None, entry_id: str) -> LoggedRun | None:
    found = select(*_ENTRIES, log_entries.c.steps).where(log_entries.c.id == entry_id)
    if owner is not None:
        found = found.where(log_entries.c.owner == owner)
    row = connection.execute(found).one_or_none()
    if row is None:
        return None
    values = row._asdict()
    steps = values.pop("steps")
    return LoggedRun(row=LogRow(**values), steps=steps)


def _find(connection: Connection, owner: str | None, prefix: str) -> list[str]:
    found: list[str] = []
    for table, more in ((responses, [responses.c.deleted_at.is_(None)]), (log_entries, [])):
        # A range, because the index serves LIKE only with some collations. IDs have no letter after f.
        conditions = [table.c.id >= prefix, table.c.id < f"{prefix}zz", *more]
        if owner is not None:
            conditions.append(table.c.owner == owner)
        chosen = select(table.c.id).where(*conditions).order_by(table.c.id).limit(_MOST_FOUND)
        found += connection.execute(chosen).scalars()
    return found[:_MOST_FOUND]


def _delete_excess(connection: Connection) -> None:
    place = func.row_number().over(
        partition_by=log_entries.c.owner,
        order_by=(log_entries.c.created_at.desc(), log_entries.c.id.desc()),
    )
    for kind, most in _MOST_PER_OWNER.items():
        ranked = select(log_entries.c.id, place.label("place")).where(log_entries.c.kind == kind).subquery()
        excess = select(ranked.c.id).where(ranked.c.place > most)
        connection.execute(delete(log_entries).where(log_entries.c.id.in_(excess)))
