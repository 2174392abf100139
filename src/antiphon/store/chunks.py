"""The chunks of vector stores' files: added, deleted, found by words and by vectors."""

from collections.abc import Collection, Sequence

from msgspec import Struct


class NewChunk(Struct, frozen=True):
    """A chunk to be stored. `vector` is its embedding as packed 32-bit floats, or None."""

    text: str
    vector: bytes | None


class ChunkQuery(Struct, frozen=True):
    """What is looked for, in which vector stores; with `file_ids` in these files alone.

    `text` None searches by vector alone; `vectors` hold a query vector for each set of vector stores whose
    chunks have embeddings of the same model.
    """

    vector_store_ids: Sequence[str]
    text: str | None
    vector: bytes | None
    file_ids: Collection[str] | None
    limit: int


class FoundChunk(Struct, frozen=True):
    """A chunk that was found; `text_score` and `vector_score` lie between 0 and 1, None where not found."""

    id: int
    vector_store_id: str
    file_id: str
    position: int
    text: str
    text_score: float | None
    vector_score: float | None
