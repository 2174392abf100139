"""Records of batches."""

from collections.abc import Callable

from msgspec import Struct

from antiphon.store.vector_stores.rows import StoredFile
from antiphon.wire.batches import BatchUsage


class NewBatch(Struct, frozen=True, kw_only=True):
    """A batch to store and to queue."""

    id: str
    """The ID of the batch."""
    created_at: float
    """The time of creation in the API."""
    seconds: float
    """Seconds from now until the batch expires."""
    body: str
    """The batch object."""
    context: str
    """The context of the request that created the batch, for its lines."""
    output_seconds: int | None
    """The lifetime of the files that the batch creates; None for the default."""


class StoredBatch(Struct, frozen=True, kw_only=True):
    """A stored batch."""

    id: str
    """The ID of the batch."""
    body: str
    """The batch object, whose counts are the fields below."""
    total: int
    """Number of lines; 0 before the input file was checked."""
    completed: int
    """Number of lines in the output file."""
    failed: int
    """Number of lines in the error file."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int


class BatchLimits(Struct, frozen=True, kw_only=True):
    """The most batches that are executed at the same time; the others wait."""

    per_process: int = 16
    """Batches of one server."""
    per_owner: int = 4
    """Batches of one owner, on all servers of the database."""


class ClaimedBatch(Struct, frozen=True, kw_only=True):
    """A batch that belongs to this server from now on."""

    id: str
    """The ID of the batch."""
    owner: str
    """The owner of the batch."""
    epoch: int
    """The number of this execution."""
    is_cancelled: bool
    """Whether the batch is to be cancelled."""
    remaining: float
    """Seconds until the batch expires."""
    body: str
    """The batch object."""
    context: str
    """The context of the request that created the batch, for its lines."""
    output_seconds: int | None
    """The lifetime of the files that the batch creates; None for the default."""
    total: int
    """Number of lines; 0 before the input file was checked."""


class LineResult(Struct, frozen=True, kw_only=True):
    """The result of one line, which is rejected if another execution has replaced this one."""

    batch_id: str
    """The ID of the batch."""
    epoch: int
    """The number of the execution."""
    number: int
    """The number of the line, from 1."""
    is_error: bool
    """Whether the result belongs to the error file."""
    body: str
    """The line of the output file or of the error file."""
    usage: BatchUsage
    """The tokens of the line."""


class LineStep(Struct, frozen=True, kw_only=True):
    """A finished call of one line, which is rejected if another execution has replaced this one."""

    batch_id: str
    """The ID of the batch."""
    epoch: int
    """The number of the execution."""
    number: int
    """The number of the line, from 1."""
    name: str
    """The name of the step."""
    body: str | None
    """The result; None for a tool call that has begun."""


class BatchEnd(Struct, frozen=True, kw_only=True):
    """The end of a batch."""

    changed: Callable[[str], str]
    """Returns the batch object in its final status."""
    event: str
    """The type of its webhook event."""
    files: list[StoredFile]
    """The files that contain the results; their contents are stored."""
    failed: int
    """Number of lines in the error file."""
