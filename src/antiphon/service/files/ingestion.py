"""Reads files into vector stores, in the background: a few at a time, each to an end."""

import asyncio
import logging
from collections.abc import Iterable

from msgspec import Struct

from antiphon.documents.extract import DocumentError
from antiphon.errors import AntiphonError
from antiphon.service.files.folder import FileFolder
from antiphon.service.files.retrieval import Retrieval, Source, StoreTarget
from antiphon.store import Store
from antiphon.store.vector_stores.rows import AttachedFile, StoredFile, Unread

_AT_ONCE = 4
"""How many files are read at the same time."""
_RETRY = 5.0
"""Seconds between attempts to store how reading a file ended."""

_log = logging.getLogger(__name__)


class Reading(Struct, frozen=True):
    """A file that is to be read into a vector store."""

    target: StoreTarget
    attached: AttachedFile
    file: StoredFile


class Ingestion:
    """The files that this server is reading. All methods belong to one event loop.

    A server that stops leaves the others in progress: `liveness` in the store gives those an end.
    """

    def __init__(self, store: Store, folder: FileFolder, retrieval: Retrieval) -> None:
        self._store = store
        self._folder = folder
        self._retrieval = retrieval
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, readings: Iterable[Reading], patience: float) -> None:
        """Starts to read files, and waits for them for up to `patience` seconds."""
        begun = {asyncio.create_task(self._run(reading)) for reading in readings}
        for task in begun:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if begun:
            await asyncio.wait(begun, timeout=patience)

    async def close(self) -> None:
        """Stops reading."""
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
                _log.error("reading %s failed", reading.file.id, exc_info=fault)
                outcome: int | Unread | None = Unread("server_error", "The server could not read the file.")
            else:
                outcome = work.result()
        while outcome is not None:
            try:
                await self._store.attachments.finish(reading.attached, outcome)
                return
            except AntiphonError as error:
                _log.error("how reading %s ended cannot be stored: %s", reading.file.id, error.message)
            await asyncio.sleep(_RETRY)

    async def _read(self, reading: Reading) -> int | Unread | None:
        """Returns the bytes that the text takes, why there is none, or None if it is not wanted any more."""
        if not await self._store.attachments.is_wanted(reading.attached):
            return None
        file, attached = reading.file, reading.attached
        source = Source(
            file.id, attached.attempt, self._folder.path_of(file.id), file.filename, file.media_type
        )
        try:
            return await self._retrieval.ingest(
                reading.target, source, attached.max_chunk_size, attached.chunk_overlap
            )
        except DocumentError as error:
            return Unread(error.code, error.message)
        except AntiphonError as error:
            return Unread("server_error", error.message)
