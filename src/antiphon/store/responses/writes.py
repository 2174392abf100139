"""Writes that store the beginning and the end of responses, many in one call."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

from msgspec import Struct
from sqlalchemy import Connection, Table, bindparam, func, select, update

from antiphon.store.errors import DuplicateItem, ItemNotFound
from antiphon.store.log.tables import response_tools, unindexed
from antiphon.store.responses.items import append_items, hold_items
from antiphon.store.responses.locks import release_locks
from antiphon.store.responses.rows import FinishedResponse, NewItem, NewResponse, ResponseLog
from antiphon.store.tables import items, response_items, responses

_MOST_ROWS = 32
"""The most rows per statement; drivers cache one statement per number of rows."""

ItemRow = tuple[str, str, str, str]
"""Owner, id, kind and body."""


class Beginning(Struct, frozen=True):
    """A response in progress that is to be stored."""

    owner: str
    """Tenant that the response belongs to."""
    server_id: str
    """Server that runs the response."""
    new: NewResponse
    """The response and its input."""


class Ending(Struct, frozen=True):
    """The end of a response whose beginning was stored before."""

    owner: str
    """Tenant that finishes the response; a response of another owner stays as it is."""
    finished: FinishedResponse
    """The final response and its output."""


class Whole(Struct, frozen=True):
    """A response that ended before its beginning was stored."""

    beginning: Beginning
    """The response as it began, with its input."""
    finished: FinishedResponse
    """The final response and its output."""


class Insert:
    """An insert of many rows per statement.

    An `executemany` would be slower, because the driver lets other threads run after each row.

    Args:
        table: The table.
        on_conflict: SQL for rows that already exist; without it, they are an error.
    """

    def __init__(self, table: Table, on_conflict: str = "") -> None:
        self._width = len(table.columns)
        columns = ", ".join(table.columns.keys())
        self._into = f"INSERT INTO {table.name} ({columns}) VALUES "  # noqa: S608 (our own names)
        self._on_conflict = on_conflict
        self._text = lru_cache(self._statement)

    def __call__(self, connection: Connection, rows: Sequence[Iterable[str | float | None]]) -> int:
        """Insert rows, tuples with a value for each column; return how many were inserted."""
        sign = "?" if connection.dialect.positional else "%s"
        inserted = 0
        for start in range(0, len(rows), _MOST_ROWS):
            some = rows[start : start + _MOST_ROWS]
            statement = self._text(len(some), sign)
            inserted += connection.exec_driver_sql(statement, tuple(chain.from_iterable(some))).rowcount
        return inserted

    def _statement(self, rows: int, sign: str) -> str:
        row = f"({', '.join([sign] * self._width)})"
        return f"{self._into}{', '.join([row] * rows)} {self._on_conflict}"


_insert = Insert(responses)
_insert_items = Insert(items, "ON CONFLICT DO NOTHING")
_insert_links = Insert(response_items)
_insert_tools = Insert(response_tools, "ON CONFLICT DO NOTHING")
_insert_unindexed = Insert(unindexed, "ON CONFLICT DO NOTHING")
_FIND_BEGUN = select(
    responses.c.id, responses.c.owner, responses.c.conversation_id, responses.c.created_at
).where(responses.c.id.in_(bindparam("ids", expanding=True)), responses.c.deleted_at.is_(None))
_FINISH = (
    update(responses)
    .where(responses.c.id == bindparam("response_id"))
    .values(
        status=bindparam("new_status"),
        completed_at=bindparam("new_completed_at"),
        summary=func.coalesce(bindparam("new_summary"), responses.c.summary),
        body=bindparam("new_body"),
        steps=bindparam("new_steps"),
    )
)
_LINKED = (
    select(response_items.c.item_id)
    .where(response_items.c.response_id == bindparam("response_id"))
    .order_by(response_items.c.direction, response_items.c.position)
)


def begin_responses(connection: Connection, batch: list[Beginning]) -> None:
    """Store responses in progress, their new input items and links to all input items.

    Raises:
        DuplicateItem: The id of a new item is taken by an item with another body.
        ItemNotFound: An input id is neither new nor stored.
    """
    new_items = []
    links = []
    for beginning in batch:
        new = beginning.new
        require_stored(connection, beginning.owner, new.input_ids, new.input_new)
        new_items += item_rows(beginning.owner, new.input_new)
        links += _link_rows(new.id, "input", new.input_ids)
    _insert(connection, [_row(b, "in_progress", None, b.new.body, None) for b in batch])
    insert_items(connection, new_items)
    _insert_links(connection, links)


def store_responses(connection: Connection, batch: list[Whole]) -> None:
    """Store responses from beginning to end.

    The effect is that of `begin_responses` and then `finish_responses`.

    Raises:
        DuplicateItem: The id of a new item is taken by an item with another body.
        ItemNotFound: An input id is neither new nor stored.
    """
    rows = []
    new_items = []
    links = []
    for whole in batch:
        owner, new, finished = whole.beginning.owner, whole.beginning.new, whole.finished
        require_stored(connection, owner, new.input_ids, new.input_new)
        rows.append(
            _row(whole.beginning, finished.status, finished.completed_at, finished.body, finished.log)
        )
        new_items += item_rows(owner, [*new.input_new, *finished.output])
        links += _link_rows(new.id, "input", new.input_ids)
        links += _link_rows(new.id, "output", [item.id for item in finished.output])
    _insert(connection, rows)
    insert_items(connection, new_items)
    _insert_links(connection, links)
    _keep_logs(connection, [(whole.finished, whole.beginning.new.created_at) for whole in batch])
    ended = [(whole.finished, whole.beginning.new.conversation_id) for whole in batch]
    if _add_to_conversations(connection, ended):
        release_locks(connection, [finished.id for finished, _ in ended])


def finish_responses(connection: Connection, batch: list[Ending]) -> None:
    """Store the end of responses, their output items and their items in conversations.

    A response that was deleted before its end leaves nothing. The conversation locks of all responses
    are released.

    Raises:
        DuplicateItem: The id of an output item is taken by an item with another body.
    """
    ids = [ending.finished.id for ending in batch]
    begun = {
        (response_id, owner): (conversation_id, created_at)
        for response_id, owner, conversation_id, created_at in connection.execute(_FIND_BEGUN, {"ids": ids})
    }
    present = [ending for ending in batch if (ending.finished.id, ending.owner) in begun]
    endings = [
        {
            "response_id": ending.finished.id,
            "new_status": ending.finished.status,
            "new_completed_at": ending.finished.completed_at,
            "new_body": ending.finished.body,
            "new_summary": None if ending.finished.log is None else ending.finished.log.summary,
            "new_steps": None if ending.finished.log is None else ending.finished.log.steps,
        }
        for ending in present
    ]
    links = []
    new_items = []
    for ending in present:
        new_items += item_rows(ending.owner, ending.finished.output)
        links += _link_rows(ending.finished.id, "output", [item.id for item in ending.finished.output])
    if endings:
        connection.execute(_FINISH, endings)
    insert_items(connection, new_items)
    _insert_links(connection, links)
    found = [(ending.finished, *begun[ending.finished.id, ending.owner]) for ending in present]
    _keep_logs(connection, [(finished, created_at) for finished, _, created_at in found])
    ended = [(finished, conversation_id) for finished, conversation_id, _ in found]
    if _add_to_conversations(connection, ended) or len(present) < len(batch):
        release_locks(connection, ids)


def linked_items(connection: Connection, response_id: str) -> list[str]:
    """Return the ids of a response's input items, then those of its output items."""
    return list(connection.execute(_LINKED, {"response_id": response_id}).scalars())


