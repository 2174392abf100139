"""Responses: begun, finished, read, listed, deleted. Plain functions of a connection."""

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, select, update

from antiphon.store.responses.conversations import append_items, release_locks
from antiphon.store.responses.items import (
    delete_unlinked,
    insert_items,
    item_rows,
    page_of_items,
    require_stored,
)
from antiphon.store.rows import (
    FinishedResponse,
    ItemPage,
    NewResponse,
    ResponsePage,
    StoredResponse,
)
from antiphon.store.sql import Insert, page_by_time
from antiphon.store.tables import items, response_items, responses
from antiphon.wire.lists import PageQuery


class Beginning(Struct, frozen=True):
    owner: str
    server_id: str
    new: NewResponse


class Ending(Struct, frozen=True):
    owner: str
    finished: FinishedResponse


class Whole(Struct, frozen=True):
    """A response that ended before its beginning was written."""

    beginning: Beginning
    finished: FinishedResponse


_insert = Insert(responses)
_insert_links = Insert(response_items)
_FIND_BEGUN = select(responses.c.id, responses.c.owner, responses.c.conversation_id).where(
    responses.c.id.in_(bindparam("ids", expanding=True))
)
_FINISH = (
    update(responses)
    .where(responses.c.id == bindparam("response_id"))
    .values(
        status=bindparam("new_status"), completed_at=bindparam("new_completed_at"), body=bindparam("new_body")
    )
)
_LINKED = (
    select(response_items.c.item_id)
    .where(response_items.c.response_id == bindparam("response_id"))
    .order_by(response_items.c.direction, response_items.c.position)
)
_COLUMNS = (
    responses.c.id,
    responses.c.status,
    responses.c.created_at,
    responses.c.completed_at,
    responses.c.model,
    responses.c.previous_response_id,
    responses.c.conversation_id,
    responses.c.body,
)
_ResponseRow = Row[str, str, float, float | None, str, str | None, str | None, str]
_GET = select(*_COLUMNS).where(
    responses.c.id == bindparam("response_id"), responses.c.owner == bindparam("owner")
)
_OUTPUTS = (
    select(response_items.c.response_id, items.c.body)
    .join(items, items.c.id == response_items.c.item_id)
    .where(
        items.c.owner == bindparam("owner"),
        response_items.c.response_id.in_(bindparam("ids", expanding=True)),
        response_items.c.direction == "output",
    )
    .order_by(response_items.c.response_id, response_items.c.position)
)


def begin_responses(connection: Connection, batch: list[Beginning]) -> None:
    """Stores responses that begin, their new input items and the links to all their input items.

    Raises `DuplicateItem`, and `ItemNotFound` for an input id that is neither new nor stored.
    """
    new_items = []
    links = []
    for beginning in batch:
        new = beginning.new
        require_stored(connection, beginning.owner, new.input_ids, new.input_new)
        new_items += item_rows(beginning.owner, new.input_new)
        links += _link_rows(new.id, "input", new.input_ids)
    _insert(connection, [_row(b, "in_progress", None, b.new.body) for b in batch])
    insert_items(connection, new_items)
    _insert_links(connection, links)


def store_responses(connection: Connection, batch: list[Whole]) -> None:
    """Does what `begin_responses` and `finish_responses` do one after the other; raises what they raise."""
    rows = []
    new_items = []
    links = []
    for whole in batch:
        owner, new, finished = whole.beginning.owner, whole.beginning.new, whole.finished
        require_stored(connection, owner, new.input_ids, new.input_new)
        rows.append(_row(whole.beginning, finished.status, finished.completed_at, finished.body))
        new_items += item_rows(owner, [*new.input_new, *finished.output])
        links += _link_rows(new.id, "input", new.input_ids)
        links += _link_rows(new.id, "output", [item.id for item in finished.output])
    _insert(connection, rows)
    insert_items(connection, new_items)
    _insert_links(connection, links)
    ended = [(whole.finished, whole.beginning.new.conversation_id) for whole in batch]
    if _add_to_conversations(connection, ended):
        release_locks(connection, [finished.id for finished, _ in ended])


