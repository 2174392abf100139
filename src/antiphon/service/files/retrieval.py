"""Ingestion and search: files become chunks, queries find them."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.documents.chunks import chunk
from antiphon.documents.extract import DocumentError, extract
from antiphon.documents.ranking import Found, Ranking, fuse
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, NotFound, RecordingNotFound
from antiphon.service.embeddings import Embeddings
from antiphon.store.vector_stores.chunks import ChunkQuery, ChunkRecords, NewChunk

_log = logging.getLogger(__name__)

_CANDIDATES = 100
"""How many chunks are found by words, and how many by vectors, at least, before their ranks are fused."""
_BATCH_TEXTS = 96
"""How many texts one call of an embedding model gets; some servers take no more."""
_BATCH_CHARACTERS = 600_000
"""How long they may be together: OpenAI takes 300,000 tokens."""


@dataclass(frozen=True)
class StoreTarget:
    """A vector store as ingestion and search see it. Whoever makes it has checked the owner."""

    id: str
    embedding_model: str | None = None
    """The model of its vectors; None searches by words alone."""
    dimensions: int | None = None
    """How long its vectors are asked to be; None leaves it to the model."""


@dataclass(frozen=True)
class Source:
    """A file that is to be read into a vector store; `attempt` is that of its attachment."""

    file_id: str
    attempt: str
    path: Path
    filename: str
    media_type: str | None = None


@dataclass(frozen=True)
class SearchHit:
    """A chunk that answers a query; `score` lies between 0 and 1."""

    vector_store_id: str
    file_id: str
    text: str
    score: float


class Retrieval:
    """Reads files into vector stores, and searches these.

    A vector store whose embedding model nobody has (any more), or nobody recorded, is searched by words.
    """

    def __init__(self, chunks: ChunkRecords, embeddings: Embeddings) -> None:
        self._chunks = chunks
        self._embeddings = embeddings

    async def ingest(self, target: StoreTarget, source: Source, size: int, overlap: int) -> int:
        """Stores the chunks of a file, in place of those it had; returns the bytes that they take.

        `size` and `overlap` count tokens. The chunks are found once the file is `completed`. If it is taken
        out of the store meanwhile, nothing is kept. Raises `DocumentError`, whose code and message are for
        `last_error`, and `StoreUnavailable`.
        """
        texts = await asyncio.to_thread(_read, source, size, overlap)
        try:
            vectors = await self._vectors(target, texts, RequestContext())
        except AntiphonError as error:
            raise DocumentError("server_error", f"The embedding model failed: {error.message}") from error
        new = [NewChunk(text, vector) for text, vector in zip(texts, vectors, strict=True)]
        await self._chunks.replace(target.id, source.file_id, source.attempt, new)
        return sum(len(each.text.encode()) + len(each.vector or b"") for each in new)

    async def search(
        self,
        targets: Sequence[StoreTarget],
        queries: Sequence[str],
        *,
        limit: int,
        allowed: Mapping[str, Sequence[str]] | None,
        ranking: Ranking,
        context: RequestContext,
    ) -> list[SearchHit]:
        """Returns the best `limit` chunks, the best first.

        `allowed` has, for each store's id, the ids of the files that pass the request's filters; None lets
        all pass. The embedding of queries belongs to `call`. Raises `AntiphonError` when it fails.
        """
        found = [
            await self._search_one(targets, query, limit, allowed, ranking, context) for query in queries
        ]
        best = fuse(found, limit, ranking.score_threshold)
        stored = await self._chunks.get([chunk_id for chunk_id, _ in best])
        return [
            SearchHit(kept.vector_store_id, kept.file_id, kept.text, score)
            for chunk_id, score in best
            if (kept := stored.get(chunk_id)) is not None
        ]

    async def _search_one(
        self,
        targets: Sequence[StoreTarget],
        query: str,
        limit: int,
        allowed: Mapping[str, Sequence[str]] | None,
        ranking: Ranking,
        context: RequestContext,
    ) -> list[Found[int]]:
        candidates = max(_CANDIDATES, 4 * limit)
        by_vector: dict[int, float] = {}
        has_vectors = False
        for target in targets if ranking.embedding_weight and query.strip() else ():
            vector = (await self._vectors(target, [query], context))[0]
            if vector is not None:
                has_vectors = True
                sought = ChunkQuery([target.id], None, vector, allowed, candidates)
                by_vector |= (await self._chunks.search(sought)).by_vector
        found = [Found(ranking.embedding_weight, by_vector)] if has_vectors else []
        if ranking.text_weight or not has_vectors:
            sought = ChunkQuery([target.id for target in targets], query, None, allowed, candidates)
            by_words = (await self._chunks.search(sought)).by_words
            found.append(Found(ranking.text_weight or 1.0, by_words))
        return found

    async def _vectors(
        self, target: StoreTarget, texts: Sequence[str], context: RequestContext
    ) -> list[bytes | None]:
        if target.embedding_model is None:
            return [None] * len(texts)
        vectors: list[bytes | None] = []
        try:
            for batch in _batches(texts):
                vectors += await self._embeddings.embed(
                    target.embedding_model, batch, target.dimensions, context
                )
        except (NotFound, RecordingNotFound) as error:
            _log.warning("%s is searched by words alone: %s", target.id, error.message)
            return [None] * len(texts)
        return vectors


def _read(source: Source, size: int, overlap: int) -> list[str]:
    texts = chunk(extract(source.path, source.filename, source.media_type), size, overlap)
    if not texts:
        raise DocumentError("invalid_file", "The file holds no text. Scanned pages need OCR first.")
    return texts


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == _BATCH_TEXTS or characters + len(text) > _BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch
