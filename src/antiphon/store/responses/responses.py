"""Stored responses, for reading, listing and deletion."""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, update

from antiphon.store.database import Database
from antiphon.store.deletions.queue import Progress, remove_later
from antiphon.store.deletions.records import DeletionRecords
from antiphon.store.paging import page_by_time
from antiphon.store.responses.chain import response_history
from antiphon.store.responses.items import page_of_items
from antiphon.store.responses.pending import PendingResponses
from antiphon.store.responses.removal import remove_response
from antiphon.store.responses.rows import History, ItemPage, ResponsePage, StoredResponse
from antiphon.store.tables import items, response_items, responses
from antiphon.wire.lists import PageQuery

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
_IS_OWN = (
    (responses.c.id == bindparam("response_id"))
    & (responses.c.owner == bindparam("owner"))
    & responses.c.deleted_at.is_(None)
)
_GET = select(*_COLUMNS).where(_IS_OWN)
_FIND = select(responses.c.id).where(_IS_OWN).with_for_update()
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


class ResponseRecords:
    """The responses of all owners. `PendingResponses` begins and finishes them.

    Methods that read one response wait until its beginning is stored, if this server runs the response.
    """

    def __init__(
        self,
        database: Database,
        pending: PendingResponses,
        deletions: DeletionRecords,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._pending = pending
        self._deletions = deletions
        self._clock = clock

    async def get(self, owner: str, response_id: str) -> StoredResponse | None:
        """Return the response in its current state, or None if the owner has no such one."""
        await self._pending.wait_until_begun(response_id)
        return await self._database.read(lambda c: _get(c, owner, response_id))

    async def list(self, owner: str, query: PageQuery, *, model: str | None = None) -> ResponsePage:
        """Return a page of responses by time of creation.

        With a `model`, the page has only responses of that model.

        Raises:
            CursorNotFound: The cursor is not among the responses.
        """
        return await self._database.read(lambda c: _list(c, owner, query, model))

    async def delete(self, owner: str, response_id: str) -> bool:
        """Delete the response and the items that nothing else links to.

        A response with many items is hidden at once, and its items are removed later.

        Returns:
            Whether the owner had such a response.
        """
        found = await self._database.write(lambda c: _delete(c, owner, response_id, self._clock()))
        if found:
            self._deletions.notify()
        return found

    async def input_items(self, owner: str, response_id: str, query: PageQuery) -> ItemPage | None:
        """Return a page of the input items, or None if the owner has no such response.

        Raises:
            CursorNotFound: The cursor is not among the input items.
        """
        await self._pending.wait_until_begun(response_id)
        return await self._database.read(lambda c: _list_input_items(c, owner, response_id, query))

    async def history(self, owner: str, response_id: str) -> History:
        """Return the items that precede a follow-up of the response, oldest first.

        Raises:
            PreviousResponseNotFound: A response of the chain is missing; the error names the one closest
                to `response_id`.
        """
        await self._pending.wait_until_begun(response_id)
        return await self._database.read(lambda c: response_history(c, owner, response_id))


def _get(connection: Connection, owner: str, response_id: str) -> StoredResponse | None:
    row = connection.execute(_GET, {"owner": owner, "response_id": response_id}).one_or_none()
    return None if row is None else _with_output(connection, owner, [row])[0]


def _list(connection: Connection, owner: str, query: PageQuery, model: str | None) -> ResponsePage:
    listed = select(*_COLUMNS).where(responses.c.owner == owner, responses.c.deleted_at.is_(None))
    if model is not None:
        listed = listed.where(responses.c.model == model)
    rows, has_more = page_by_time(connection, listed, (responses.c.created_at, responses.c.id), query)
    return ResponsePage(_with_output(connection, owner, rows), has_more)


def _delete(connection: Connection, owner: str, response_id: str, now: float) -> bool:
    if connection.execute(_FIND, {"owner": owner, "response_id": response_id}).first() is None:
        return False
    remove_or_hide(connection, response_id, now)
    return True


def remove_or_hide(connection: Connection, response_id: str, now: float) -> None:
    """Remove a response; hide and queue one with many items."""
    if remove_response(connection, response_id) is Progress.MORE:
        connection.execute(update(responses).where(responses.c.id == response_id).values(deleted_at=now))
        remove_later(connection, "response", response_id)


def _list_input_items(
    connection: Connection, owner: str, response_id: str, query: PageQuery
) -> ItemPage | None:
    if connection.execute(_GET, {"owner": owner, "response_id": response_id}).one_or_none() is None:
        return None
    where: ColumnElement[bool] = (
        (response_items.c.response_id == response_id)
        & (response_items.c.direction == "input")
        & (items.c.owner == owner)
    )
    return page_of_items(connection, response_items, where, query)


def _with_output(connection: Connection, owner: str, rows: Sequence[_ResponseRow]) -> list[StoredResponse]:
    outputs: dict[str, list[str]] = {row.id: [] for row in rows}
    if outputs:
        for response_id, body in connection.execute(_OUTPUTS, {"owner": owner, "ids": list(outputs)}):
            outputs[response_id].append(body)
    return [StoredResponse(**row._asdict(), output=outputs[row.id]) for row in rows]
