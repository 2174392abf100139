from array import array
from collections.abc import Sequence
from math import hypot

from antiphon.store import Store
from antiphon.store.vector_stores.chunks import ChunkQuery, FoundChunks, NewChunk
from antiphon.store.vector_stores.rows import AttachedFile, Attachment, NewVectorStore, StoredFile

ME = "owner-1"


def vector(*values: float) -> bytes:
    return array("f", values).tobytes()


def cosine(one: bytes, other: bytes) -> float:
    left, right = memoryview(one).cast("f").tolist(), memoryview(other).cast("f").tolist()
    product = sum(a * b for a, b in zip(left, right, strict=True))
    return product / hypot(*left) / hypot(*right)


def chunks(*texts: str) -> list[NewChunk]:
    return [NewChunk(each, None) for each in texts]


async def new_store(store: Store, vector_store_id: str) -> None:
    await store.vector_stores.create(
        ME,
        NewVectorStore(
            id=vector_store_id,
            created_at=1.0,
            name="",
            metadata="{}",
            expires_after_days=None,
            embedding_model=None,
            embedding_dimension=None,
        ),
    )


async def attach(store: Store, vector_store_id: str, file_id: str) -> AttachedFile:
    attachment = Attachment(
        file_id=file_id, created_at=1.0, attributes="{}", max_chunk_size=800, chunk_overlap=400
    )
    return (await store.attachments.attach(vector_store_id, [attachment]))[0]


async def keep(store: Store, vector_store_id: str, file_id: str, new: Sequence[NewChunk]) -> AttachedFile:
    """Store a file with these chunks in a vector store."""
    await store.files.add(
        ME,
        StoredFile(
            id=file_id,
            created_at=1.0,
            expires_at=None,
            purpose="assistants",
            filename=f"{file_id}.txt",
            media_type=None,
            bytes=1,
        ),
    )
    attached = await attach(store, vector_store_id, file_id)
    assert await store.chunks.replace(vector_store_id, file_id, attached.attempt, new)
    await store.attachments.finish(attached, 1)
    return attached


async def search(
    store: Store,
    sought: str | None,
    nearest: bytes | None = None,
    *,
    stores: Sequence[str] = ("vs_1",),
    allowed: dict[str, list[str]] | None = None,
    limit: int = 10,
) -> FoundChunks:
    return await store.chunks.search(ChunkQuery(stores, sought, nearest, allowed, limit))


async def texts(store: Store, found: dict[int, float]) -> list[str]:
    """Return the found texts, the best first."""
    stored = await store.chunks.get(list(found))
    return [stored[each].text for each in sorted(found, key=lambda each: -found[each])]