def _row(
    beginning: Beginning, status: str, completed_at: float | None, body: str, log: ResponseLog | None
) -> tuple[str | float | None, ...]:
    new = beginning.new
    return (
        new.id,
        beginning.owner,
        new.created_at,
        completed_at,
        status,
        new.model,
        new.previous_response_id,
        new.conversation_id,
        new.conversation_position,
        beginning.server_id,
        new.key_name,
        new.forked_from,
        new.summary if log is None else log.summary,
        body,
        None,
        None if log is None else log.steps,
    )


def _keep_logs(connection: Connection, ended: Sequence[tuple[FinishedResponse, float]]) -> None:
    """Note the tools of responses that have ended, and queue their texts for the search index."""
    tools = []
    texts = []
    for finished, created_at in ended:
        if (log := finished.log) is not None:
            tools += [(tool, created_at, finished.id) for tool in log.tools]
            if log.is_searchable:
                texts.append((finished.id,))
    _insert_tools(connection, tools)
    _insert_unindexed(connection, texts)


def _add_to_conversations(
    connection: Connection, ended: Sequence[tuple[FinishedResponse, str | None]]
) -> bool:
    """Append the items of responses that ended well to their conversations.

    Returns:
        Whether any response, ended well or not, is in a conversation.
    """
    in_conversation = False
    for finished, conversation_id in ended:
        if conversation_id is not None:
            in_conversation = True
            if finished.status in ("completed", "incomplete"):
                append_items(connection, conversation_id, linked_items(connection, finished.id))
    return in_conversation


def _link_rows(response_id: str, direction: str, item_ids: Sequence[str]) -> list[tuple[str, str, int, str]]:
    return [(response_id, direction, position, item_id) for position, item_id in enumerate(item_ids)]


def item_rows(owner: str, new: Sequence[NewItem]) -> list[ItemRow]:
    """Return the rows that store new items."""
    return [(owner, item.id, item.kind, item.body) for item in new]


def insert_items(connection: Connection, rows: list[ItemRow]) -> None:
    """Store items that are not stored yet.

    An item that is stored already must have the same body: clients send items of earlier requests again.

    Raises:
        DuplicateItem: An id is taken by an item with another body.
    """
    if _insert_items(connection, rows) == len(rows):
        return
    for owner in {owner for owner, *_ in rows}:
        own = [(item_id, body) for whose, item_id, _, body in rows if whose == owner]
        stored = hold_items(connection, owner, [item_id for item_id, _ in own])
        for item_id, body in own:
            if stored.get(item_id) != body:
                raise DuplicateItem(item_id)


def require_stored(connection: Connection, owner: str, ids: Sequence[str], new: Sequence[NewItem]) -> None:
    """Check that the owner has stored every id that is not among the new items.

    Raises:
        ItemNotFound: An id is neither stored nor new.
    """
    if len(new) == len(ids):
        return
    named = {item.id for item in new}
    expected = [item_id for item_id in ids if item_id not in named]
    stored = hold_items(connection, owner, expected)
    for item_id in expected:
        if item_id not in stored:
            raise ItemNotFound(item_id)
