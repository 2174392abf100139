"""Retrieval: the split of files into chunks, and the search for chunks."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.documents.chunks import chunk
from antiphon.documents.extract import DocumentError, extract
from antiphon.documents.ranking import Found, Ranking, fuse
from antiphon.engine.request_context import RequestContext
from antiphon.errors import NotFound, RecordingNotFound, UpstreamError
from antiphon.service.embeddings import Embeddings
from antiphon.settings.embedding_inputs import Role
from antiphon.store.vector_stores.chunks import ChunkQuery, ChunkRecords, NewChunk

_log = logging.getLogger(__name__)

_CANDIDATES = 100
"""Minimum number of chunks that keyword and semantic search each return before they are fused."""
_BATCH_TEXTS = 96
"""Maximum number of texts in one embedding request; some servers accept no more."""
_BATCH_CHARACTERS = 600_000
"""Maximum number of characters in one embedding request; OpenAI accepts 300,000 tokens.

https://platform.openai.com/docs/api-reference/embeddings/create
"""


@dataclass(frozen=True)
class StoreTarget:
    """A vector store to read files into or to search; its owner has been checked."""

    id: str
    """Id of the vector store."""
    embedding_model: str | None = None
    """Public id of the model that computes the vectors; None for keyword search only."""
    dimensions: int | None = None
    """Requested length of the vectors; None for the model's default."""


@dataclass(frozen=True)
class Source:
    """A file to be read into a vector store."""

    file_id: str
    """Id of the file."""
    attempt: str
    """Attempt of the attachment; chunks of an older attempt are discarded."""
    path: Path
    """Path of the content."""
    filename: str
    """Name from the upload; its extension determines the format."""
    media_type: str | None = None
    """Media type from the upload."""


@dataclass(frozen=True)
class SearchHit:
    """A chunk that matches a query."""

    vector_store_id: str
    """Id of the vector store."""
    file_id: str
    """Id of the file."""
    text: str
    """Text of the chunk."""
    score: float
    """Relevance between 0 and 1."""


class Retrieval:
    """The reader of files into vector stores, and the search in them.

    Keyword search replaces semantic search if no backend has the embedding model of a vector store, or if
    replay has no recordings of the model. One missing recording among others is an error: a file without
    vectors would be found by other queries than in the recorded run.
    """

    def __init__(self, chunks: ChunkRecords, embeddings: Embeddings, index_from: int | None = None) -> None:
        self._chunks = chunks
        self._embeddings = embeddings
        self._index_from = index_from

    async def ingest(
        self, target: StoreTarget, source: Source, size: int, overlap: int, context: RequestContext
    ) -> int:
        """Replace the chunks of a file, and return their size in bytes.

        Searches return the chunks once the file is `completed`. If the file is detached in the meantime,
        nothing is stored.

        Args:
            target: The vector store.
            source: The file.
            size: Maximum size of a chunk in tokens.
            overlap: Number of tokens that neighboring chunks share.
            context: The context of the request that attached the file, for its embeddings.

        Raises:
            DocumentError: The file is unreadable or the embedding model failed; clients receive the code and
                the message in `last_error`.
            RecordingNotFound: Replay has no recording of the embeddings.
            StoreUnavailable: The database is not readable or writable.
        """
        texts = await asyncio.to_thread(_read, source, size, overlap)
        try:
            vectors = await self._vectors(target, texts, "passage", context)
        except UpstreamError as error:
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
        """Return the best chunks, the best first.

        Args:
            targets: The vector stores.
            queries: The queries, whose results are fused.
            limit: Maximum number of chunks.
            allowed: For each vector store id the ids of the files that match the filters; None for all files.
            ranking: Weights of keyword and semantic search, and the minimum score.
            context: The context of the request, for the embedding of the queries.

        Raises:
            AntiphonError: The embedding model or the database failed.
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
            vector = (await self._vectors(target, [query], "query", context))[0]
            if vector is not None:
                has_vectors = True
                sought = ChunkQuery([target.id], None, vector, allowed, candidates, self._index_from)
                by_vector |= (await self._chunks.search(sought)).by_vector
        found = [Found("semantic", ranking.embedding_weight, by_vector)] if has_vectors else []
        if ranking.text_weight or not has_vectors:
            sought = ChunkQuery([target.id for target in targets], query, None, allowed, candidates)
            by_words = (await self._chunks.search(sought)).by_words
            found.append(Found("keyword", ranking.text_weight or 1.0, by_words))
        return found

    async def _vectors(
        self, target: StoreTarget, texts: Sequence[str], role: Role, context: RequestContext
    ) -> list[bytes | None]:
        if target.embedding_model is None:
            return [None] * len(texts)
        vectors: list[bytes | None] = []
        try:
            for batch in _batches(texts):
                vectors += await self._embeddings.embed(
                    target.embedding_model, batch, role, target.dimensions, context
                )
        except (NotFound, RecordingNotFound) as error:
            if isinstance(error, RecordingNotFound) and error.has_model:
                raise
            _log.warning("Falling back to keyword search for %s: %s", target.id, error.message)
            return [None] * len(texts)
        return vectors


def _read(source: Source, size: int, overlap: int) -> list[str]:
    texts = chunk(extract(source.path, source.filename, source.media_type), size, overlap)
    if not texts:
        raise DocumentError("invalid_file", "The file contains no text. Scanned pages need OCR first.")
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
