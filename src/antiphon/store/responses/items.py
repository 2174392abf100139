"""Items: stored once, linked by position, gone with their last link."""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, exists, select

from antiphon.store.errors import CursorNotFound, DuplicateItem, ItemNotFound
from antiphon.store.rows import ItemPage, NewItem, StoredItem
from antiphon.store.sql import Insert
from antiphon.store.tables import conversation_items, conversations, items, response_items, responses
from antiphon.wire.lists import PageQuery

ItemRow = tuple[str, str, str, str]
"""Owner, id, kind and body."""

_MOST_IDS = 10_000
"""Of one statement: PostgreSQL takes 65,535 parameters, SQLite as it is usually built 32,766."""
_insert = Insert(items, "ON CONFLICT DO NOTHING")
_FIND = select(items.c.id, items.c.body).where(
    items.c.owner == bindparam("owner"), items.c.id.in_(bindparam("ids", expanding=True))
)
_DELETE_UNLINKED = delete(items).where(
    items.c.owner == bindparam("the_owner"),
    items.c.id.in_(bindparam("ids", expanding=True)),
    ~exists().where(
        response_items.c.item_id == items.c.id,
        responses.c.id == response_items.c.response_id,
        responses.c.owner == items.c.owner,
    ),
    ~exists().where(
        conversation_items.c.item_id == items.c.id,
        conversations.c.id == conversation_items.c.conversation_id,
        conversations.c.owner == items.c.owner,
    ),
)


def item_rows(owner: str, new: Sequence[NewItem]) -> list[ItemRow]:
    """Returns the rows that store `new`."""
    return [(owner, item.id, item.kind, item.body) for item in new]


def insert_items(connection: Connection, rows: list[ItemRow]) -> None:
    """Stores items. One that is stored already, word for word, is that item: clients send theirs again.

    Raises `DuplicateItem` if an id is taken by an item that says something else.
    """
    if _insert(connection, rows) == len(rows):
        return
    for owner in {owner for owner, *_ in rows}:
        own = [(item_id, body) for whose, item_id, _, body in rows if whose == owner]
        stored = find_items(connection, owner, [item_id for item_id, _ in own])
        for item_id, body in own:
            if stored.get(item_id) != body:
                raise DuplicateItem(item_id)


def find_items(connection: Connection, owner: str, ids: Collection[str]) -> dict[str, str]:
    """Returns the bodies of those of `ids` that the owner has stored."""
    found: dict[str, str] = {}
    for some in _portions(ids):
        found.update((row.id, row.body) for row in connection.execute(_FIND, {"owner": owner, "ids": some}))
    return found


def require_stored(connection: Connection, owner: str, ids: Sequence[str], new: Sequence[NewItem]) -> None:
    """Raises `ItemNotFound` if one of `ids` is neither stored nor among `new`."""
    if len(new) == len(ids):
        return
    named = {item.id for item in new}
    expected = [item_id for item_id in ids if item_id not in named]
    stored = find_items(connection, owner, expected)
    for item_id in expected:
        if item_id not in stored:
            raise ItemNotFound(item_id)


def delete_unlinked(connection: Connection, owner: str, ids: Collection[str]) -> None:
    """Deletes those of `ids` that no response and no conversation links to."""
    for some in _portions(ids):
        connection.execute(_DELETE_UNLINKED, {"the_owner": owner, "ids": some})


def _portions(ids: Collection[str]) -> Iterator[list[str]]:
    every = list(ids)
    for start in range(0, len(every), _MOST_IDS):
        yield every[start : start + _MOST_IDS]


def page_of_items(
    connection: Connection,
    link: Table,
    where: ColumnElement[bool],
    query: PageQuery,
) -> ItemPage:
    """Returns the page of items that `query` asks for, ordered by their positions in `link`.

    `where` says which rows of `link` and `items`. Raises `CursorNotFound` if the cursor is not among them.
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
