"""The files of vector stores, attached singly or in batches."""

from collections.abc import Sequence

import msgspec

from antiphon.decode.explain import mutually_exclusive
from antiphon.documents.chunks import DEFAULT_OVERLAP, DEFAULT_SIZE
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.service.files.ingestion import Ingestion, Reading
from antiphon.service.files.retrieval import StoreTarget
from antiphon.service.metadata import check_metadata
from antiphon.service.pages import page_of
from antiphon.store import Store
from antiphon.store.errors import AttachedFileNotFound
from antiphon.store.paging import Rows
from antiphon.store.vector_stores.rows import (
    AttachedFile,
    Attachment,
    NewBatch,
    StoredBatch,
    StoredVectorStore,
)
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.vector_stores import (
    Attributes,
    ChunkingStrategy,
    CreateFileBatch,
    CreateVectorStoreFile,
    DeletedVectorStoreFile,
    FileBatch,
    FileContentPage,
    FileError,
    FileStatus,
    StaticChunking,
    StaticChunkingStrategy,
    TextContent,
    UpdateVectorStoreFile,
    VectorStoreFile,
)

_PATIENCE = 1.0
"""Seconds that a response waits for the files that it attached, so that small ones are already searchable."""
_BATCH_ID = 16
"""Number of random bytes in the ids of batches."""

_encode = msgspec.json.Encoder().encode
decode_attributes = msgspec.json.Decoder(Attributes).decode


class AttachedFiles:
    """The use cases below `/v1/vector_stores/{id}`.

    Every method raises `NotFound` for an object that doesn't exist or belongs to another owner.
    """

    def __init__(self, store: Store, ingestion: Ingestion) -> None:
        self._store = store
        self._ingestion = ingestion

    async def add(
        self, context: RequestContext, vector_store_id: str, request: CreateVectorStoreFile
    ) -> VectorStoreFile:
        """Attach a file; an attached one is read again."""
        store = await self._store.vector_stores.get(context.owner, vector_store_id)
        await self.attach(context, store, [(request, "")])
        return await self.get(context.owner, vector_store_id, request.file_id)

    async def attach(
        self,
        context: RequestContext,
        store: StoredVectorStore,
        given: Sequence[tuple[CreateVectorStoreFile, str]],
        batch: NewBatch | None = None,
    ) -> None:
        """Attach files, and start to read them.

        Args:
            context: The context of the request.
            store: The vector store.
            given: The files, each with the prefix of its parameters in errors, such as `files[1].`. For a
                file that occurs twice the last entry counts.
            batch: The batch that the files belong to.

        Raises:
            NotFound: The owner has no such file; no file is attached.
            InvalidRequest: Attributes or the chunking strategy are invalid; no file is attached.
        """
        now = context.clock()
        attachments = {}
        for request, place in given:
            check_metadata(request.attributes, f"{place}attributes")
            size, overlap = _chunking(request.chunking_strategy, f"{place}chunking_strategy")
            attachments[request.file_id] = Attachment(
                file_id=request.file_id,
                created_at=now,
                attributes=_encode(request.attributes or {}).decode(),
                max_chunk_size=size,
                chunk_overlap=overlap,
            )
        files = await self._store.files.find(context.owner, list(attachments))
        attached = await self._store.attachments.attach(store.id, list(attachments.values()), batch)
        await self._store.vector_stores.mark_used([store])
        target = target_of(store)
        await self._ingestion.begin(
            [Reading(target, each, files[each.file_id], context) for each in attached], _PATIENCE
        )

    async def get(self, owner: str, vector_store_id: str, file_id: str) -> VectorStoreFile:
        """Return the state of a file."""
        await self._store.vector_stores.get(owner, vector_store_id)
        return _file(await self._store.attachments.get(vector_store_id, file_id))

    async def page(
        self, owner: str, vector_store_id: str, query: PageQuery, status: FileStatus | None
    ) -> Page[VectorStoreFile]:
        """Return a page of the files with `status`; None for all."""
        await self._store.vector_stores.get(owner, vector_store_id)
        return _page(await self._store.attachments.page(vector_store_id, query, status=status))

    async def update(
        self, owner: str, vector_store_id: str, file_id: str, request: UpdateVectorStoreFile
    ) -> VectorStoreFile:
        """Replace the attributes of a file."""
        check_metadata(request.attributes, "attributes")
        await self._store.vector_stores.get(owner, vector_store_id)
        attributes = _encode(request.attributes or {}).decode()
        await self._store.attachments.set_attributes(vector_store_id, file_id, attributes)
        return await self.get(owner, vector_store_id, file_id)

    async def remove(self, owner: str, vector_store_id: str, file_id: str) -> DeletedVectorStoreFile:
        """Detach a file from the vector store; the file itself remains."""
        await self._store.vector_stores.get(owner, vector_store_id)
        if not await self._store.attachments.detach(vector_store_id, file_id):
            raise AttachedFileNotFound(file_id, vector_store_id)
        return DeletedVectorStoreFile(file_id)

    async def content(self, owner: str, vector_store_id: str, file_id: str) -> FileContentPage:
        """Return the extracted text of a file, one part per chunk.

        The page is empty unless the file is completed.
        """
        attached = await self.get(owner, vector_store_id, file_id)
        if attached.status != "completed":
            return FileContentPage(data=[])
        texts = await self._store.chunks.of_file(vector_store_id, file_id)
        return FileContentPage(data=[TextContent(text) for text in texts])

    async def add_batch(
        self, context: RequestContext, vector_store_id: str, request: CreateFileBatch
    ) -> FileBatch:
        """Attach all files of a batch, or none if one of them doesn't exist."""
        given = _batch_files(request)
        store = await self._store.vector_stores.get(context.owner, vector_store_id)
        batch = NewBatch(id=context.ids("vsfb", _BATCH_ID), created_at=context.clock())
        await self.attach(context, store, given, batch)
        return await self.get_batch(context.owner, vector_store_id, batch.id)

    async def get_batch(self, owner: str, vector_store_id: str, batch_id: str) -> FileBatch:
        """Return the state of a batch."""
        await self._store.vector_stores.get(owner, vector_store_id)
        return _batch(await self._store.attachments.get_batch(vector_store_id, batch_id))

    async def cancel_batch(self, owner: str, vector_store_id: str, batch_id: str) -> FileBatch:
        """Cancel the files in progress; completed files remain in the vector store."""
        await self._store.vector_stores.get(owner, vector_store_id)
        await self._store.attachments.cancel_batch(vector_store_id, batch_id)
        return await self.get_batch(owner, vector_store_id, batch_id)

    async def batch_page(
        self, owner: str, batch: tuple[str, str], query: PageQuery, status: FileStatus | None
    ) -> Page[VectorStoreFile]:
        """Return a page of the files of a batch.

        Args:
            owner: The owner of the vector store.
            batch: The ids of the vector store and of the batch.
            query: The page.
            status: The status of the files; None for all.
        """
        vector_store_id, batch_id = batch
        await self.get_batch(owner, vector_store_id, batch_id)
        return _page(
            await self._store.attachments.page(vector_store_id, query, status=status, batch_id=batch_id)
        )


