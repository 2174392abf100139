"""Records of stored chat completions, with the messages that they answer."""

from collections.abc import Mapping

from msgspec import Struct
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    and_,
    delete,
    exists,
    insert,
    select,
    update,
)

from antiphon.store.database import Database
from antiphon.store.errors import ObjectNotFound
from antiphon.store.paging import Rows, page_by_time
from antiphon.store.tables import metadata
from antiphon.wire.lists import PageQuery

chat_completions = Table(
    "chat_completions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("model", Text, nullable=False),
    Column("body", Text, nullable=False),  # The completion without its metadata
    Column("metadata", Text, nullable=False),
    Column("messages", Text, nullable=False),  # The messages of the request
)
_KEY = (chat_completions.c.created_at, chat_completions.c.id)
Index("chat_completions_by_time", chat_completions.c.owner, *_KEY)
Index("chat_completions_by_age", *_KEY)

chat_completion_metadata = Table(
    "chat_completion_metadata",
    metadata,
    Column("completion_id", Text, ForeignKey("chat_completions.id", ondelete="CASCADE"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("completion_id", "key"),
)
"""The pairs of metadata, by which lists are filtered."""


def m024_chat_completions(connection: Connection) -> None:
    """Add the tables of stored chat completions."""
    metadata.create_all(connection, [chat_completions, chat_completion_metadata])


class StoredCompletion(Struct, frozen=True, kw_only=True):
    """A stored chat completion."""

    id: str
    """The ID of the completion."""
    created_at: float
    """The time of its creation, in seconds since 1970."""
    model: str
    """The public ID of the model."""
    body: str
    """The completion without its metadata, as JSON."""
    metadata: str
    """The metadata, as JSON."""


_COLUMNS = tuple(chat_completions.c[name] for name in StoredCompletion.__struct_fields__)


class CompletionRecords:
    """The stored chat completions of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, owner: str, new: StoredCompletion, messages: str, pairs: Mapping[str, str]) -> None:
        """Store a completion.

        Args:
            owner: The owner.
            new: The completion.
            messages: The messages of the request, as a JSON array.
            pairs: Its metadata.
        """
        row = {name: getattr(new, name) for name in new.__struct_fields__}

        def run(connection: Connection) -> None:
            connection.execute(insert(chat_completions), row | {"owner": owner, "messages": messages})
            _write_pairs(connection, new.id, pairs)

        await self._database.write(run)

    async def get(self, owner: str, completion_id: str) -> StoredCompletion:
        """Return a completion.

        Raises:
            ObjectNotFound: The owner has no such completion.
        """
        mine = select(*_COLUMNS).where(_is(owner, completion_id))
        row = await self._database.read(lambda c: c.execute(mine).one_or_none())
        if row is None:
            raise ObjectNotFound("Chat completion", completion_id)
        return StoredCompletion(**row._asdict())

    async def messages(self, owner: str, completion_id: str) -> str:
        """Return the messages of a completion's request, as a JSON array.

        Raises:
            ObjectNotFound: The owner has no such completion.
        """
        mine = select(chat_completions.c.messages).where(_is(owner, completion_id))
        row = await self._database.read(lambda c: c.execute(mine).one_or_none())
        if row is None:
            raise ObjectNotFound("Chat completion", completion_id)
        messages: str = row.messages
        return messages

    async def page(
        self, owner: str, query: PageQuery, model: str | None, pairs: Mapping[str, str]
    ) -> Rows[StoredCompletion]:
        """Return a page of the owner's completions of a model and with all pairs of metadata.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        listed = select(*_COLUMNS).where(chat_completions.c.owner == owner)
        if model is not None:
            listed = listed.where(chat_completions.c.model == model)
        for key, value in pairs.items():
            listed = listed.where(
                exists().where(
                    chat_completion_metadata.c.completion_id == chat_completions.c.id,
                    chat_completion_metadata.c.key == key,
                    chat_completion_metadata.c.value == value,
                )
            )
        rows, has_more = await self._database.read(lambda c: page_by_time(c, listed, _KEY, query))
        return Rows([StoredCompletion(**row._asdict()) for row in rows], has_more)

    async def set_metadata(
        self, owner: str, completion_id: str, encoded: str, pairs: Mapping[str, str]
    ) -> StoredCompletion:
        """Replace the metadata of a completion, and return the completion.

        Args:
            owner: The owner.
            completion_id: The ID of the completion.
            encoded: The metadata, as JSON.
            pairs: The same metadata.

        Raises:
            ObjectNotFound: The owner has no such completion.
        """
        changed = update(chat_completions).where(_is(owner, completion_id)).values(metadata=encoded)

        def run(connection: Connection) -> None:
            if connection.execute(changed).rowcount == 0:
                raise ObjectNotFound("Chat completion", completion_id)
            old = chat_completion_metadata.c.completion_id == completion_id
            connection.execute(delete(chat_completion_metadata).where(old))
            _write_pairs(connection, completion_id, pairs)

        await self._database.write(run)
        return await self.get(owner, completion_id)

    async def delete(self, owner: str, completion_id: str) -> None:
        """Delete a completion.

        Raises:
            ObjectNotFound: The owner has no such completion.
        """
        gone = delete(chat_completions).where(_is(owner, completion_id))
        if await self._database.write(lambda c: c.execute(gone).rowcount) == 0:
            raise ObjectNotFound("Chat completion", completion_id)


def _is(owner: str, completion_id: str) -> ColumnElement[bool]:
    return and_(chat_completions.c.id == completion_id, chat_completions.c.owner == owner)


def _write_pairs(connection: Connection, completion_id: str, pairs: Mapping[str, str]) -> None:
    rows = [{"completion_id": completion_id, "key": key, "value": value} for key, value in pairs.items()]
    if rows:
        connection.execute(insert(chat_completion_metadata), rows)
