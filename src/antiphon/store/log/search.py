"""Full-text search over the inputs and outputs of responses.

The end of a response queues its ID in `unindexed`. The periodic task and each search index what is queued, so
that the stream of a response doesn't wait for it. `search_texts` has the distinct words of each response:
an FTS5 table on SQLite, a table with a `tsvector` on PostgreSQL. Its rows go with the response.
"""

import re
import unicodedata
from collections.abc import Iterator

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
    ForeignKey,
    Integer,
    Table,
    Text,
    bindparam,
    delete,
    event,
    exists,
    func,
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
_SLICE = 50
"""The most responses that one transaction indexes."""
_KEYS = frozenset(
    {"text", "refusal", "arguments", "output", "input", "query", "queries", "code", "url", "title"}
)
"""The members of items whose texts the index contains."""
_MOST_WORD = 60
_MOST_BODY = 65_536
"""The most characters of an item that are read."""

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
_INSERT_POSTGRESQL = text(
    "INSERT INTO search_texts (id, texts) VALUES (:id, array_to_tsvector(CAST(:words AS TEXT[])))"
)
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_QUEUED = select(unindexed.c.response_id).order_by(unindexed.c.response_id).limit(_SLICE)
_QUEUED_FOR_ME = _QUEUED.with_for_update(skip_locked=True)
_DEQUEUE = delete(unindexed).where(unindexed.c.response_id.in_(_IDS))
_NEW = select(responses.c.id, responses.c.owner).where(
    responses.c.id.in_(_IDS),
    responses.c.deleted_at.is_(None),
    ~exists().where(searchable.c.response_id == responses.c.id),
)
_NUMBER = insert(searchable).returning(searchable.c.response_id, searchable.c.id)
_LINKS = (
    select(response_items.c.response_id, response_items.c.direction, response_items.c.item_id)
    .where(response_items.c.response_id.in_(_IDS))
    .order_by(response_items.c.response_id, response_items.c.direction, response_items.c.position)
)
_BODIES = select(
    items.c.owner, items.c.id, items.c.kind, func.substr(items.c.body, 1, _MOST_BODY).label("body")
).where(items.c.id.in_(_IDS))
_ASCII_WORDS = re.compile(r"[0-9a-z]+").findall
_WORDS = re.compile(r"[\u2e80-\u9fff]|[^\W_\u2e80-\u9fff]+").findall
_ACCENTS = re.compile(r"[\u0300-\u036f]")


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
    queue = _QUEUED if connection.dialect.name == "sqlite" else _QUEUED_FOR_ME
    ids = list(connection.execute(queue).scalars())
    if not ids:
        return False
    owners = dict(connection.execute(_NEW, {"ids": ids}).all())
    if owners:
        _index(connection, owners, _words_of_responses(connection, owners))
    connection.execute(_DEQUEUE, {"ids": ids})
    return len(ids) == _SLICE


def _index(connection: Connection, owners: dict[str, str], words: dict[str, set[str]]) -> None:
    given = [{"response_id": response_id} for response_id in sorted(owners)]
    numbers: dict[str, int] = dict(connection.execute(_NUMBER, given).all())
    if connection.dialect.name == "sqlite":
        rows = [(numbers[each], _owner_word(owners[each]), " ".join(words[each])) for each in owners]
        values = ", ".join(["(?, ?, ?)"] * len(rows))
        insertion = f"INSERT INTO search_texts (rowid, owner, texts) VALUES {values}"  # noqa: S608 (our own text)
        connection.exec_driver_sql(insertion, tuple(value for row in rows for value in row))
    else:
        texts = [{"id": numbers[each], "words": list(words[each])} for each in owners]
        connection.execute(_INSERT_POSTGRESQL, texts)


def _words_of_responses(connection: Connection, owners: dict[str, str]) -> dict[str, set[str]]:
    """Return the words of responses: of the last items of the input, and the first ones of the output."""
    links: dict[tuple[str, str], list[str]] = {}
    for response_id, direction, item_id in connection.execute(_LINKS, {"ids": list(owners)}):
        links.setdefault((response_id, direction), []).append(item_id)
    chosen = {
        key: found[: -_MOST_ITEMS - 1 : -1] if key[1] == "input" else found[:_MOST_ITEMS]
        for key, found in links.items()
    }
    item_ids = list({item_id for found in chosen.values() for item_id in found})
    bodies = {
        (owner, item_id): (kind, body)
        for owner, item_id, kind, body in connection.execute(_BODIES, {"ids": item_ids})
    }
    words: dict[str, set[str]] = {response_id: set() for response_id in owners}
    for (response_id, _), found in chosen.items():
        known = (bodies.get((owners[response_id], item_id)) for item_id in found)
        texts = (each for item in known if item is not None for each in texts_of(*item))
        words[response_id].update(words_of(_cut(texts)))
    return words


class _Part(Struct):
    text: str | None = None


class _Message(Struct):
    content: list[_Part] | str | None = None


_decode_message = msgspec.json.Decoder(_Message).decode


def texts_of(kind: str, body: str) -> Iterator[str]:
    """Yield the texts of an item that the search finds: messages, arguments, outputs, queries, code."""
    if len(body) == _MOST_BODY:
        yield body  # The beginning of a long item, which is not JSON.
    elif kind == "message":
        try:
            content = _decode_message(body).content
        except msgspec.ValidationError:
            content = body
        if isinstance(content, str):
            yield content
        for part in content if isinstance(content, list) else ():
            if part.text:
                yield part.text
    else:
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
    if given.isascii():
        found = _ASCII_WORDS(given.lower())
    else:
        plain = unicodedata.normalize("NFKD", given).casefold()
        found = _WORDS(_ACCENTS.sub("", plain))
    return [word[:_MOST_WORD] for word in found]


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
