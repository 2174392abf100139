"""Event logs, and steps of background responses, written under the fence of one execution."""

from collections.abc import Collection, Iterable
from functools import cache

from msgspec import UnsetType
from sqlalchemy import Connection, Update, bindparam, case, delete, exists, func, select, update

from antiphon.store.responses.writes import Ending, Insert, finish_responses
from antiphon.store.runs.rows import EventPage, Fenced, RunEnd, RunWrite
from antiphon.store.runs.tables import is_open, run_events, run_steps, runs
from antiphon.store.tables import responses

_ROWS = 64
"""The most rows of events that a reader gets at once."""

_insert_events = Insert(run_events)
_keep_steps = Insert(run_steps, "ON CONFLICT (run_id, name) DO UPDATE SET body = excluded.body")


_SET_ENDED = (
    update(runs)
    .where(runs.c.id.in_(bindparam("ended", expanding=True)))
    .values(state="ended", holder=None, request=None)
)
_DELETE_STEPS = delete(run_steps).where(run_steps.c.run_id.in_(bindparam("ended", expanding=True)))
_mine = (
    (runs.c.id == bindparam("the_id"))
    & (runs.c.owner == bindparam("the_owner"))
    & exists().where(responses.c.id == runs.c.id, responses.c.deleted_at.is_(None))
)
_READ = (
    update(runs)
    .where(_mine, is_open)
    .values(is_streamed=True, read_at=bindparam("now"))
    .returning(runs.c.state)
)
_STATE = select(runs.c.state).where(_mine)
_POSITION = select(runs.c.state, runs.c.next_seq).where(runs.c.id == bindparam("the_id"))
# The row of the next event may begin with earlier ones.
_begin = select(func.max(run_events.c.seq)).where(
    run_events.c.run_id == bindparam("the_id"), run_events.c.seq <= bindparam("next")
)
_EVENTS = (
    select(run_events.c.seq, run_events.c.body)
    .where(run_events.c.run_id == bindparam("the_id"), run_events.c.seq >= _begin.scalar_subquery())
    .order_by(run_events.c.seq)
    .limit(_ROWS)
)


def write_runs(connection: Connection, batch: list[RunWrite]) -> None:
    """Store events and steps of executions.

    Raises:
        Fenced: Another execution has replaced one of them, or its response was deleted.
    """
    for write in batch:
        if not passes_fence(connection, write):
            raise Fenced(write.id)
    insert_events(connection, batch)
    steps = [(write.id, *write.step) for write in batch if write.step is not None]
    steps += [(write.id, *logged) for write in batch for logged in write.logged]
    _keep_steps(connection, steps)


def end_runs(connection: Connection, batch: list[RunEnd]) -> None:
    """Store the ends of runs and of their responses.

    Raises:
        Fenced: Another execution has replaced one of them, or its response was deleted.
        DuplicateItem: The ID of an output item is taken by an item with another body.
    """
    write_runs(connection, [end.write for end in batch])
    ended = [end.write.id for end in batch]
    connection.execute(_SET_ENDED, {"ended": ended})
    connection.execute(_DELETE_STEPS, {"ended": ended})
    finish_responses(connection, [Ending(end.owner, end.finished) for end in batch])


def drop(connection: Connection, run_id: str, epoch: int) -> None:
    """Remove a run whose response was deleted."""
    connection.execute(delete(runs).where(runs.c.id == run_id, runs.c.epoch == epoch))


def rewind(connection: Connection, run_id: str, epoch: int) -> bool:
    """Remove the events of the unfinished model call, unless a client may have received them.

    Returns:
        Whether the call can begin again as if it had never begun.
    """
    rewound = (
        update(runs)
        .where(runs.c.id == run_id, runs.c.epoch == epoch, ~runs.c.is_streamed)
        .values(next_seq=runs.c.call_seq, open_call=None)
        .returning(runs.c.next_seq)
    )
    seq = connection.execute(rewound).scalar()
    if seq is None:
        return False
    connection.execute(delete(run_events).where(run_events.c.run_id == run_id, run_events.c.seq >= seq))
    return True


def begin_reading(connection: Connection, owner: str, response_id: str, now: float) -> str | None:
    """Note that a client receives the events of a response.

    Returns:
        The state of the run; None if the owner has no such run.
    """
    mine = {"the_id": response_id, "the_owner": owner}
    state: str | None = connection.execute(_READ, mine | {"now": now}).scalar()
    return state or connection.execute(_STATE, mine).scalar()


def progress(connection: Connection, run_ids: Collection[str]) -> dict[str, int]:
    """Return a number for each run that changes with its events and its end."""
    found = select(runs.c.id, 2 * runs.c.next_seq + case((is_open, 0), else_=1)).where(runs.c.id.in_(run_ids))
    return dict(connection.execute(found).all())


def events_after(connection: Connection, run_id: str, after: int) -> EventPage | None:
    """Return the next events after the one with the number `after`; None for a deleted response."""
    state = connection.execute(_POSITION, {"the_id": run_id}).one_or_none()
    if state is None:
        return None
    rows = connection.execute(_EVENTS, {"the_id": run_id, "next": after + 1}).all()
    events: list[bytes] = []
    last = after
    for seq, body in rows:
        lines = body.encode().split(b"\n")
        events += lines[max(0, after + 1 - seq) :]
        last = max(last, seq + len(lines) - 1)
    has_ended = state.state == "ended" and last >= state.next_seq - 1
    return EventPage(events=events, last_seq=last, has_ended=has_ended)


def passes_fence(connection: Connection, write: RunWrite, state: str | None = None) -> bool:
    """Count the events of a write, unless another execution has replaced the one that makes it.

    Args:
        connection: The connection.
        write: The write.
        state: The new state of the run; None keeps it.

    Returns:
        Whether the write is to be made.
    """
    after = write.seq + len(write.events)
    values: dict[str, int | str | None] = {"next_seq": after}
    if state is not None:
        values["state"] = state
    if write.open_call is None:
        values["open_call"] = None
    elif not isinstance(write.open_call, UnsetType):
        number, seq = write.open_call
        values |= {"open_call": number, "call_seq": seq}
    place = {"the_id": write.id, "the_epoch": write.epoch, "the_seq": write.seq}
    return connection.execute(_passing(tuple(values)), place | values).rowcount > 0


@cache
def _passing(columns: tuple[str, ...]) -> Update:
    """Return the statement that sets some columns of a run; making it takes longer than the update."""
    passed = update(runs).where(
        runs.c.id == bindparam("the_id"),
        runs.c.epoch == bindparam("the_epoch"),
        runs.c.next_seq == bindparam("the_seq"),
        is_open,
    )
    return passed.values({column: bindparam(column) for column in columns})


def insert_events(connection: Connection, batch: Iterable[RunWrite]) -> None:
    """Store the events of writes that have passed the fence."""
    rows: list[tuple[str, int, str]] = []
    for write in batch:
        # The events of a model call begin a row, so that they can be removed.
        cut = write.open_call[1] - write.seq if isinstance(write.open_call, tuple) else 0
        for seq, events in ((write.seq, write.events[:cut]), (write.seq + cut, write.events[cut:])):
            if events:
                rows.append((write.id, seq, b"\n".join(events).decode()))
    _insert_events(connection, rows)
