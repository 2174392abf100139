"""The queue of background responses: submission, claims, cancellation."""

from collections.abc import Collection
from functools import cache

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    update,
)

from antiphon.store.responses.rows import FinishedResponse
from antiphon.store.responses.writes import Beginning, Ending, begin_responses, finish_responses
from antiphon.store.runs.rows import ClaimedRun, NewRun, RunLimits
from antiphon.store.runs.tables import is_open, run_events, run_steps, runs
from antiphon.store.tables import DURABLE, conversations, is_left, responses
from antiphon.wire.json import JSONObject

_LOCK = 0x616E7471
"""The key of PostgreSQL's advisory lock: one server claims at a time, so that limits hold."""
_is_queued = runs.c.state == literal_column("'queued'")
_is_running = runs.c.state == literal_column("'running'")
ACTIVE = "active_runs"
"""The parameter of `waiting` for the runs that this server executes."""
# Making a statement takes longer than most of these take to run.
_QUEUE = (
    update(responses)
    .where(responses.c.id == bindparam("the_id"))
    .values(status="queued", body=bindparam("queued_body"))
)
_LOCK_FOR_ALL = (
    update(conversations)
    .where(conversations.c.locked_by == bindparam("the_id"))
    .values(locked_server=DURABLE)
)
_TAKE = (
    update(runs)
    .where(runs.c.id == bindparam("the_id"))
    .values(state="running", holder=bindparam("server_id"), epoch=runs.c.epoch + 1)
    .returning(
        runs.c.id,
        runs.c.owner,
        runs.c.epoch,
        runs.c.next_seq,
        runs.c.open_call,
        runs.c.call_seq,
        runs.c.is_cancelled,
        runs.c.is_streamed,
        runs.c.request,
    )
)
_STEPS = select(run_steps.c.name, run_steps.c.body).where(run_steps.c.run_id == bindparam("the_id"))
_QUEUED_BODY = select(responses.c.body).where(
    responses.c.id == bindparam("the_id"), responses.c.status == "queued"
)
_START = (
    update(responses)
    .where(responses.c.id == bindparam("the_id"))
    .values(status="in_progress", body=bindparam("new_body"))
)
_HELD = (
    select(runs.c.id, runs.c.is_cancelled)
    .join(responses, responses.c.id == runs.c.id)
    .where(
        runs.c.id.in_(bindparam(ACTIVE, expanding=True)),
        is_open,
        _is_running,
        runs.c.holder == bindparam("server_id"),
        responses.c.deleted_at.is_(None),
    )
)
_COUNTS = (
    select(runs.c.owner, runs.c.backend, func.count())
    .where(is_open, _is_running)
    .group_by(runs.c.owner, runs.c.backend)
)
_OPEN_COUNTS = (
    select(runs.c.state, runs.c.owner, runs.c.backend, func.count())
    .where(is_open)
    .group_by(runs.c.state, runs.c.owner, runs.c.backend)
)
_place = func.row_number().over(
    partition_by=(runs.c.owner, runs.c.backend),
    order_by=(runs.c.priority, runs.c.queued_at, runs.c.id),
)
_ranked = (
    select(runs.c.id, runs.c.owner, runs.c.backend, runs.c.priority, runs.c.queued_at, _place.label("place"))
    .where(is_open, _is_queued)
    .subquery()
)
_FIRST_QUEUED = select(_ranked).where(_ranked.c.place == 1)


def submit(
    connection: Connection, owner: str, new: NewRun, claimant: str | None, limits: RunLimits
) -> ClaimedRun | None:
    """Store a response with its input, and queue it, or claim it if nothing waits.

    Its conversation stays locked until the response ends, whatever becomes of this server.

    Args:
        connection: The connection.
        owner: The owner of the response.
        new: The response.
        claimant: The server that has a free place for it; None without one.
        limits: The limits for claimed runs.

    Returns:
        The claimed run; None if it is queued.
    """
    response = new.response
    is_claimed = claimant is not None and _is_next(connection, owner, new.backend, limits)
    begin_responses(connection, [Beginning(owner, DURABLE, response)])
    if not is_claimed:
        connection.execute(_QUEUE, {"the_id": response.id, "queued_body": new.queued})
    if response.conversation_id is not None:
        connection.execute(_LOCK_FOR_ALL, {"the_id": response.id})
    connection.execute(
        insert(runs),
        {
            "id": response.id,
            "owner": owner,
            "backend": new.backend,
            "priority": new.priority,
            "queued_at": response.created_at,
            "state": "running" if is_claimed else "queued",
            "holder": claimant if is_claimed else None,
            "epoch": int(is_claimed),
            "next_seq": len(new.events),
            "call_seq": 0,
            "is_streamed": new.is_streamed,
            "is_cancelled": False,
            "request": new.request,
        },
    )
    body = b"\n".join(new.events).decode()
    connection.execute(insert(run_events), {"run_id": response.id, "seq": 0, "body": body})
    if not is_claimed:
        return None
    return ClaimedRun(
        id=response.id,
        owner=owner,
        epoch=1,
        next_seq=len(new.events),
        open_call=None,
        call_seq=0,
        is_cancelled=False,
        is_streamed=new.is_streamed,
        request=new.request,
        steps={},
    )


