"""Full-text search over the inputs and outputs of responses.

The end of a response queues its ID in `unindexed`. The periodic task and each search index what is queued, so
that the stream of a response doesn't wait for it. `search_texts` has the distinct words of each response:
an FTS5 table on SQLite, a table with a `tsvector` on PostgreSQL. Its rows go with the response.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Table,
    Text,
    delete,
    event,
    insert,
    select,
    text,
)

from antiphon.store.log.tables import unindexed
from antiphon.store.tables import items, metadata, response_items, responses
from antiphon.wire.json import JSON

_MOST_TEXT = 20_000
"""The most characters of a response's input, and of its output, in the index."""
_MOST_ITEMS = 50
"""The most items of a response's input, the last ones, and of its output, the first ones, in the index."""
_MOST_WORDS = 12
"""The most words of a search."""
_SLICE = 20
"""The most responses that one transaction indexes."""
_KEYS = frozenset(
    {"text", "refusal", "arguments", "output", "input", "query", "queries", "code", "url", "title"}
)
"""The members of items whose texts the index contains."""
_MOST_WORD = 60

searchable = Table(
    "searchable_responses",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("response_id", Text, ForeignKey("responses.id", ondelete="CASCADE"), nullable=False, unique=True),
    sqlite_autoincrement=True,
)
"""The responses in the search index, in the order in which they came into it."""

_SQLITE = (
    # The owner is a word of its own, so that a search skips the rows of other owners.
    "CREATE VIRTUAL TABLE search_texts USING fts5(owner, texts, detail = 'column')",
    "CREATE TRIGGER search_texts_gone AFTER DELETE ON searchable_responses BEGIN "
    "DELETE FROM search_texts WHERE rowid = old.id; END",
)
_POSTGRESQL = (
    "CREATE TABLE search_texts (texts TSVECTOR NOT NULL, "
    "id BIGINT PRIMARY KEY REFERENCES searchable_responses (id) ON DELETE CASCADE)",
    "CREATE INDEX search_texts_index ON search_texts USING gin (texts)",
)
_INSERT_SQLITE = text("INSERT INTO search_texts (rowid, owner, texts) VALUES (:id, :owner, :words)")
_INSERT_POSTGRESQL = text(
    "INSERT INTO search_texts (id, texts) VALUES (:id, array_to_tsvector(CAST(:words AS TEXT[])))"
)


@event.listens_for(searchable, "after_create")
def _create_index(target: Table, connection: Connection, **_: object) -> None:
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.execute(text(statement))


def m018_search(connection: Connection) -> None:
    """Add the full-text search, and queue the responses that have ended before it existed."""
    metadata.create_all(connection, [searchable])
    ended = select(responses.c.id).where(
        responses.c.status.not_in(("queued", "in_progress")), responses.c.deleted_at.is_(None)
    )
    connection.execute(insert(unindexed).from_select(["response_id"], ended))


def has_unindexed(connection: Connection) -> bool:
    """Return whether a response waits for the index."""
    return connection.execute(select(unindexed.c.response_id).limit(1)).first() is not None


def index_some(connection: Connection) -> bool:
    """Index some of the queued responses, and return whether more may be queued."""
    queue = select(unindexed.c.response_id).order_by(unindexed.c.response_id).limit(_SLICE)
    if connection.dialect.name == "postgresql":
        queue = queue.with_for_update(skip_locked=True)
    ids = list(connection.execute(queue).scalars())
    if not ids:
        return False
    found = select(responses.c.id, responses.c.owner).where(
        responses.c.id.in_(ids), responses.c.deleted_at.is_(None)
    )
    owners = dict(connection.execute(found.order_by(responses.c.id)).all())
    for response_id, owner in owners.items():
        _index(connection, response_id, owner)
    connection.execute(delete(unindexed).where(unindexed.c.response_id.in_(ids)))
    return len(ids) == _SLICE


def _index(connection: Connection, response_id: str, owner: str) -> None:
    known = select(searchable.c.id).where(searchable.c.response_id == response_id)
    if connection.execute(known).first() is not None:
        return
    number = connection.execute(
        insert(searchable).returning(searchable.c.id), {"response_id": response_id}
    ).scalar_one()
    words: dict[str, None] = {}
    for direction in ("input", "output"):
        bodies = _bodies(connection, response_id, owner, direction)
        words |= dict.fromkeys(words_of(_cut(texts_of(bodies))))
    if connection.dialect.name == "sqlite":
        values = {"id": number, "owner": _owner_word(owner), "words": " ".join(words)}
        connection.execute(_INSERT_SQLITE, values)
    else:
        connection.execute(_INSERT_POSTGRESQL, {"id": number, "words": list(words)})


def _bodies(connection: Connection, response_id: str, owner: str, direction: str) -> Sequence[str]:
    position = response_items.c.position
    found = (
        select(items.c.body)
        .join(response_items, items.c.id == response_items.c.item_id)
        .where(
            items.c.owner == owner,
            response_items.c.response_id == response_id,
            response_items.c.direction == direction,
        )
        .order_by(position.desc() if direction == "input" else position)
        .limit(_MOST_ITEMS)
    )
    return connection.execute(found).scalars().all()


def texts_of(bodies: Iterable[str]) -> Iterator[str]:
    """Yield the texts of items that the search finds: messages, arguments, outputs, queries, code."""
    for body in bodies:
        yield from _texts(msgspec.json.decode(body), is_text=False)


def _texts(value: JSON, *, is_text: bool) -> Iterator[str]:
    if isinstance(value, str):
        if is_text:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, is_text=is_text)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name in _KEYS or not isinstance(each, str):
                yield from _texts(each, is_text=name in _KEYS)


def _cut(texts: Iterator[str]) -> str:
    """Return the texts up to the bound of the index."""
    kept: list[str] = []
    size = 0
    for each in texts:
        kept.append(each[: _MOST_TEXT - size])
        size += len(kept[-1])
        if size >= _MOST_TEXT:
            break
    return "\n".join(kept)


def words_of(given: str) -> list[str]:
    """Return the words of a text in order: letters and digits in lower case, without accents.

    Each character of Chinese and Japanese is a word, because these languages don't separate words.
    """
    plain = unicodedata.normalize("NFKD", given).casefold()
    spaced = "".join(
        f" {character} "
        if "\u2e80" <= character <= "\u9fff"
        else character
        if character.isalnum()
        else ""
        if unicodedata.combining(character)
        else " "
        for character in plain
    )
    return [word[:_MOST_WORD] for word in spaced.split()]


def matching(dialect: str, query: str, owner: str | None) -> tuple[str, dict[str, str]] | None:
    """Return the SQL condition for responses that contain all words of a search, and its parameters.

    The condition is about a row of `search_texts`. The last word can be the beginning of a longer one.

    Returns:
        The condition; None if the search has no words.
    """
    words = list(dict.fromkeys(words_of(query)))[:_MOST_WORDS]
    if not words:
        return None
    if dialect == "sqlite":
        quoted = [f'"{word}"' for word in words]
        expression = "texts : (" + " AND ".join([*quoted[:-1], f"{quoted[-1]}*"]) + ")"
        if owner is not None:
            expression = f'owner : "{_owner_word(owner)}" AND {expression}'
        return "search_texts MATCH :query", {"query": expression}
    lexemes = " & ".join([*(f"'{word}'" for word in words[:-1]), f"'{words[-1]}':*"])
    return "search_texts.texts @@ CAST(:query AS tsquery)", {"query": lexemes}


def _owner_word(owner: str) -> str:
    """Return an owner as one word for the index, whatever its characters."""
    return f"o{owner.encode().hex()}"
