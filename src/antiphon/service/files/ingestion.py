"""Background work that reads files into vector stores, a few at a time."""

import asyncio
import logging
from collections.abc import Iterable

from msgspec import Struct

from antiphon.documents.extract import DocumentError
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError
from antiphon.service.files.folder import FileFolder
from antiphon.service.files.retrieval import Retrieval, Source, StoreTarget
from antiphon.store import Store
from antiphon.store.vector_stores.rows import AttachedFile, StoredFile, Unread

_AT_ONCE = 4
"""Number of files that are read at the same time."""
_RETRY = 5.0
"""Seconds between attempts to store the outcome of reading a file."""

_log = logging.getLogger(__name__)


class Reading(Struct, frozen=True):
    """A file to be read into a vector store."""

    target: StoreTarget
    """The vector store."""
    attached: AttachedFile
    """The attachment of the file to the vector store."""
    file: StoredFile
    """The description of the file."""
    context: RequestContext
    """The context of the request that attached the file."""


class Ingestion:
    """The files that this server is reading.

    All methods must be called on one event loop. Files that a stopped server leaves in progress are marked as
    failed by the next check for stopped servers (`store.servers`).
    """

    def __init__(self, store: Store, folder: FileFolder, retrieval: Retrieval) -> None:
        self._store = store
        self._folder = folder
        self._retrieval = retrieval
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, readings: Iterable[Reading], patience: float) -> None:
        """Start to read files, and wait up to `patience` seconds for them."""
        begun = {asyncio.create_task(self._run(reading)) for reading in readings}
        for task in begun:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if begun:
            await asyncio.wait(begun, timeout=patience)

    async def close(self) -> None:
        """Stop reading files."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, reading: Reading) -> None:
        async with self._slots:
            work = asyncio.create_task(self._read(reading))
            try:
                await asyncio.wait([work])
            finally:
                work.cancel()
            fault = work.exception()
            if fault is not None:
                _log.error("Failed to read a file: %s", reading.file.id, exc_info=fault)
                outcome: int | Unread | None = Unread("server_error", "The server could not read the file.")
            else:
                outcome = work.result()
        while outcome is not None:
            try:
                await self._store.attachments.finish(reading.attached, outcome)
                return
            except AntiphonError as error:
                _log.error("Failed to store the outcome of reading %s: %s", reading.file.id, error.message)
            await asyncio.sleep(_RETRY)

    async def _read(self, reading: Reading) -> int | Unread | None:
        """Read a file, unless it was detached from the vector store.

        Returns:
            The size of the chunks in bytes, or the error, or None if the file was detached.
        """
        file, attached = reading.file, reading.attached
        # The chunks of an earlier attachment must not remain if reading fails.
        await self._store.chunks.clear(attached.vector_store_id, attached.file_id, attached.attempt)
        if not await self._store.attachments.is_wanted(attached):
            return None
        source = Source(
            file.id, attached.attempt, self._folder.path_of(file.id), file.filename, file.media_type
        )
        try:
            return await self._retrieval.ingest(
                reading.target, source, attached.max_chunk_size, attached.chunk_overlap, reading.context
            )
        except DocumentError as error:
            return Unread(error.code, error.message)
        except AntiphonError as error:
            return Unread("server_error", error.message)
