"""Short forms to store files and vector stores."""

from antiphon.store import Store
from antiphon.store.vector_stores.rows import AttachedFile, Attachment, NewBatch, NewVectorStore, StoredFile
from antiphon.wire.lists import PageQuery
from tests.store.samples import ME

ALL = PageQuery(limit=100)


def file(
    file_id: str, *, at: float = 1.0, lasts: float | None = None, purpose: str = "assistants"
) -> StoredFile:
    return StoredFile(
        id=file_id,
        created_at=at,
        expires_at=None if lasts is None else at + lasts,
        purpose=purpose,
        filename=f"{file_id}.txt",
        media_type="text/plain",
        bytes=10,
    )


def vector_store(store_id: str, *, at: float = 1.0, days: int | None = None) -> NewVectorStore:
    return NewVectorStore(
        id=store_id,
        created_at=at,
        name=store_id,
        metadata="{}",
        expires_after_days=days,
        embedding_model=None,
        embedding_dimension=None,
    )


def attachment(file_id: str, *, at: float = 1.0, attributes: str = "{}") -> Attachment:
    return Attachment(
        file_id=file_id, created_at=at, attributes=attributes, max_chunk_size=800, chunk_overlap=400
    )


async def attach(store: Store, store_id: str, *file_ids: str, batch: str | None = None) -> list[AttachedFile]:
    """Store the vector store and the files unless they exist, and attach the files."""
    if not (await store.vector_stores.page(ME, ALL)).rows:
        await store.vector_stores.create(ME, vector_store(store_id))
    stored = {each.id for each in (await store.files.page(ME, ALL)).rows}
    for file_id in file_ids:
        if file_id not in stored:
            await store.files.add(ME, file(file_id))
    return await store.attachments.attach(
        store_id,
        [attachment(each) for each in file_ids],
        NewBatch(id=batch, created_at=1.0) if batch else None,
    )
