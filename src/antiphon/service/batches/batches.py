"""Use cases of batches: create, retrieve, list, cancel, and their execution."""

import asyncio
import time
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from antiphon.durable.worker import Execution, Worker
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import Observer, RequestContext, Seal, StoredContext, Unobserved
from antiphon.errors import InvalidRequest
from antiphon.ids import SHORT, new_id
from antiphon.service.access.keys import Keys
from antiphon.service.batches.execution import BatchExecution, decode_batch, encode
from antiphon.service.batches.lines import Lines
from antiphon.service.batches.slots import LineLimits, Slots
from antiphon.service.files.files import Files
from antiphon.service.metadata import check_metadata
from antiphon.service.pages import page_of
from antiphon.store import Store
from antiphon.store.batches.rows import BatchLimits, ClaimedBatch, NewBatch, StoredBatch
from antiphon.store.errors import FileNotStored
from antiphon.wire.batches import (
    BATCH_PREFIX,
    Batch,
    BatchCounts,
    BatchInputDetails,
    BatchOutputDetails,
    BatchUsage,
    CreateBatch,
)
from antiphon.wire.lists import Page, PageQuery

_WINDOW = 86_400
"""Seconds in the only completion window, `24h`."""
_CAN_BE_CANCELLED = ("validating", "in_progress")

_decode_context = msgspec.json.Decoder(StoredContext).decode


class BatchServices(Struct, frozen=True):
    """The parts of the server that batches use."""

    catalogue: ModelCatalogue
    """The models."""
    files: Files
    """The files, which contain input and output."""
    lines: Lines
    """The execution of lines."""
    seal: Seal
    """Encrypts the encrypted content of responses."""
    keys: Keys
    """The API keys, whose limits count tokens."""
    observer_of: Callable[[Mapping[str, str]], Observer] = lambda trace: Unobserved()
    """Returns the observer of a call of a line, which continues the trace of the batch."""


class Batches:
    """The batches of all owners.

    Every method that takes an ID raises `NotFound` for a batch that doesn't exist or belongs to another
    owner.

    Args:
        store: The database.
        services: The parts of the server that batches use.
        limits: The most lines that run at the same time.
    """

    def __init__(self, store: Store, services: BatchServices, limits: LineLimits) -> None:
        self._records = store.batches
        self._services = services
        self._slots = Slots(limits, services.catalogue.calls_in_progress)
        self._worker: Worker[ClaimedBatch, BatchLimits] = Worker(
            store.batches, self.execute, BatchLimits(), "batch"
        )

    async def create(self, context: RequestContext, request: CreateBatch, key: str | None) -> Batch:
        """Store a batch in the status `validating`, and return it.

        Args:
            context: The context of the request.
            request: The request.
            key: The name of the API key.

        Raises:
            InvalidRequest: The metadata or the purpose of the file is invalid.
            NotFound: The file does not exist.
        """
        check_metadata(request.metadata)
        try:
            file = await self._services.files.get(context.owner, request.input_file_id)
        except FileNotStored as error:
            error.param = "input_file_id"
            raise
        if file.purpose != "batch":
            raise InvalidRequest(
                f"Invalid file purpose: '{file.purpose}'. Expected a file with the purpose 'batch'. Upload "
                "the file again.",
                code="invalid_file_purpose",
                param="input_file_id",
            )
        now = context.clock()
        batch = Batch(
            id=context.ids(BATCH_PREFIX, SHORT),
            endpoint=request.endpoint,
            input_file_id=file.id,
            completion_window=request.completion_window,
            status="validating",
            created_at=int(now),
            expires_at=int(now) + _WINDOW,
            metadata=request.metadata,
        )
        expires = request.output_expires_after
        new = NewBatch(
            id=batch.id,
            created_at=now,
            seconds=_WINDOW,
            body=encode(batch).decode(),
            context=encode(StoredContext.of(context, key)).decode(),
            output_seconds=None if expires is None else expires.seconds,
        )
        # A client that leaves meanwhile changes nothing.
        await asyncio.shield(asyncio.ensure_future(self._records.submit(context.owner, new)))
        self._worker.wake()
        return batch

    async def get(self, owner: str, batch_id: str) -> Batch:
        """Return a batch."""
        return _batch(await self._records.get(owner, batch_id))

    async def page(self, owner: str, query: PageQuery) -> Page[Batch]:
        """Return a page of batches, the newest first."""
        page = await self._records.page(owner, query)
        batches = [_batch(stored) for stored in page.rows]
        return page_of(batches, [batch.id for batch in batches], has_more=page.has_more)

    async def cancel(self, owner: str, batch_id: str) -> Batch:
        """Cancel a batch, and return it; one that is being cancelled stays as it is.

        Raises:
            InvalidRequest: The batch has ended, or is about to end.
        """
        now = int(time.time())

        def changed(body: str) -> str | None:
            batch = decode_batch(body)
            if batch.status not in _CAN_BE_CANCELLED:
                return None
            batch.status, batch.cancelling_at = "cancelling", now
            return encode(batch).decode()

        status = decode_batch(await self._records.cancel(owner, batch_id, changed)).status
        if status not in (*_CAN_BE_CANCELLED, "cancelling"):
            raise InvalidRequest(f"Cannot cancel a batch with status '{status}'.")
        self._worker.cancel(batch_id)
        self._worker.wake()
        return await self.get(owner, batch_id)

    @property
    def active(self) -> list[str]:
        """The IDs of the batches that this process executes."""
        return self._worker.active

    def wake(self) -> None:
        """Execute batches that wait or that a stopped server has left."""
        self._worker.wake()

    async def close(self) -> None:
        """Stop the executions; other servers or the next start continue them."""
        await self._worker.close()

    async def execute(self, execution: Execution[ClaimedBatch]) -> None:
        """Execute a claimed batch to its end.

        Raises:
            Fenced: Another execution has replaced this one.
            StoreUnavailable: The database failed; another execution continues.
        """
        run, services = execution.run, self._services
        stored = _decode_context(run.context)
        spend = services.keys.spend_of(run.owner, stored.key)
        context = stored.restored(run.owner, new_id, services.seal, spend)
        work = BatchExecution(
            execution,
            context,
            lambda: services.observer_of(stored.trace),
            self._records,
            services.files,
            services.lines,
        )
        await work.run(services.catalogue, self._slots)


def _batch(stored: StoredBatch) -> Batch:
    batch = decode_batch(stored.body)
    batch.request_counts = BatchCounts(stored.total, stored.completed, stored.failed)
    batch.usage = BatchUsage(
        input_tokens=stored.input_tokens,
        input_tokens_details=BatchInputDetails(stored.cached_tokens),
        output_tokens=stored.output_tokens,
        output_tokens_details=BatchOutputDetails(stored.reasoning_tokens),
        total_tokens=stored.input_tokens + stored.output_tokens,
    )
    return batch
