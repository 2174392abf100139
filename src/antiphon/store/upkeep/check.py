"""Checks of the rows of a database, which only read."""

from collections.abc import Collection, Iterator

from msgspec import Struct
from sqlalchemy import Connection, func, select, text, union_all

from antiphon.store.containers.tables import container_files
from antiphon.store.deletions.queue import deletions
from antiphon.store.runs.tables import is_open, runs
from antiphon.store.tables import (
    conversation_items,
    conversations,
    files,
    is_running,
    items,
    response_items,
    responses,
    servers,
)
from antiphon.store.uploads.uploads import upload_parts

_MOST = 20
"""The most problems of one kind that SQLite reports."""
_UNLINKED = text(
    "SELECT count(*), min(id) FROM items WHERE NOT EXISTS ("
    "SELECT 1 FROM response_items JOIN responses ON responses.id = response_id "
    "WHERE item_id = items.id AND responses.owner = items.owner) AND NOT EXISTS ("
    "SELECT 1 FROM conversation_items JOIN conversations ON conversations.id = conversation_id "
    "WHERE item_id = items.id AND conversations.owner = items.owner)"
)


class Problem(Struct, frozen=True):
    """Something that shouldn't be."""

    kind: str
    """The kind of the problem, for programs."""
    text: str
    """The problem, in one line."""


def problems_of(connection: Connection) -> Iterator[Problem]:
    """Yield the problems of a database with the current schema."""
    if connection.dialect.name == "sqlite":
        yield from _integrity(connection)
    for name, link, parent, parent_id in (
        ("responses", response_items, responses, response_items.c.response_id),
        ("conversations", conversation_items, conversations, conversation_items.c.conversation_id),
    ):
        item = (items.c.id == link.c.item_id) & (items.c.owner == parent.c.owner)
        lost = select(func.count(), func.min(link.c.item_id)).select_from(
            link.join(parent, parent.c.id == parent_id).outerjoin(items, item)
        )
        count, example = connection.execute(lost.where(items.c.id.is_(None))).one()
        if count:
            yield Problem("dangling_link", f"{count} items of {name} are missing, such as {example}")
    yield from _unlinked(connection)


def pending(connection: Connection) -> dict[str, int]:
    """Return the numbers of objects that servers still work on."""
    counts = {
        "deletions": select(func.count()).select_from(deletions),
        "background_runs": select(func.count()).select_from(runs).where(is_open),
        "running_responses": select(func.count()).select_from(responses).where(is_running),
        "servers": select(func.count()).select_from(servers),
    }
    return {name: connection.execute(query).scalar_one() for name, query in counts.items()}


def sizes_of_files(connection: Connection) -> Iterator[tuple[str, int]]:
    """Yield the ID and the size of each file, also of those in containers."""
    stored = select(files.c.id, files.c.bytes).where(files.c.deleted_at.is_(None))
    yield from map(tuple, connection.execute(stored, execution_options={"yield_per": 500}))
    held = select(container_files.c.id, container_files.c.bytes)
    yield from map(tuple, connection.execute(held, execution_options={"yield_per": 500}))


def known_files(connection: Connection, names: Collection[str]) -> set[str]:
    """Return which of some names are IDs of files, even of deleted ones, or of parts of uploads."""
    found = select(files.c.id).where(files.c.id.in_(names))
    parts = select(upload_parts.c.id).where(upload_parts.c.id.in_(names))
    held = select(container_files.c.id).where(container_files.c.id.in_(names))
    return set(connection.execute(union_all(found, parts, held)).scalars())


def _integrity(connection: Connection) -> Iterator[Problem]:
    for found in connection.execute(text(f"PRAGMA integrity_check({_MOST})")).scalars():
        if found != "ok":
            yield Problem("integrity", f"SQLite: {found}")
    broken = connection.execute(text("PRAGMA foreign_key_check")).fetchmany(_MOST)
    for table, row, parent, _ in broken:
        yield Problem("foreign_key", f"row {row} of {table} refers to a missing row of {parent}")


def _unlinked(connection: Connection) -> Iterator[Problem]:
    count, example = connection.execute(_UNLINKED).one()
    if count:
        yield Problem(
            "unlinked_item", f"{count} items belong to no response and no conversation, such as {example}"
        )
