"""Tables of event logs: of background responses, and of streams that clients can resume."""

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
)

from antiphon.store.tables import add_column, metadata, partial_index

runs = Table(
    "runs",
    metadata,
    Column("id", Text, ForeignKey("responses.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("backend", Text, nullable=False),
    Column("priority", Integer, nullable=False),  # Lower ones run first
    Column("queued_at", Double, nullable=False),
    # "queued", "running" or "ended"; "streaming" if it is not in the background and has not ended
    Column("state", Text, nullable=False),
    Column("holder", Text),  # The server that runs the response
    # Each execution has an epoch of its own. Writes of an earlier epoch are rejected.
    Column("epoch", Integer, nullable=False),
    Column("next_seq", Integer, nullable=False),  # The sequence number of the next event
    Column("open_call", Integer),  # The model call in progress
    Column("call_seq", Integer, nullable=False),  # The sequence number of the first event of `open_call`
    Column("is_streamed", Boolean, nullable=False),  # Whether a client may have received events
    Column("is_cancelled", Boolean, nullable=False),
    Column("request", Text),  # None once the response has ended, and for a stream
    Column("read_at", Double),  # When a client last followed the events of a stream
)
"""The runs of background responses, and the streams that clients can resume."""
is_open = runs.c.state != literal_column("'ended'")
"""The condition that a run has not ended; literal, so that planners use the index below."""
partial_index("runs_open", [runs.c.owner], "state != 'ended'")
has_ended = runs.c.state == literal_column("'ended'")
"""The condition that a run has ended; literal as in `is_open`."""
index_ended_runs = partial_index("runs_ended", [runs.c.queued_at], "state = 'ended'")

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("seq", Integer, nullable=False),  # The sequence number of the first event
    Column("body", Text, nullable=False),  # JSON texts of consecutive events, one per line
    PrimaryKeyConstraint("run_id", "seq"),
    sqlite_with_rowid=False,
)
"""The events of runs and streams, one row for each write."""

run_steps = Table(
    "run_steps",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text),  # None for a tool call that has begun
    PrimaryKeyConstraint("run_id", "name"),
)
"""The finished model and tool calls of background responses that have not ended."""


def m013_runs(connection: Connection) -> None:
    """Add the tables of background responses."""
    metadata.create_all(connection, [runs, run_events, run_steps])


def m020_streams(connection: Connection) -> None:
    """Add the column for readers of streams."""
    add_column(connection, runs.c.read_at)
