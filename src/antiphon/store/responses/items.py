"""Items, stored once, linked by position and deleted with their last link."""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from antiphon.store.database import Database
from antiphon.store.errors import CursorNotFound
from antiphon.store.responses.rows import ItemPage, StoredItem
from antiphon.store.tables import conversation_items, conversations, items, response_items, responses
from antiphon.wire.lists import PageQuery

_MOST_IDS = 10_000
"""Most ids in one statement. PostgreSQL takes 65,535 parameters, SQLite 32,766 by default."""
_FIND = select(items.c.id, items.c.body).where(
    items.c.owner == bindparam("owner"), items.c.id.in_(bindparam("ids", expanding=True))
)
_HOLD = _FIND.with_for_update(read=True)
_LOCK = _FIND.with_only_columns(items.c.id).order_by(items.c.id).with_for_update()


def _is_linked(link: Table, parent: Table, parent_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Return the condition that a row of `link` connects the item with a row of `parent` of the same owner.

    PostgreSQL plans neither a subquery with an offset nor a scalar one as a join. So it looks up each item's
    links by index, whatever its statistics say; a join could read all links of the owner for each item.
    """
    owner = select(parent.c.owner).where(parent.c.id == parent_id).correlate(link).scalar_subquery()
    own = select(link.c.item_id).where(link.c.item_id == items.c.id, owner == items.c.owner)
    return own.offset(0).correlate(items).exists()


_DELETE_UNLINKED = delete(items).where(
    items.c.owner == bindparam("the_owner"),
    items.c.id.in_(bindparam("ids", expanding=True)),
    ~_is_linked(response_items, responses, response_items.c.response_id),
    ~_is_linked(conversation_items, conversations, conversation_items.c.conversation_id),
)
# The update also locks the row, so that appends to a conversation take turns, across processes as well.
_ADVANCE = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation_id"), conversations.c.deleted_at.is_(None))
    .values(next_position=conversations.c.next_position + bindparam("count"))
    .returning(conversations.c.next_position)
)
_PRESENT = select(conversation_items.c.item_id).where(
    conversation_items.c.conversation_id == bindparam("conversation_id"),
    conversation_items.c.item_id.in_(bindparam("ids", expanding=True)),
)


class ItemRecords:
    """The items of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, owner: str, ids: Collection[str]) -> dict[str, str]:
        """Return the bodies of the owner's stored items by id; other ids are omitted."""
        return await self._database.read(lambda c: find_items(c, owner, ids))


def find_items(connection: Connection, owner: str, ids: Collection[str]) -> dict[str, str]:
    """Return the bodies of the owner's stored items by id; other ids are omitted."""
    return _found(connection, _FIND, owner, ids)


def hold_items(connection: Connection, owner: str, ids: Collection[str]) -> dict[str, str]:
    """Return the items as `find_items` does; no server deletes them before the end of the transaction."""
    return _found(connection, _HOLD, owner, ids)


def _found(
    connection: Connection, statement: Select[str, str], owner: str, ids: Collection[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _portions(ids):
        found.update(
            (row.id, row.body) for row in connection.execute(statement, {"owner": owner, "ids": some})
        )
    return found


def delete_unlinked(connection: Connection, owner: str, ids: Collection[str]) -> None:
    """Delete the items that no response and no conversation of the owner links to."""
    for some in _portions(ids):
        if connection.dialect.name == "postgresql":
            # If two servers each remove one of an item's last two links, the second one waits here for the
            # first. Otherwise, each would see the link of the other one, and nobody would delete the item.
            connection.execute(_LOCK, {"owner": owner, "ids": some})
        connection.execute(_DELETE_UNLINKED, {"the_owner": owner, "ids": some})


def append_items(connection: Connection, conversation_id: str, ids: Sequence[str]) -> int:
    """Link stored items to the end of a conversation that was not deleted.

    Items that the conversation already has keep their position.

    Returns:
        How many links were added.
    """
    if not ids:
        return 0
    advanced = {"conversation_id": conversation_id, "count": len(ids)}
    end = connection.execute(_ADVANCE, advanced).scalar_one_or_none()
    if end is None:
        return 0
    present = connection.execute(_PRESENT, {"conversation_id": conversation_id, "ids": list(ids)}).scalars()
    missing = dict.fromkeys(ids)
    for item_id in present:
        del missing[item_id]
    links = [
        {"conversation_id": conversation_id, "position": position, "item_id": item_id}
        for position, item_id in enumerate(missing, end - len(ids))
    ]
    if links:
        connection.execute(insert(conversation_items), links)
    return len(links)


def page_of_items(
    connection: Connection,
    link: Table,
    where: ColumnElement[bool],
    query: PageQuery,
) -> ItemPage:
    """Return a page of the items that a link table links to, by position.

    `link` is `response_items` or `conversation_items`; `where` is a condition on its rows and on `items`.

    Raises:
        CursorNotFound: The cursor is not among the items.
    """
    after, upwards = query.after, query.order == "asc"
    position = link.c.position
    listed = select(items.c.id, items.c.body).join(link, link.c.item_id == items.c.id).where(where)
    if after is not None:
        at = connection.execute(
            select(position).join(items, items.c.id == link.c.item_id).where(where, link.c.item_id == after)
        ).scalar()
        if at is None:
            raise CursorNotFound(after)
        listed = listed.where(position > at if upwards else position < at)
    listed = listed.order_by(position if upwards else position.desc()).limit(query.limit + 1)
    found = [StoredItem(item_id, body) for item_id, body in connection.execute(listed)]
    return ItemPage(found[: query.limit], has_more=len(found) > query.limit)


def _portions(ids: Collection[str]) -> Iterator[list[str]]:
    every = list(ids)
    for start in range(0, len(every), _MOST_IDS):
        yield every[start : start + _MOST_IDS]
