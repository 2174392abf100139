"""Reads that only people need: lists of conversations and of their responses."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, Row, Select, func, select

from antiphon.store.database import Database
from antiphon.store.paging import page_by_time
from antiphon.store.tables import conversation_items, conversations, items, responses
from antiphon.wire.lists import PageQuery


class ConversationLine(Struct, frozen=True, kw_only=True):
    """A conversation in a list."""

    id: str
    """The ID of the conversation."""
    created_at: float
    """The time of creation."""
    metadata: str
    """The metadata as JSON text."""
    item_count: int
    """The number of items."""
    first_item: str | None
    """The body of the first item."""


class ConversationLines(Struct, frozen=True):
    """A page of a list of conversations."""

    lines: list[ConversationLine]
    """The conversations of the page."""
    has_more: bool
    """Whether there are more conversations after the page."""


class ResponseLine(Struct, frozen=True, kw_only=True):
    """A response beside another one."""

    id: str
    """The ID of the response."""
    created_at: float
    """The time of creation."""
    status: str
    """The current status."""
    model: str
    """The model of the request."""


class OverviewRecords:
    """Reads for the pages of the viewer; nothing here writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def conversations(self, owner: str, query: PageQuery) -> ConversationLines:
        """Return a page of the conversations by time of creation.

        Raises:
            CursorNotFound: The cursor is not among the conversations.
        """
        return await self._database.read(lambda c: _conversations(c, owner, query))

    async def responses_of(self, owner: str, conversation_id: str, most: int) -> list[ResponseLine]:
        """Return the latest responses of a conversation, at most so many, in their order."""
        newest = (responses.c.conversation_position.desc(), responses.c.created_at.desc())
        of = _lines_of(owner, conversation_id).order_by(*newest).limit(most)
        return (await self._database.read(lambda c: _lines(c.execute(of).all())))[::-1]


def _lines_of(owner: str, conversation_id: str) -> Select[str, float, str, str]:
    line = (responses.c.id, responses.c.created_at, responses.c.status, responses.c.model)
    of = responses.c.conversation_id == conversation_id
    return select(*line).where(of, responses.c.owner == owner, responses.c.deleted_at.is_(None))


def _lines(rows: Sequence[Row[str, float, str, str]]) -> list[ResponseLine]:
    return [ResponseLine(**row._asdict()) for row in rows]


def _conversations(connection: Connection, owner: str, query: PageQuery) -> ConversationLines:
    listed = select(conversations.c.id, conversations.c.created_at, conversations.c.metadata).where(
        conversations.c.owner == owner, conversations.c.deleted_at.is_(None)
    )
    key = (conversations.c.created_at, conversations.c.id)
    rows, has_more = page_by_time(connection, listed, key, query)
    ids = [row.id for row in rows]
    link = conversation_items.c
    counted = (
        select(link.conversation_id, func.count(), func.min(link.position))
        .where(link.conversation_id.in_(ids))
        .group_by(link.conversation_id)
    )
    counts = {each: (count, first) for each, count, first in connection.execute(counted)}
    places = [(each, first) for each, (_, first) in counts.items()]
    bodies = _bodies(connection, owner, places)
    lines = [
        ConversationLine(
            id=row.id,
            created_at=row.created_at,
            metadata=row.metadata,
            item_count=counts.get(row.id, (0, 0))[0],
            first_item=bodies.get(row.id),
        )
        for row in rows
    ]
    return ConversationLines(lines, has_more)


def _bodies(connection: Connection, owner: str, places: Sequence[tuple[str, int]]) -> dict[str, str]:
    """Return the bodies of the items at places, which are conversations with a position each."""
    found = {}
    for conversation_id, position in places:
        at = (conversation_items.c.conversation_id == conversation_id) & (
            conversation_items.c.position == position
        )
        body = connection.execute(
            select(items.c.body)
            .join(conversation_items, conversation_items.c.item_id == items.c.id)
            .where(at, items.c.owner == owner)
        ).scalar()
        if body is not None:
            found[conversation_id] = body
    return found
