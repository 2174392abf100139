"""Event logs of responses that are not in the background, for clients that resume the stream."""

import msgspec
from sqlalchemy import Connection, literal_column, select, update

from antiphon.errors import InternalError
from antiphon.store.responses.writes import Ending, Insert, finish_responses
from antiphon.store.runs.log import insert_events, passes_fence
from antiphon.store.runs.rows import NewStream, RunEnd, RunWrite
from antiphon.store.runs.tables import runs
from antiphon.store.tables import is_running, responses

STREAMING = "streaming"
"""The state of a stream that has not ended."""

_is_streaming = runs.c.state == literal_column(f"'{STREAMING}'")
_insert = Insert(runs)
_COLUMNS = tuple(runs.columns.keys())
_encode = msgspec.json.Encoder().encode


def begin_streams(connection: Connection, batch: list[NewStream]) -> None:
    """Begin the empty logs of streams, whose responses are stored."""
    rows = []
    for stream in batch:
        values: dict[str, str | float] = {
            "id": stream.response.id,
            "owner": stream.owner,
            "backend": "",
            "priority": 0,
            "queued_at": stream.response.created_at,
            "state": STREAMING,
            "epoch": 0,
            "next_seq": 0,
            "call_seq": 0,
            "is_streamed": True,
            "is_cancelled": False,
        }
        rows.append([values.get(column) for column in _COLUMNS])
    _insert(connection, rows)


def end_streams(connection: Connection, batch: list[RunEnd]) -> None:
    """Store the last events of streams with the ends of their responses.

    The log of a stream that another server has ended, or whose response was deleted, stays as it is.

    Raises:
        InternalError: An earlier write of a stream has failed.
        DuplicateItem: The ID of an output item is taken by an item with another body.
    """
    passed = []
    for end in batch:
        if passes_fence(connection, end.write, state="ended"):
            passed.append(end.write)
        elif connection.execute(select(runs.c.id).where(runs.c.id == end.write.id, _is_streaming)).first():
            raise InternalError
    insert_events(connection, passed)
    finish_responses(connection, [Ending(end.owner, end.finished) for end in batch])


def note_reader(connection: Connection, response_id: str, now: float) -> None:
    """Note that a client follows a stream."""
    connection.execute(update(runs).where(runs.c.id == response_id, _is_streaming).values(read_at=now))


def last_reader(connection: Connection, response_id: str) -> float | None:
    """Return when a client has last followed a stream.

    Returns:
        The time; 0 if no client has followed it, None if it has ended or its response was deleted.
    """
    row = connection.execute(
        select(runs.c.read_at)
        .join(responses, responses.c.id == runs.c.id)
        .where(runs.c.id == response_id, _is_streaming, responses.c.deleted_at.is_(None))
    ).one_or_none()
    return None if row is None else row.read_at or 0.0


def end_lost_streams(connection: Connection) -> None:
    """End the logs of streams whose responses have failed with their server."""
    lost = connection.execute(
        select(runs.c.id, runs.c.next_seq, responses.c.body)
        .join(responses, responses.c.id == runs.c.id)
        .where(_is_streaming, ~is_running)
    ).all()
    writes = []
    for response_id, seq, body in lost:
        failed = {"type": "response.failed", "response": msgspec.Raw(body.encode()), "sequence_number": seq}
        event = _encode(failed)
        writes.append(RunWrite(id=response_id, epoch=0, seq=seq, events=[event]))
    insert_events(connection, [write for write in writes if passes_fence(connection, write, state="ended")])
