"""Conversations and their items."""

from collections.abc import Container, Iterator
from contextlib import contextmanager

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.items import for_client
from antiphon.engine.request_context import RequestContext
from antiphon.errors import MissingParameter, NotFound
from antiphon.ids import SHORT
from antiphon.service.items import item_page, new_item, shown_item
from antiphon.service.metadata import check_metadata
from antiphon.service.pages import page_of
from antiphon.service.responses.gather import resolve_items
from antiphon.service.responses.validation import check_items
from antiphon.store import Store
from antiphon.store.errors import DuplicateItem, ItemNotFound, ObjectNotFound
from antiphon.store.responses.rows import NewConversation, StoredConversation
from antiphon.wire.conversations import (
    CONVERSATION_PREFIX,
    Conversation,
    CreateConversation,
    CreateItems,
    DeletedConversation,
    UpdateConversation,
)
from antiphon.wire.items import Item
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.responses import Metadata

_encode = msgspec.json.Encoder().encode
_decode_metadata = msgspec.json.Decoder(Metadata).decode


class Conversations:
    """The use cases of `/v1/conversations`.

    Every method raises `NotFound` for an object that doesn't exist or belongs to another owner.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, context: RequestContext, request: CreateConversation) -> Conversation:
        """Create a conversation with the items of the request.

        Raises:
            InvalidRequest: The metadata or an item is invalid.
        """
        check_metadata(request.metadata)
        given = request.items or []
        check_items(given, "items")
        now = context.clock()
        with _about_items():
            items, new = await resolve_items(self._store, context, given, for_conversation=True)
            conversation = NewConversation(
                id=context.ids(CONVERSATION_PREFIX, SHORT),
                created_at=now,
                metadata=_encode(request.metadata or {}).decode(),
                items=[new_item(item) for item in new],
                item_ids=[str(item.id) for item in _once(items)],
            )
            await self._store.conversations.create(context.owner, conversation)
        return Conversation(id=conversation.id, created_at=int(now), metadata=request.metadata or {})

    async def get(self, owner: str, conversation_id: str) -> Conversation:
        """Return a conversation without its items."""
        stored = await self._store.conversations.get(owner, conversation_id)
        if stored is None:
            raise ObjectNotFound("Conversation", conversation_id)
        return _conversation(stored)

    async def update(self, owner: str, conversation_id: str, request: UpdateConversation) -> Conversation:
        """Replace the metadata.

        Raises:
            InvalidRequest: The metadata is missing or invalid.
        """
        if request.metadata is UNSET:
            raise MissingParameter("metadata")
        check_metadata(request.metadata)
        metadata = _encode(request.metadata or {}).decode()
        stored = await self._store.conversations.update(owner, conversation_id, metadata)
        return _conversation(stored)

    async def delete(self, owner: str, conversation_id: str) -> DeletedConversation:
        """Delete a conversation; items that responses need remain."""
        if not await self._store.conversations.delete(owner, conversation_id):
            raise ObjectNotFound("Conversation", conversation_id)
        return DeletedConversation(conversation_id)

    async def add_items(
        self,
        context: RequestContext,
        conversation_id: str,
        request: CreateItems,
        include: Container[str] = (),
    ) -> Page[Item]:
        """Append all items of the request or none, and return the appended ones in order.

        Raises:
            InvalidRequest: An item is invalid.
        """
        check_items(request.items, "items")
        with _about_items():
            items, new = await resolve_items(self._store, context, request.items, for_conversation=True)
            items = _once(items)
            ids = [str(item.id) for item in items]
            await self._store.conversations.add_items(
                context.owner, conversation_id, [new_item(item) for item in new], ids
            )
        return page_of([for_client(item, include) for item in items], ids)

    async def list_items(
        self, owner: str, conversation_id: str, query: PageQuery, include: Container[str] = ()
    ) -> Page[Item]:
        """Return a page of a conversation's items."""
        return item_page(await self._store.conversations.list_items(owner, conversation_id, query), include)

    async def get_item(
        self, owner: str, conversation_id: str, item_id: str, include: Container[str] = ()
    ) -> Item:
        """Return one item of a conversation."""
        body = await self._store.conversations.get_item(owner, conversation_id, item_id)
        if body is None:
            raise _item_not_found(conversation_id, item_id)
        return shown_item(body, include)

    async def delete_item(self, owner: str, conversation_id: str, item_id: str) -> Conversation:
        """Remove an item from a conversation, and return the conversation."""
        if not await self._store.conversations.delete_item(owner, conversation_id, item_id):
            raise _item_not_found(conversation_id, item_id)
        return await self.get(owner, conversation_id)


@contextmanager
def _about_items() -> Iterator[None]:
    """Set `param` of errors about items to `items`; for responses it is `input`."""
    try:
        yield
    except (DuplicateItem, ItemNotFound) as error:
        error.param = "items"
        raise


def _once(items: list[Item]) -> list[Item]:
    """Return the items in order, without repetitions of a stored item."""
    return list({str(item.id): item for item in items}.values())


def _conversation(stored: StoredConversation) -> Conversation:
    metadata = _decode_metadata(stored.metadata)
    return Conversation(id=stored.id, created_at=int(stored.created_at), metadata=metadata)


def _item_not_found(conversation_id: str, item_id: str) -> NotFound:
    return NotFound(f"Item with id '{item_id}' not found in conversation '{conversation_id}'.")
