"""Conversations, their items in order and their locks."""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from antiphon.errors import ConversationLocked, StoreUnavailable
from antiphon.store.database import Database
from antiphon.store.deletions.queue import remove_or_queue
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.errors import ItemAlreadyInConversation, ObjectNotFound
from antiphon.store.responses.items import append_items, delete_unlinked, page_of_items
from antiphon.store.responses.locks import release_locks, take_lock
from antiphon.store.responses.pending import PendingResponses
from antiphon.store.responses.removal import trim_conversation
from antiphon.store.responses.rows import (
    ConversationContext,
    ItemPage,
    NewConversation,
    NewItem,
    StoredConversation,
)
from antiphon.store.responses.writes import insert_items, item_rows, require_stored
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
_USE = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation_id"))
    .values(used_at=bindparam("now"))
)
_CONTEXT = (
    select(conversations.c.next_position, items.c.body)
    .outerjoin(conversation_items, conversation_items.c.conversation_id == conversations.c.id)
    .outerjoin(items, (items.c.owner == conversations.c.owner) & (items.c.id == conversation_items.c.item_id))
    .where(_IS_OWN)
    .order_by(conversation_items.c.position)
)


class ConversationRecords:
    """The conversations of all owners.

    One response at a time may hold the lock of a conversation, also across processes. `PendingResponses`
    releases the lock when the response ends.
    """

    def __init__(
        self,
        database: Database,
        pending: PendingResponses,
        deletions: DeletionRecords,
        server_id: str,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._pending = pending
        self._deletions = deletions
        self._server_id = server_id
        self._clock = clock

    async def create(self, owner: str, new: NewConversation) -> None:
        """Store a conversation and its first items.

        An item that is named twice is linked once.

        Raises:
            DuplicateItem: The id of a new item is taken by an item with another body.
            ItemNotFound: An id is neither new nor stored.
        """
        await self._database.write(lambda c: _create(c, owner, new, self._clock()))

    async def get(self, owner: str, conversation_id: str) -> StoredConversation | None:
        """Return the conversation, or None if the owner has none with this id."""
        return await self._database.read(lambda c: _get(c, owner, conversation_id))

    async def update(self, owner: str, conversation_id: str, metadata: str) -> StoredConversation:
        """Replace the metadata, a JSON text.

        Raises:
            ObjectNotFound: The owner has no such conversation.
        """
        return await self._database.write(lambda c: _update(c, owner, conversation_id, metadata))

    async def delete(self, owner: str, conversation_id: str) -> bool:
        """Delete the conversation and the items that nothing else needs.

        Its responses keep the items that they have read as their history. The conversation is hidden at once;
        if it has many items, they are removed later.

        Returns:
            Whether the owner had such a conversation.
        """
        found = await self._database.write(lambda c: _delete(c, owner, conversation_id, self._clock()))
        if found:
            self._deletions.notify()
        return found

    async def add_items(
        self, owner: str, conversation_id: str, new: Sequence[NewItem], ids: Sequence[str]
    ) -> None:
        """Append new and stored items to the conversation, all of them or none.

        `ids` are the ids of all items in order; `new` has those items that are not stored yet.

        Raises:
            ObjectNotFound: The owner has no such conversation.
            DuplicateItem: The id of a new item is taken by an item with another body.
            ItemAlreadyInConversation: The conversation already has one of the items.
            ItemNotFound: An id is neither new nor stored.
        """
        now = self._clock()

        def add(connection: Connection) -> None:
            _add_items(connection, owner, conversation_id, new, ids)
            connection.execute(_USE, {"conversation_id": conversation_id, "now": now})

        await self._database.write(add)

    async def list_items(self, owner: str, conversation_id: str, query: PageQuery) -> ItemPage:
        """Return a page of the conversation's items.

        Raises:
            ObjectNotFound: The owner has no such conversation.
            CursorNotFound: The cursor is not in the conversation.
        """
        return await self._database.read(lambda c: _list_items(c, owner, conversation_id, query))

    async def get_item(self, owner: str, conversation_id: str, item_id: str) -> str | None:
        """Return the body of an item, or None if it is not in the conversation.

        Raises:
            ObjectNotFound: The owner has no such conversation.
        """
        return await self._database.read(lambda c: _get_item(c, owner, conversation_id, item_id))

    async def delete_item(self, owner: str, conversation_id: str, item_id: str) -> bool:
        """Remove an item from the conversation, and delete it if nothing else links to it.

        Returns:
            Whether the item was in the conversation.

        Raises:
            ObjectNotFound: The owner has no such conversation.
        """
        return await self._database.write(lambda c: _delete_item(c, owner, conversation_id, item_id))

    async def context(self, owner: str, conversation_id: str) -> ConversationContext:
        """Return the items that precede a response in the conversation.

        Raises:
            ObjectNotFound: The owner has no such conversation.
        """
        return await self._database.read(lambda c: _context(c, owner, conversation_id))

    async def lock(self, owner: str, conversation_id: str, response_id: str) -> None:
        """Lock the conversation until the response ends or `unlock` is called.

        Locks of responses whose end could not be stored are released first.

        Raises:
            ConversationLocked: Another response holds the lock.
            ObjectNotFound: The owner has no such conversation.
        """

        def lock(connection: Connection, _failed: int) -> None:
            if not take_lock(connection, owner, conversation_id, response_id, self._server_id, self._clock()):
                _require(connection, owner, conversation_id)
                raise ConversationLocked

        try:
            await self._pending.write_after_cleanup(lock)
        except (StoreUnavailable, asyncio.CancelledError):
            # The lock may be committed all the same, and no response would release it.
            self._pending.clean_up_later(response_id)
            raise

    async def unlock(self, response_id: str) -> None:
        """Release the lock of a response that did not begin or whose end was not stored."""
        try:
            await self._database.write(lambda c: release_locks(c, [response_id]))
        except StoreUnavailable:
            self._pending.clean_up_later(response_id)
            raise


def _create(connection: Connection, owner: str, new: NewConversation, now: float) -> None:
    connection.execute(
        insert(conversations),
        {
            "id": new.id,
            "owner": owner,
            "created_at": new.created_at,
            "metadata": new.metadata,
            "next_position": 0,
            "used_at": now,
        },
    )
    require_stored(connection, owner, new.item_ids, new.items)
    insert_items(connection, item_rows(owner, new.items))
    append_items(connection, new.id, new.item_ids)


def _get(connection: Connection, owner: str, conversation_id: str) -> StoredConversation | None:
    row = connection.execute(_GET, _own(owner, conversation_id)).one_or_none()
    return None if row is None else StoredConversation(*row)


def _update(connection: Connection, owner: str, conversation_id: str, metadata: str) -> StoredConversation:
    connection.execute(_SET_METADATA, _own(owner, conversation_id) | {"new_metadata": metadata})
    return _require(connection, owner, conversation_id)


def _delete(connection: Connection, owner: str, conversation_id: str, now: float) -> bool:
    if connection.execute(_DELETE, {**_own(owner, conversation_id), "now": now}).rowcount == 0:
        return False
    remove_or_queue(connection, "conversation", conversation_id, trim_conversation)
    return True


def _add_items(
    connection: Connection, owner: str, conversation_id: str, new: Sequence[NewItem], ids: Sequence[str]
) -> None:
    _require(connection, owner, conversation_id)
    require_stored(connection, owner, ids, new)
    insert_items(connection, item_rows(owner, new))
    if append_items(connection, conversation_id, ids) < len(ids):
        _require(connection, owner, conversation_id)  # Another process may just have deleted it.
        raise ItemAlreadyInConversation


def _list_items(connection: Connection, owner: str, conversation_id: str, query: PageQuery) -> ItemPage:
    _require(connection, owner, conversation_id)
    where = (conversation_items.c.conversation_id == conversation_id) & (items.c.owner == owner)
    return page_of_items(connection, conversation_items, where, query)


def _get_item(connection: Connection, owner: str, conversation_id: str, item_id: str) -> str | None:
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


def _delete_item(connection: Connection, owner: str, conversation_id: str, item_id: str) -> bool:
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


def _context(connection: Connection, owner: str, conversation_id: str) -> ConversationContext:
    rows = connection.execute(_CONTEXT, _own(owner, conversation_id)).all()
    if not rows:
        raise ObjectNotFound("Conversation", conversation_id)
    return ConversationContext([body for _, body in rows if body is not None], rows[0][0])


def _own(owner: str, conversation_id: str) -> dict[str, str]:
    return {"the_owner": owner, "conversation_id": conversation_id}


def _require(connection: Connection, owner: str, conversation_id: str) -> StoredConversation:
    found = _get(connection, owner, conversation_id)
    if found is None:
        raise ObjectNotFound("Conversation", conversation_id)
    return found