def finish_responses(connection: Connection, batch: list[Ending]) -> None:
    """Stores how responses ended, their output items, and what they add to their conversations.

    A response that was deleted meanwhile leaves nothing; the lock of its conversation is released as well.
    Raises `DuplicateItem`.
    """
    ids = [ending.finished.id for ending in batch]
    begun = {
        (response_id, owner): conversation_id
        for response_id, owner, conversation_id in connection.execute(_FIND_BEGUN, {"ids": ids})
    }
    present = [ending for ending in batch if (ending.finished.id, ending.owner) in begun]
    endings = [
        {
            "response_id": ending.finished.id,
            "new_status": ending.finished.status,
            "new_completed_at": ending.finished.completed_at,
            "new_body": ending.finished.body,
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
    ended = [(ending.finished, begun[ending.finished.id, ending.owner]) for ending in present]
    if _add_to_conversations(connection, ended) or len(present) < len(batch):
        release_locks(connection, ids)


def get_response(connection: Connection, owner: str, response_id: str) -> StoredResponse | None:
    """Returns the response as it stands, or None if the owner has none with this id."""
    row = connection.execute(_GET, {"owner": owner, "response_id": response_id}).one_or_none()
    return None if row is None else _with_output(connection, owner, [row])[0]


def list_responses(connection: Connection, owner: str, query: PageQuery, model: str | None) -> ResponsePage:
    """Returns a page of responses by time of creation, of one model if `model` is given.

    Raises `CursorNotFound` if the cursor is none of them.
    """
    listed = select(*_COLUMNS).where(responses.c.owner == owner)
    if model is not None:
        listed = listed.where(responses.c.model == model)
    rows, has_more = page_by_time(connection, listed, (responses.c.created_at, responses.c.id), query)
    return ResponsePage(_with_output(connection, owner, rows), has_more)


def delete_response(connection: Connection, owner: str, response_id: str) -> bool:
    """Deletes the response and those of its items that nothing else links to; False if there is none."""
    linked = _linked(connection, response_id)
    gone = connection.execute(
        delete(responses).where(responses.c.id == response_id, responses.c.owner == owner)
    )
    if gone.rowcount == 0:
        return False
    delete_unlinked(connection, owner, set(linked))
    return True


def list_input_items(
    connection: Connection, owner: str, response_id: str, query: PageQuery
) -> ItemPage | None:
    """Returns a page of the response's input items, or None if the owner has no such response.

    Raises `CursorNotFound`.
    """
    if connection.execute(_GET, {"owner": owner, "response_id": response_id}).one_or_none() is None:
        return None
    where: ColumnElement[bool] = (
        (response_items.c.response_id == response_id)
        & (response_items.c.direction == "input")
        & (items.c.owner == owner)
    )
    return page_of_items(connection, response_items, where, query)


def _row(
    beginning: Beginning, status: str, completed_at: float | None, body: str
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
        body,
    )


def _add_to_conversations(
    connection: Connection, ended: Sequence[tuple[FinishedResponse, str | None]]
) -> bool:
    """Adds the items of responses that ended well to their conversations; returns whether there is any."""
    in_conversation = False
    for finished, conversation_id in ended:
        if conversation_id is not None:
            in_conversation = True
            if finished.status in ("completed", "incomplete"):
                append_items(connection, conversation_id, _linked(connection, finished.id))
    return in_conversation


def _link_rows(response_id: str, direction: str, item_ids: Sequence[str]) -> list[tuple[str, str, int, str]]:
    return [(response_id, direction, position, item_id) for position, item_id in enumerate(item_ids)]


def _linked(connection: Connection, response_id: str) -> list[str]:
    return list(connection.execute(_LINKED, {"response_id": response_id}).scalars())


def _with_output(connection: Connection, owner: str, rows: Sequence[_ResponseRow]) -> list[StoredResponse]:
    outputs: dict[str, list[str]] = {row.id: [] for row in rows}
    if outputs:
        for response_id, body in connection.execute(_OUTPUTS, {"owner": owner, "ids": list(outputs)}):
            outputs[response_id].append(body)
    return [StoredResponse(**row._asdict(), output=outputs[row.id]) for row in rows]
