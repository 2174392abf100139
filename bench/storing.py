"""Storing of chunks for the benchmarks of search."""

import time
from collections.abc import Iterable, Sequence

from antiphon.store import Store
from antiphon.store.vector_stores.chunks import NewChunk
from antiphon.store.vector_stores.rows import Attachment, NewVectorStore, StoredFile


async def keep(store: Store, vector_store_id: str, chunks: Sequence[NewChunk]) -> float:
    """Store the chunks as one file of a new vector store; return the seconds taken."""
    return await keep_files(store, vector_store_id, [chunks])


async def keep_files(store: Store, vector_store_id: str, files: Iterable[Sequence[NewChunk]]) -> float:
    """Store the chunks of files in a new vector store; return the seconds taken.

    The ID of each file is that of the store, followed by its index.
    """
    new = NewVectorStore(
        id=vector_store_id,
        created_at=0.0,
        name="",
        metadata="{}",
        expires_after_days=None,
        embedding_model=None,
        embedding_dimension=None,
    )
    await store.vector_stores.create("bench", new)
    seconds = 0.0
    for number, chunks in enumerate(files):
        seconds += await _keep_file(store, vector_store_id, f"{vector_store_id}_{number}", chunks)
    return seconds


async def _keep_file(store: Store, vector_store_id: str, file_id: str, chunks: Sequence[NewChunk]) -> float:
    file = StoredFile(
        id=file_id,
        created_at=0.0,
        expires_at=None,
        purpose="assistants",
        filename="corpus.txt",
        media_type=None,
        bytes=1,
    )
    await store.files.add("bench", file)
    attachment = Attachment(
        file_id=file_id, created_at=0.0, attributes="{}", max_chunk_size=800, chunk_overlap=400
    )
    attached = (await store.attachments.attach(vector_store_id, [attachment]))[0]
    began = time.perf_counter()
    await store.chunks.replace(vector_store_id, file_id, attached.attempt, chunks)
    took = time.perf_counter() - began
    await store.attachments.finish(attached, 1)
    return took