def _is_next(connection: Connection, owner: str, backend: str, limits: RunLimits) -> bool:
    """Return whether a run can begin at once: none waits, and the limits allow it.

    On PostgreSQL, it waits if another server claims a run at this moment.
    """
    if connection.dialect.name == "postgresql":
        locked = text("SELECT pg_try_advisory_xact_lock(:key)")
        if not connection.execute(locked, {"key": _LOCK}).scalar_one():
            return False
    by_owner = by_backend = 0
    for state, its_owner, its_backend, count in connection.execute(_OPEN_COUNTS):
        if state == "queued":
            return False
        if state == "running":
            by_owner += count if its_owner == owner else 0
            by_backend += count if its_backend == backend else 0
    return by_owner < limits.per_owner and by_backend < limits.per_backend


@cache
def waiting(server_id: str) -> ColumnElement[bool]:
    """Return the condition that a run is queued, or belongs to no server that runs it.

    Its parameter is `ACTIVE`.
    """
    return select(runs.c.id).where(is_open, or_(_is_queued, _is_left(server_id))).exists()


def counts(connection: Connection) -> tuple[int, int]:
    """Return the number of runs that wait, and of those that run, on all servers."""
    found = select(runs.c.state, func.count()).where(is_open).group_by(runs.c.state)
    by_state: dict[str, int] = dict(connection.execute(found).all())
    return by_state.get("queued", 0), by_state.get("running", 0)


def claim(
    connection: Connection, server_id: str, active: Collection[str], limits: RunLimits
) -> ClaimedRun | None:
    """Give this server the next run: first those that no server runs any more, then queued ones.

    Of queued runs, that of the owner with the fewest runs comes first, so that no owner waits for all the
    runs of another. Priorities decide among the runs of one owner.

    Args:
        connection: The connection.
        server_id: This server.
        active: The runs that this server executes.
        limits: The limits for queued runs.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    left = connection.execute(_first_left(server_id), {ACTIVE: list(active)}).scalar()
    run_id = left or _next_queued(connection, limits)
    if run_id is None:
        return None
    row = connection.execute(_TAKE, {"the_id": run_id, "server_id": server_id}).one()
    _note_start(connection, run_id)
    found = connection.execute(_STEPS, {"the_id": run_id})
    return ClaimedRun(**row._asdict(), steps=dict(found.all()))


def cancel(
    connection: Connection, owner: str, response_id: str, finished: FinishedResponse, event: bytes
) -> str | None:
    """Cancel a response: at once if it is queued; otherwise, the server that runs it will end it.

    Args:
        connection: The connection.
        owner: The owner of the response.
        response_id: The ID of the response.
        finished: The cancelled response, for one that is queued.
        event: The JSON text of the terminal event, for one that is queued.

    Returns:
        The state of the run before; None if the owner has no such background response.
    """
    mine = (runs.c.id == response_id) & (runs.c.owner == owner)
    # The update locks the row. Without it, the run could be claimed in between.
    locked = update(runs).where(mine, is_open).values(is_cancelled=True).returning(runs.c.state)
    state: str | None = connection.execute(locked).scalar()
    if state is None:
        state = connection.execute(select(runs.c.state).where(mine)).scalar()
    if state == "queued":
        ended = {"state": "ended", "request": None, "next_seq": runs.c.next_seq + 1}
        seq = connection.execute(
            update(runs).where(mine).values(ended).returning(runs.c.next_seq)
        ).scalar_one()
        connection.execute(
            insert(run_events), {"run_id": response_id, "seq": seq - 1, "body": event.decode()}
        )
        finish_responses(connection, [Ending(owner, finished)])
    return state


def held(connection: Connection, server_id: str, active: Collection[str]) -> dict[str, bool]:
    """Return the runs that this server still executes, each with whether it is to be cancelled.

    A run whose response was deleted, or that another server has taken over, is missing.
    """
    found = connection.execute(_HELD, {ACTIVE: list(active), "server_id": server_id})
    return dict(found.all())


def _note_start(connection: Connection, run_id: str) -> None:
    body = connection.execute(_QUEUED_BODY, {"the_id": run_id}).scalar()
    if body is not None:
        response = msgspec.json.decode(body, type=JSONObject)
        response["status"] = "in_progress"
        started = {"the_id": run_id, "new_body": msgspec.json.encode(response).decode()}
        connection.execute(_START, started)


def _is_left(server_id: str) -> ColumnElement[bool]:
    """Return the condition that no server runs a run: its holder stopped, or this one gave up."""
    others = runs.c.id.not_in(bindparam(ACTIVE, expanding=True))
    return _is_running & others & is_left(runs.c.holder, server_id)


@cache
def _first_left(server_id: str) -> Select[str]:
    return select(runs.c.id).where(is_open, _is_left(server_id)).order_by(runs.c.queued_at).limit(1)


def _next_queued(connection: Connection, limits: RunLimits) -> str | None:
    by_owner: dict[str, int] = {}
    by_backend: dict[str, int] = {}
    for owner, backend, count in connection.execute(_COUNTS):
        by_owner[owner] = by_owner.get(owner, 0) + count
        by_backend[backend] = by_backend.get(backend, 0) + count
    first = [
        (by_owner.get(row.owner, 0), row.priority, row.queued_at, row.id)
        for row in connection.execute(_FIRST_QUEUED)
        if by_owner.get(row.owner, 0) < limits.per_owner
        and by_backend.get(row.backend, 0) < limits.per_backend
    ]
    return min(first)[3] if first else None
