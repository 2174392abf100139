"""Reads that only people need: the queue, and the events of a background response."""

from msgspec import Struct
from sqlalchemy import Connection, select

from antiphon.store.runs.tables import is_open, run_events, runs
from antiphon.store.tables import responses


class RunLine(Struct, frozen=True, kw_only=True):
    """A background response in the queue, or in progress."""

    id: str
    """The ID of the response."""
    model: str
    """The model of the request."""
    backend: str
    """The name of the backend."""
    state: str
    """`queued` or `running`."""
    priority: int
    """The place in the owner's queue; lower ones run first."""
    queued_at: float
    """The time of the request."""
    holder: str | None
    """The server that runs the response."""
    execution: int
    """The number of the execution."""
    is_cancelled: bool
    """Whether the response is to be cancelled."""


def open_runs(connection: Connection, owner: str, most: int) -> list[RunLine]:
    """Return the runs of an owner that have not ended, at most so many, the next ones first."""
    found = (
        select(
            runs.c.id,
            responses.c.model,
            runs.c.backend,
            runs.c.state,
            runs.c.priority,
            runs.c.queued_at,
            runs.c.holder,
            runs.c.epoch.label("execution"),
            runs.c.is_cancelled,
        )
        .join(responses, responses.c.id == runs.c.id)
        .where(is_open, runs.c.owner == owner, responses.c.deleted_at.is_(None))
        .order_by(runs.c.state.desc(), runs.c.priority, runs.c.queued_at, runs.c.id)
        .limit(most)
    )
    return [RunLine(**row._asdict()) for row in connection.execute(found)]


def first_events(connection: Connection, owner: str, response_id: str, most: int) -> list[str] | None:
    """Return the JSON texts of the first events of a run, at most so many; None if there is no run."""
    own = select(runs.c.id).where(runs.c.id == response_id, runs.c.owner == owner)
    if connection.execute(own).first() is None:
        return None
    rows = (
        select(run_events.c.body)
        .where(run_events.c.run_id == response_id, run_events.c.seq < most)
        .order_by(run_events.c.seq)
    )
    events = [event for body in connection.execute(rows).scalars() for event in body.split("\n")]
    return events[:most]