def target_of(store: StoredVectorStore) -> StoreTarget:
    """Return the target for reading files into a vector store and for searching it."""
    return StoreTarget(store.id, store.embedding_model, store.embedding_dimension)


def _chunking(strategy: ChunkingStrategy | None, param: str) -> tuple[int, int]:
    """Return the size and the overlap of chunks, in tokens."""
    if not isinstance(strategy, StaticChunkingStrategy):
        return DEFAULT_SIZE, DEFAULT_OVERLAP
    size, overlap = strategy.static.max_chunk_size_tokens, strategy.static.chunk_overlap_tokens
    if 2 * overlap > size:
        raise InvalidRequest(
            f"Invalid '{param}.static.chunk_overlap_tokens': must not exceed half of "
            f"'max_chunk_size_tokens', but got {overlap} with {size}.",
            code="invalid_value",
            param=f"{param}.static.chunk_overlap_tokens",
        )
    return size, overlap


def _batch_files(request: CreateFileBatch) -> list[tuple[CreateVectorStoreFile, str]]:
    if (request.files is None) == (request.file_ids is None):
        if request.files is None:
            raise MissingParameter("file_ids")
        raise mutually_exclusive("file_ids", "files", param="files")
    if request.files is not None:
        return [(each, f"files[{position}].") for position, each in enumerate(request.files)]
    shared = (request.attributes, request.chunking_strategy)
    return [
        (CreateVectorStoreFile(file_id=file_id, attributes=shared[0], chunking_strategy=shared[1]), "")
        for file_id in request.file_ids or ()
    ]


def _file(stored: AttachedFile) -> VectorStoreFile:
    error = None
    if stored.error_code is not None:
        error = FileError(code=stored.error_code, message=stored.error_message or "")
    return VectorStoreFile(
        id=stored.file_id,
        created_at=int(stored.created_at),
        vector_store_id=stored.vector_store_id,
        usage_bytes=stored.usage_bytes,
        status=stored.status,
        last_error=error,
        chunking_strategy=StaticChunkingStrategy(
            static=StaticChunking(
                max_chunk_size_tokens=stored.max_chunk_size, chunk_overlap_tokens=stored.chunk_overlap
            )
        ),
        attributes=decode_attributes(stored.attributes),
    )


def _page(found: Rows[AttachedFile]) -> Page[VectorStoreFile]:
    files = [_file(stored) for stored in found.rows]
    return page_of(files, [stored.file_id for stored in found.rows], has_more=found.has_more)


def _batch(stored: StoredBatch) -> FileBatch:
    status: FileStatus = "completed"
    if stored.cancelled:
        status = "cancelled"
    elif stored.counts.in_progress:
        status = "in_progress"
    return FileBatch(
        id=stored.id,
        created_at=int(stored.created_at),
        vector_store_id=stored.vector_store_id,
        status=status,
        file_counts=stored.counts,
    )
