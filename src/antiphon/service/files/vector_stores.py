"""Vector stores and their lifetime."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import UNSET

from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest
from antiphon.service.files.vector_store_files import AttachedFiles
from antiphon.service.metadata import check_metadata
from antiphon.service.pages import page_of
from antiphon.settings.tools import KEYWORD_ONLY
from antiphon.store import Store
from antiphon.store.errors import ObjectNotFound
from antiphon.store.vector_stores.rows import NewVectorStore, StoredVectorStore
from antiphon.store.vector_stores.vector_stores import DAY
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.responses import Metadata
from antiphon.wire.vector_stores import (
    CreateVectorStore,
    CreateVectorStoreFile,
    DeletedVectorStore,
    ExpiresAfter,
    UpdateVectorStore,
    VectorStore,
)

_ID = 16
"""Number of random bytes in the ids of vector stores."""
_MAX_NAME = 512
_DIMENSIONS = range(1, 65_536)

_encode = msgspec.json.Encoder().encode
_decode_metadata = msgspec.json.Decoder(Metadata).decode


class VectorStores:
    """The use cases of `/v1/vector_stores`.

    Every method raises `NotFound` for an object that doesn't exist or belongs to another owner.

    Args:
        store: The database.
        attached_files: The files of vector stores.
        embedding_model: The model of vector stores whose request names none; `none` for keyword search only,
            None for the only embedding model of the catalogue.
        catalogue: The models.
    """

    def __init__(
        self,
        store: Store,
        attached_files: AttachedFiles,
        embedding_model: str | None,
        catalogue: ModelCatalogue,
    ) -> None:
        self._store = store
        self._attached_files = attached_files
        self._embedding_model = embedding_model
        self._catalogue = catalogue

    async def create(self, context: RequestContext, request: CreateVectorStore) -> VectorStore:
        """Create a vector store, and attach the files that the request names."""
        check_metadata(request.metadata)
        _check_name(request.name)
        dimension = _dimension(request.embedding_dimension)
        files = [
            (CreateVectorStoreFile(file_id=file_id, chunking_strategy=request.chunking_strategy), "")
            for file_id in request.file_ids or ()
        ]
        await self._store.files.find(context.owner, [file.file_id for file, _ in files])
        new = NewVectorStore(
            id=context.ids("vs", _ID),
            created_at=context.clock(),
            name=request.name or "",
            metadata=_encode(request.metadata or {}).decode(),
            expires_after_days=request.expires_after.days if request.expires_after else None,
            embedding_model=request.embedding_model or await self._default_model(context),
            embedding_dimension=dimension if context.behavior.sends_embedding_dimension else None,
        )
        await self._store.vector_stores.create(context.owner, new)
        stored = await self._store.vector_stores.get(context.owner, new.id)
        if files:
            await self._attached_files.attach(context, stored, files)
            stored = await self._store.vector_stores.get(context.owner, new.id)
        return _vector_store(stored)

    async def _default_model(self, context: RequestContext) -> str | None:
        if self._embedding_model is None:
            return await self._catalogue.embedding_model(context)
        return None if self._embedding_model == KEYWORD_ONLY else self._embedding_model

    async def get(self, owner: str, vector_store_id: str) -> VectorStore:
        """Return a vector store with the number of its files."""
        return _vector_store(await self._store.vector_stores.get(owner, vector_store_id))

    async def page(self, owner: str, query: PageQuery) -> Page[VectorStore]:
        """Return a page of the vector stores."""
        found = await self._store.vector_stores.page(owner, query)
        stores = [_vector_store(stored) for stored in found.rows]
        return page_of(stores, [stored.id for stored in found.rows], has_more=found.has_more)

    async def update(self, owner: str, vector_store_id: str, request: UpdateVectorStore) -> VectorStore:
        """Change the fields that the request names."""
        await self._store.vector_stores.update(owner, vector_store_id, _changes(request))
        return await self.get(owner, vector_store_id)

    async def delete(self, owner: str, vector_store_id: str) -> DeletedVectorStore:
        """Delete a vector store; its files remain."""
        if not await self._store.vector_stores.delete(owner, vector_store_id):
            raise ObjectNotFound("Vector store", vector_store_id)
        return DeletedVectorStore(vector_store_id)

    async def empty_expired(self) -> None:
        """Detach the files of the expired vector stores of all owners."""
        await self._store.vector_stores.empty_expired()


def _changes(request: UpdateVectorStore) -> Mapping[str, str | int | None]:
    changes: dict[str, str | int | None] = {}
    if request.name is not UNSET:
        _check_name(request.name)
        changes["name"] = request.name or ""
    if request.metadata is not UNSET:
        check_metadata(request.metadata)
        changes["metadata"] = _encode(request.metadata or {}).decode()
    if request.expires_after is not UNSET:
        changes["expires_after_days"] = request.expires_after.days if request.expires_after else None
    return changes


def _check_name(name: str | None) -> None:
    if name is not None and len(name) > _MAX_NAME:
        raise InvalidRequest(
            f"Invalid 'name': string too long. Expected a string with maximum length {_MAX_NAME}, but got a "
            f"string with length {len(name)} instead.",
            code="string_above_max_length",
            param="name",
        )


def _dimension(given: int | str | None) -> int | None:
    """Return the requested length of vectors; llama-stack's clients send a string."""
    if given is None:
        return None
    try:
        dimension = int(str(given)[:10])
    except ValueError:
        dimension = 0
    if dimension not in _DIMENSIONS:
        raise InvalidRequest(
            f"Invalid 'embedding_dimension': expected an integer between {_DIMENSIONS.start} and "
            f"{_DIMENSIONS.stop - 1}, but got '{str(given)[:10]}' instead.",
            code="invalid_value",
            param="embedding_dimension",
        )
    return dimension


def _vector_store(stored: StoredVectorStore) -> VectorStore:
    days = stored.expires_after_days
    status: Literal["expired", "in_progress", "completed"] = "completed"
    if stored.expired:
        status = "expired"
    elif stored.counts.in_progress:
        status = "in_progress"
    return VectorStore(
        id=stored.id,
        created_at=int(stored.created_at),
        name=stored.name,
        usage_bytes=stored.usage_bytes,
        file_counts=stored.counts,
        status=status,
        expires_after=UNSET if days is None else ExpiresAfter(anchor="last_active_at", days=days),
        expires_at=None if days is None else int(stored.last_active_at + days * DAY),
        last_active_at=int(stored.last_active_at),
        metadata=_decode_metadata(stored.metadata),
    )
