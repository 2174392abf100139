"""Use cases of the log: its lists, and everything about one response."""

import msgspec
from msgspec import Struct

from antiphon.errors import InvalidRequest
from antiphon.service.items import decode_item
from antiphon.service.log.stored import Steps, steps_of, summary_of
from antiphon.service.log.timeline import StepView, timeline
from antiphon.store import Store
from antiphon.store.errors import ObjectNotFound
from antiphon.store.log.rows import LoggedRun, LogQuery, LogRow
from antiphon.wire.items import Item
from antiphon.wire.log import LogEntry, LogList, Step, Summary
from antiphon.wire.responses import Response

LAST = "-1"
"""The name of the newest line of the log."""

_MOST_EVENTS = 100_000

_decode_response = msgspec.json.Decoder(Response).decode


class LoggedResponse(Struct, frozen=True, kw_only=True):
    """Everything that the log has about a response or a refused request."""

    entry: LogEntry
    """The line."""
    steps: list[Step]
    """The steps as the log keeps them."""
    timeline: list[StepView]
    """The model and tool calls, in the order in which they began."""
    left_out: int
    """Number of further calls that the log does not have."""
    response: Response | None
    """The response with complete output items; None without a stored response."""
    input: list[Item]
    """The input items, without those of earlier responses."""
    forks: list[str]
    """IDs of forks of the response, the oldest first."""
    next_ids: list[str]
    """IDs of the responses that continue the response, the oldest first."""

    @property
    def output(self) -> list[Item]:
        """The output items."""
        return [] if self.response is None else self.response.output


class Log:
    """The use cases of the log.

    The `owner` is None for the operator, who may see the lines of all owners.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def page(self, query: LogQuery) -> LogList:
        """Return the lines that fulfill the conditions of a query, the newest first.

        Raises:
            NotFound: The line `after` does not exist.
        """
        page = await self._store.log.page(query)
        entries = [_entry(row) for row in page.rows]
        last_id = entries[-1].id if entries else None
        return LogList(data=entries, has_more=page.has_more, last_id=last_id)

    async def find(self, owner: str | None, name: str) -> str:
        """Return the ID of a line by a unique beginning of it, or by `LAST`.

        Raises:
            NotFound: No line has the ID.
            InvalidRequest: Several IDs begin with the name.
        """
        if name == LAST:
            page = await self._store.log.page(LogQuery(owner=owner, limit=1))
            found = [row.id for row in page.rows]
        else:
            found = await self._store.log.find(owner, name) if name else []
        if not found:
            raise ObjectNotFound("Response", name)
        if len(found) > 1 and name not in found:
            named = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
            raise InvalidRequest(
                f"Several responses begin with '{name[:100]}': {named}. Name more characters.",
                code="ambiguous_id",
                param="id",
            )
        return name if name in found else found[0]

    async def get(self, owner: str | None, entry_id: str) -> LoggedResponse:
        """Return everything about a line.

        Raises:
            NotFound: The owner has no such line.
        """
        found = await self._store.log.get(owner, entry_id)
        if found is None:
            raise ObjectNotFound("Response", entry_id)
        return logged_response(found)

    async def events(self, response_id: str) -> list[bytes]:
        """Return the JSON texts of the events of a background response, which `get` has found."""
        events: list[bytes] = []
        while len(events) < _MOST_EVENTS:
            page = await self._store.runs.events_after(response_id, len(events) - 1)
            if page is None or not page.events:
                break
            events += page.events
        return events


def logged_response(found: LoggedRun) -> LoggedResponse:
    """Return a stored line in the form of the API."""
    response = None
    if found.body is not None:
        response = _decode_response(found.body)
        response.output = [decode_item(body) for body in found.output]
    steps = Steps() if found.steps is None else steps_of(found.steps)
    return LoggedResponse(
        entry=_entry(found.row),
        steps=steps.steps,
        timeline=timeline(steps, [] if response is None else response.output),
        left_out=steps.left_out,
        response=response,
        input=[decode_item(body) for body in found.input],
        forks=found.forks,
        next_ids=found.next_ids,
    )


def _entry(row: LogRow) -> LogEntry:
    return LogEntry(
        id=row.id,
        kind=row.kind,
        owner=row.owner,
        key=row.key_name,
        created_at=row.created_at,
        status=row.status,
        model=row.model,
        conversation_id=row.conversation_id,
        previous_response_id=row.previous_response_id,
        forked_from=row.forked_from,
        summary=Summary() if row.summary is None else summary_of(row.summary),
    )
