"""Tables of batches."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
)

from antiphon.store.tables import metadata, partial_index


def _tokens(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default="0")


batches = Table(
    "batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("deadline", Double, nullable=False),  # The expiry by the store's own clock, which is never frozen
    Column("state", Text, nullable=False),  # "queued", "running" or "ended", as that of a run
    Column("holder", Text),  # The server that executes the batch
    Column("epoch", Integer, nullable=False),  # Writes of an earlier execution are rejected, as for runs
    Column("is_cancelled", Boolean, nullable=False),
    Column("body", Text, nullable=False),  # The batch object without its counts, which are the columns below
    Column("context", Text, nullable=False),  # The context of the request that created it
    Column("output_seconds", Integer),  # The lifetime of the files that the batch creates
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    *(_tokens(name) for name in ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")),
)
"""The batches of all owners."""
Index("batches_by_time", batches.c.owner, batches.c.created_at, batches.c.id)
is_open = batches.c.state != literal_column("'ended'")
"""The condition that a batch has not ended; literal, so that planners use the index below."""
partial_index("batches_open", [batches.c.owner], "state != 'ended'")

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("batch_id", Text, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),  # The number of the line in the input file, from 1
    Column("is_error", Boolean, nullable=False),  # Whether it belongs to the error file
    Column("body", Text, nullable=False),  # The line of the output file or of the error file
    PrimaryKeyConstraint("batch_id", "number"),
)
"""The results of finished lines, until the batch has ended and its files contain them."""

batch_steps = Table(
    "batch_steps",
    metadata,
    Column("batch_id", Text, ForeignKey("batches.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),  # The number of the line
    Column("name", Text, nullable=False),
    Column("body", Text),  # None for a tool call that has begun
    PrimaryKeyConstraint("batch_id", "number", "name"),
)
"""The finished model and tool calls of lines that have no result yet."""


def m015_batches(connection: Connection) -> None:
    """Add the tables of batches."""
    metadata.create_all(connection, [batches, batch_lines])


def m023_batch_steps(connection: Connection) -> None:
    """Add the table of finished calls."""
    metadata.create_all(connection, [batch_steps])
