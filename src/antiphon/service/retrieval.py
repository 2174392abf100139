"""Ingestion and search: files become chunks, queries find them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from antiphon.documents.ranking import Ranking
from antiphon.store import Store


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
    """A file to be ingested."""

    file_id: str
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
    """Reads files into vector stores, and searches these."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ingest(self, target: StoreTarget, source: Source, size: int, overlap: int) -> int:
        """Stores the chunks of a file, in place of those it had; returns the bytes that they take.

        `size` and `overlap` count tokens. Raises `DocumentError` for `last_error`, and `StoreUnavailable`.
        """
        raise NotImplementedError

    async def search(
        self,
        targets: Sequence[StoreTarget],
        queries: Sequence[str],
        *,
        limit: int,
        allowed: Mapping[str, Sequence[str]] | None,
        ranking: Ranking,
    ) -> list[SearchHit]:
        """Returns the best `limit` chunks, the best first.

        `allowed` has, for each store's id, the ids of the files that pass the request's filters; None lets
        all pass. Raises `AntiphonError` when the embedding model of the queries fails.
        """
        raise NotImplementedError
