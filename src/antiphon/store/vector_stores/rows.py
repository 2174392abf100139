"""Records of files and vector stores; times are seconds since 1970."""

from msgspec import Struct

from antiphon.wire.vector_stores import FileCounts, FileErrorCode, FileStatus


class StoredFile(Struct, frozen=True, kw_only=True):
    """An uploaded file."""

    id: str
    """The ID of the file."""
    created_at: float
    """The time of the upload."""
    expires_at: float | None
    """The time of expiry, if the file expires."""
    purpose: str
    """The purpose in the API."""
    filename: str
    """The uploader's name for the file."""
    media_type: str | None
    """The uploader's media type for the file."""
    bytes: int
    """The size."""


class NewVectorStore(Struct, frozen=True, kw_only=True):
    """A vector store to create."""

    id: str
    """The ID of the vector store."""
    created_at: float
    """The time of creation."""
    name: str
    """The name, which may be empty."""
    metadata: str
    """The metadata as JSON text."""
    expires_after_days: int | None
    """Days after the last use until the store expires."""
    embedding_model: str | None
    """The model for semantic search."""
    embedding_dimension: int | None
    """The length of the vectors."""


class StoredVectorStore(NewVectorStore, frozen=True, kw_only=True):
    """A vector store with its current state."""

    last_active_at: float
    """The time of the last use, by the API's clock, which may be frozen."""
    used_at: float
    """The same time by the store's own clock, which determines the expiry."""
    expired: bool
    """Whether the store has expired."""
    counts: FileCounts
    """The number of files by status."""
    usage_bytes: int
    """The size of the completed files."""


class NewBatch(Struct, frozen=True, kw_only=True):
    """A batch of files to attach together."""

    id: str
    """The ID of the batch."""
    created_at: float
    """The time of creation."""


class StoredBatch(NewBatch, frozen=True, kw_only=True):
    """A batch with its current state."""

    vector_store_id: str
    """The vector store of the batch."""
    cancelled: bool
    """Whether the batch was cancelled."""
    counts: FileCounts
    """The number of files by status, without those attached again later."""


class Attachment(Struct, frozen=True, kw_only=True):
    """A file to attach to a vector store."""

    file_id: str
    """The ID of the file."""
    created_at: float
    """The time of the attachment."""
    attributes: str
    """The attributes as JSON text."""
    max_chunk_size: int
    """Tokens per chunk."""
    chunk_overlap: int
    """Tokens shared by neighboring chunks."""


class AttachedFile(Attachment, frozen=True, kw_only=True):
    """A file in a vector store."""

    vector_store_id: str
    """The vector store of the file."""
    batch_id: str | None
    """The batch of the file, if there is one."""
    status: FileStatus
    """The status in the API."""
    attempt: str
    """An ID that is new each time the file is attached."""
    usage_bytes: int
    """The size of the text, once completed."""
    error_code: FileErrorCode | None
    """The code of the error, once failed."""
    error_message: str | None
    """The message of the error, once failed."""


class NamedFile(Struct, frozen=True, kw_only=True):
    """A file in a vector store, for a search."""

    vector_store_id: str
    """The vector store of the file."""
    file_id: str
    """The ID of the file."""
    filename: str
    """The uploader's name for the file."""
    attributes: str
    """The attributes as JSON text."""


class Unread(Struct, frozen=True):
    """The reason why a file couldn't be read into a vector store."""

    code: FileErrorCode
    """The error code in the API."""
    message: str
    """The message for the client."""
