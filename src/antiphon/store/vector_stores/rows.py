"""Files and vector stores as they go into the store and come out. Times are seconds since 1970."""

from typing import Generic, TypeVar

from msgspec import Struct

from antiphon.wire.vector_stores import FileCounts, FileErrorCode, FileStatus

T = TypeVar("T")


class Rows(Struct, Generic[T], frozen=True):
    """A page of a list."""

    rows: list[T]
    has_more: bool


class StoredFile(Struct, frozen=True, kw_only=True):
    """A file; `media_type` is what the upload called it, `bytes` its size."""

    id: str
    created_at: float
    expires_at: float | None
    purpose: str
    filename: str
    media_type: str | None
    bytes: int


class NewVectorStore(Struct, frozen=True, kw_only=True):
    """A vector store; `metadata` is a JSON text."""

    id: str
    created_at: float
    name: str
    metadata: str
    expires_after_days: int | None
    embedding_model: str | None
    embedding_dimension: int | None


class StoredVectorStore(NewVectorStore, frozen=True, kw_only=True):
    """A vector store as it stands. `usage_bytes` is that of its completed files.

    `used_at` is `last_active_at` by the store's own clock, by which it expires; the API's may be frozen.
    """

    last_active_at: float
    used_at: float
    expired: bool
    counts: FileCounts
    usage_bytes: int


class NewBatch(Struct, frozen=True, kw_only=True):
    """Files that are attached together."""

    id: str
    created_at: float


class StoredBatch(NewBatch, frozen=True, kw_only=True):
    """A batch as it stands; a file that was attached again since counts no more."""

    vector_store_id: str
    cancelled: bool
    counts: FileCounts


class Attachment(Struct, frozen=True, kw_only=True):
    """A file that is to be put into a vector store; `attributes` is a JSON text, chunks count tokens."""

    file_id: str
    created_at: float
    attributes: str
    max_chunk_size: int
    chunk_overlap: int


class AttachedFile(Attachment, frozen=True, kw_only=True):
    """A file in a vector store. `attempt` is new each time that the file is attached."""

    vector_store_id: str
    batch_id: str | None
    status: FileStatus
    attempt: str
    usage_bytes: int
    error_code: FileErrorCode | None
    error_message: str | None


class NamedFile(Struct, frozen=True, kw_only=True):
    """A file in a vector store as a search sees it; `attributes` is a JSON text."""

    vector_store_id: str
    file_id: str
    filename: str
    attributes: str


class Unread(Struct, frozen=True):
    """Why a file could not be read into a vector store."""

    code: FileErrorCode
    message: str
