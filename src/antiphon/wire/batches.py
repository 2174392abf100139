"""Batches of requests, and the requests that create them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.wire.responses import Metadata

BATCH_PREFIX = "batch"
"""Prefix of the IDs of batches."""

BatchEndpoint = Literal["/v1/responses", "/v1/chat/completions", "/v1/embeddings"]
"""Endpoints that the lines of a batch can call."""
BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]


class BatchError(Struct, frozen=True):
    """Error in the input file of a batch."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None
    """Number of the line, from 1; null for an error of the whole file."""


class BatchErrors(Struct, frozen=True):
    """Errors for which a batch has failed."""

    data: list[BatchError]
    object: Literal["list"] = "list"


class BatchCounts(Struct, frozen=True):
    """Number of lines of a batch."""

    total: int = 0
    completed: int = 0
    """Lines in the output file."""
    failed: int = 0
    """Lines in the error file."""


class BatchInputDetails(Struct, frozen=True):
    """Part of the input tokens."""

    cached_tokens: int = 0


class BatchOutputDetails(Struct, frozen=True):
    """Part of the output tokens."""

    reasoning_tokens: int = 0


class BatchUsage(Struct, frozen=True, kw_only=True):
    """Token counts over all lines of a batch."""

    input_tokens: int = 0
    input_tokens_details: BatchInputDetails = BatchInputDetails()
    output_tokens: int = 0
    output_tokens_details: BatchOutputDetails = BatchOutputDetails()
    total_tokens: int = 0


class Batch(Struct, kw_only=True):
    """Batch of requests; times are null until they are reached."""

    id: str
    object: Literal["batch"] = "batch"
    endpoint: BatchEndpoint
    model: str | None = None
    errors: BatchErrors | None = None
    input_file_id: str
    completion_window: str
    status: BatchStatus
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: int
    in_progress_at: int | None = None
    expires_at: int
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None
    request_counts: BatchCounts = BatchCounts()
    usage: BatchUsage = BatchUsage()
    metadata: Metadata | None = None


class OutputExpiresAfter(Struct, frozen=True):
    """Lifetime of the files that a batch creates."""

    anchor: Literal["created_at"]
    """Creation of the file, not of the batch."""
    seconds: Annotated[int, Meta(ge=3600, le=2_592_000)]


class CreateBatch(Struct, kw_only=True):
    """Body of `POST /v1/batches`."""

    input_file_id: str
    endpoint: BatchEndpoint
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: OutputExpiresAfter | None = None
