"""Vector stores, their files, batches of files, and searches."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.json import JSONObject
from antiphon.wire.responses import Metadata

Attributes = dict[str, str | int | float | bool]
FileStatus = Literal["in_progress", "completed", "failed", "cancelled"]
FileErrorCode = Literal["server_error", "unsupported_file", "invalid_file"]


class ExpiresAfter(Struct, kw_only=True):
    """Expiration policy of a vector store: days after its last use."""

    anchor: Literal["last_active_at"]
    days: Annotated[int, Meta(ge=1, le=365)]


class StaticChunking(Struct, kw_only=True):
    """Sizes of chunks in tokens; the overlap is at most half of the size."""

    max_chunk_size_tokens: Annotated[int, Meta(ge=100, le=4096)]
    chunk_overlap_tokens: Annotated[int, Meta(ge=0)]


class AutoChunkingStrategy(Struct, tag="auto"):
    """Default sizes of chunks."""


class StaticChunkingStrategy(Struct, tag="static", kw_only=True):
    """Given sizes of chunks."""

    static: StaticChunking


ChunkingStrategy = AutoChunkingStrategy | StaticChunkingStrategy


class FileCounts(Struct, kw_only=True):
    """Numbers of files by status."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class VectorStore(Struct, kw_only=True):
    """Vector store; its name may be empty."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int
    name: str
    usage_bytes: int
    file_counts: FileCounts
    status: Literal["expired", "in_progress", "completed"]
    expires_after: ExpiresAfter | UnsetType = UNSET
    """Expiration policy; absent if the store does not expire."""
    expires_at: int | None
    last_active_at: int | None
    metadata: Metadata


class DeletedVectorStore(Struct):
    """Response to `DELETE /v1/vector_stores/{id}`."""

    id: str
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: bool = True


class CreateVectorStore(Struct, kw_only=True):
    """Body of `POST /v1/vector_stores`."""

    file_ids: Annotated[list[str], Meta(max_length=500)] | None = None
    name: str | None = None
    expires_after: ExpiresAfter | None = None
    chunking_strategy: ChunkingStrategy | None = None
    metadata: Metadata | None = None
    embedding_model: str | None = None
    """Extension of llama-stack."""
    embedding_dimension: int | str | None = None
    """Extension of llama-stack, whose clients send the number as text."""


class UpdateVectorStore(Struct, kw_only=True):
    """Body of `POST /v1/vector_stores/{id}`; absent keys are kept, null clears them."""

    name: str | None | UnsetType = UNSET
    expires_after: ExpiresAfter | None | UnsetType = UNSET
    metadata: Metadata | None | UnsetType = UNSET


class FileError(Struct, kw_only=True):
    """Error of a file that could not be indexed."""

    code: FileErrorCode
    message: str


class VectorStoreFile(Struct, kw_only=True):
    """File in a vector store, with the ID of the uploaded file.

    `usage_bytes` is 0 until the status is `completed`.
    """

    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    created_at: int
    vector_store_id: str
    usage_bytes: int
    status: FileStatus
    last_error: FileError | None
    chunking_strategy: StaticChunkingStrategy
    attributes: Attributes


class DeletedVectorStoreFile(Struct):
    """Response to `DELETE /v1/vector_stores/{id}/files/{file_id}`."""

    id: str
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: bool = True


class CreateVectorStoreFile(Struct, kw_only=True):
    """Body of `POST /v1/vector_stores/{id}/files`."""

    file_id: str
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None


class UpdateVectorStoreFile(Struct, kw_only=True):
    """Body of `POST /v1/vector_stores/{id}/files/{file_id}`.

    `attributes` is required; null clears the attributes.
    """

    attributes: Attributes | None


class CreateFileBatch(Struct, kw_only=True):
    """Body of `POST /v1/vector_stores/{id}/file_batches`.

    The request contains either `file_ids`, which share `attributes` and `chunking_strategy`, or `files` with
    their own.
    """

    file_ids: Annotated[list[str], Meta(min_length=1, max_length=2000)] | None = None
    files: Annotated[list[CreateVectorStoreFile], Meta(min_length=1, max_length=2000)] | None = None
    attributes: Attributes | None = None
    chunking_strategy: ChunkingStrategy | None = None


class FileBatch(Struct, kw_only=True):
    """Files that were added to a vector store together."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int
    vector_store_id: str
    status: FileStatus
    file_counts: FileCounts


class TextContent(Struct):
    """Text of a chunk."""

    text: str
    type: Literal["text"] = "text"


class FileContentPage(Struct, kw_only=True):
    """Chunks of a file in a vector store."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[TextContent]
    has_more: bool = False
    next_page: str | None = None


class SearchVectorStore(Struct, kw_only=True):
    """Body of `POST /v1/vector_stores/{id}/search`."""

    query: str | list[str]
    rewrite_query: bool | None = None
    max_num_results: Annotated[int, Meta(ge=1, le=50)] | None = None
    filters: JSONObject | None = None
    """Filter by attributes, validated where it is applied."""
    ranking_options: JSONObject | None = None
    """Options of the ranking, validated where they are applied."""


class SearchResult(Struct, kw_only=True):
    """File with the chunks that match a search."""

    file_id: str
    filename: str
    score: float
    attributes: Attributes
    content: list[TextContent]


class SearchResultsPage(Struct, kw_only=True):
    """Response to `POST /v1/vector_stores/{id}/search`."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: bool = False
    next_page: str | None = None
