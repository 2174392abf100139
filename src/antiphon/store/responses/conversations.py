"""Conversations, their items in order, and the lock that lets in one response at a time."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from antiphon.errors import ConversationLocked
from antiphon.store.errors import ConversationNotFound, ItemAlreadyInConversation
from antiphon.store.responses.items import (
    delete_unlinked,
    insert_items,
    item_rows,
    page_of_items,
    require_stored,
)
from antiphon.store.rows import (
    ConversationContext,
    ItemPage,
    NewConversation,
    NewItem,
    StoredConversation,
)
from antiphon.store.tables import conversation_items, conversations, items
from antiphon.wire.lists import PageQuery

_IS_OWN = (
    (conversations.c.id == bindparam("conversation_id"))
    & (conversations.c.owner == bindparam("the_owner"))
    & conversations.c.deleted_at.is_(None)
)
_GET = select(conversations.c.id, conversations.c.created_at, conversations.c.metadata).where(_IS_OWN)
_SET_METADATA = update(conversations).where(_IS_OWN).values(metadata=bindparam("new_metadata"))
_DELETE = update(conversations).where(_IS_OWN).values(deleted_at=bindparam("now"))
_LOCK = (
    update(conversations)
    .where(_IS_OWN, conversations.c.locked_by.is_(None))
    .values(locked_by=bindparam("response_id"), locked_server=bindparam("server_id"))
)
_RELEASE = (
    update(conversations)
    .where(conversations.c.locked_by.in_(bindparam("response_ids", expanding=True)))
    .values(locked_by=None, locked_server=None)
)
# The update also locks the row: appending goes one after the other, across processes as well.
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
_CONTEXT = (
    select(conversations.c.next_position, items.c.body)
    .outerjoin(conversation_items, conversation_items.c.conversation_id == conversations.c.id)
    .outerjoin(items, (items.c.owner == conversations.c.owner) & (items.c.id == conversation_items.c.item_id))
    .where(_IS_OWN)
    .order_by(conversation_items.c.position)
)


def create_conversation(connection: Connection, owner: str, new: NewConversation) -> None:
    """Stores a conversation with its first items; an item named twice is linked once.

    Raises `DuplicateItem`, and `ItemNotFound` for an id that is neither new nor stored.
    """
    connection.execute(
        insert(conversations),
        {
            "id": new.id,
            "owner": owner,
            "created_at": new.created_at,
            "metadata": new.metadata,
            "next_position": 0,
        },
    )
    require_stored(connection, owner, new.item_ids, new.items)
    insert_items(connection, item_rows(owner, new.items))
    append_items(connection, new.id, new.item_ids)


def get_conversation(connection: Connection, owner: str, conversation_id: str) -> StoredConversation | None:
    """Returns the conversation, or None if the owner has none with this id."""
    row = connection.execute(_GET, _own(owner, conversation_id)).one_or_none()
    return None if row is None else StoredConversation(*row)


def update_conversation(
    connection: Connection, owner: str, conversation_id: str, metadata: str
) -> StoredConversation:
    """Replaces the metadata. Raises `ConversationNotFound`."""
    connection.execute(_SET_METADATA, _own(owner, conversation_id) | {"new_metadata": metadata})
    return _require(connection, owner, conversation_id)


def delete_conversation(connection: Connection, owner: str, conversation_id: str, now: float) -> bool:
    """Marks the conversation as deleted; False if there is none.

    Its items stay (`wire.md` 1.1), and so do the links, for the responses that branched from it.
    """
    return connection.execute(_DELETE, {**_own(owner, conversation_id), "now": now}).rowcount > 0


def add_items(
    connection: Connection, owner: str, conversation_id: str, new: Sequence[NewItem], ids: Sequence[str]
) -> None:
    """Adds the items `ids`, some of them new, in this order; all or nothing.

    Raises `ConversationNotFound`, `ItemAlreadyInConversation`, `DuplicateItem` and `ItemNotFound`.
    """
    _require(connection, owner, conversation_id)
    require_stored(connection, owner, ids, new)
    insert_items(connection, item_rows(owner, new))
    if append_items(connection, conversation_id, ids) < len(ids):
        _require(connection, owner, conversation_id)  # another process may just have deleted it
        raise ItemAlreadyInConversation


def append_items(connection: Connection, conversation_id: str, ids: Sequence[str]) -> int:
    """Links stored items to the end of a conversation, unless it was deleted; returns how many.

    Items that the conversation has already keep their place.
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


def list_items(connection: Connection, owner: str, conversation_id: str, query: PageQuery) -> ItemPage:
    """Returns a page of the conversation's items. Raises `ConversationNotFound` and `CursorNotFound`."""
    _require(connection, owner, conversation_id)
    where = (conversation_items.c.conversation_id == conversation_id) & (items.c.owner == owner)
    return page_of_items(connection, conversation_items, where, query)


def get_item(connection: Connection, owner: str, conversation_id: str, item_id: str) -> str | None:
    """Returns the item's body, or None if it is not in the conversation. Raises `ConversationNotFound`."""
    _require(connection, owner, conversation_id)
    body: str | None = connection.execute(
        select(items.c.body)
        .join(conversation_items, conversation_items.c.item_id == items.c.id)
        .where(
            items.c.owner == owner,
            items.c.id == item_id,
            conversation_items.c.conversation_id == conversation_id,
        )
    ).scalar_one_or_none()
    return body


def delete_item(connection: Connection, owner: str, conversation_id: str, item_id: str) -> bool:
    """Takes the item out of the conversation, and deletes it if nothing else links to it.

    Returns False if it was not there. Raises `ConversationNotFound`.
    """
    _require(connection, owner, conversation_id)
    gone = connection.execute(
        delete(conversation_items).where(
            conversation_items.c.conversation_id == conversation_id, conversation_items.c.item_id == item_id
        )
    )
    if gone.rowcount == 0:
        return False
    delete_unlinked(connection, owner, [item_id])
    return True


def conversation_context(connection: Connection, owner: str, conversation_id: str) -> ConversationContext:
    """Returns what a response in the conversation sees. Raises `ConversationNotFound`."""
    rows = connection.execute(_CONTEXT, _own(owner, conversation_id)).all()
    if not rows:
        raise ConversationNotFound(conversation_id)
    return ConversationContext([body for _, body in rows if body is not None], rows[0][0])


def lock_conversation(
    connection: Connection, owner: str, conversation_id: str, response_id: str, server_id: str
) -> None:
    """Lets this response in and keeps all others out. Raises `ConversationLocked`, `ConversationNotFound`."""
    wanted = {**_own(owner, conversation_id), "response_id": response_id, "server_id": server_id}
    if connection.execute(_LOCK, wanted).rowcount == 0:
        _require(connection, owner, conversation_id)
        raise ConversationLocked


def release_locks(connection: Connection, response_ids: Sequence[str]) -> None:
    """Lets others into the conversations that these responses have locked."""
    connection.execute(_RELEASE, {"response_ids": list(response_ids)})


def _own(owner: str, conversation_id: str) -> dict[str, str]:
    return {"the_owner": owner, "conversation_id": conversation_id}


def _require(connection: Connection, owner: str, conversation_id: str) -> StoredConversation:
    found = get_conversation(connection, owner, conversation_id)
    if found is None:
        raise ConversationNotFound(conversation_id)
    return found
