"""The execution of one batch: the check of its input, its lines, its files."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path

import msgspec

from antiphon.durable.worker import Execution, uninterrupted
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import Observer, RequestContext
from antiphon.engine.slices import in_thread
from antiphon.errors import AntiphonError, NotFound, StoreUnavailable
from antiphon.service.batches.input import InputCheck, Line, read_lines
from antiphon.service.batches.lines import Attempt, Lines, LineSteps, not_executed
from antiphon.service.batches.output import write_file
from antiphon.service.batches.slots import Slots
from antiphon.service.files.files import Files
from antiphon.store.batches.batches import BatchRecords
from antiphon.store.batches.rows import BatchEnd, ClaimedBatch, LineResult, LineStep
from antiphon.wire.batches import Batch, BatchError, BatchErrors, BatchStatus

log = logging.getLogger("antiphon.service")

_MOST_EXECUTIONS = 20
"""Number of executions after which a batch fails, because it may be what stops the server."""
_TERMINAL = ("completed", "failed", "expired", "cancelled")
_REASONS = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed because the batch was cancelled."),
}
"""Code and message of lines that were not executed, by the final status of the batch."""

_NO_INPUT = BatchError(
    "input_file_not_found", "The input file was deleted before the batch ended.", "input_file_id"
)

decode_batch = msgspec.json.Decoder(Batch).decode
encode = msgspec.json.Encoder().encode


class _Failed(Exception):
    """End of a batch that fails as a whole, with its errors."""

    def __init__(self, errors: list[BatchError]) -> None:
        super().__init__()
        self.errors = errors


class BatchExecution:
    """One execution of a batch, after the lines that earlier executions have finished.

    Args:
        execution: The claimed batch.
        context: The context of the request that created the batch.
        observer: Returns the observer of a call of a line.
        records: The batches of the database.
        files: The files, which contain the input.
        lines: The execution of lines.
    """

    def __init__(
        self,
        execution: Execution[ClaimedBatch],
        context: RequestContext,
        observer: Callable[[], Observer],
        records: BatchRecords,
        files: Files,
        lines: Lines,
    ) -> None:
        self._execution = execution
        self._run = execution.run
        self._context = context
        self._records = records
        self._files = files
        self._lines = lines
        self._total = self._run.total
        self._begun: set[int] = set()
        """The lines that an earlier execution has left with finished calls."""
        self._batch = decode_batch(self._run.body)
        self._attempt = Attempt(
            batch_id=self._run.id,
            endpoint=self._batch.endpoint,
            epoch=self._run.epoch,
            context=context,
            observer=observer,
        )

    async def run(self, catalogue: ModelCatalogue, slots: Slots) -> None:
        """Run the batch to its end.

        Raises:
            Fenced: Another execution has replaced this one.
            StoreUnavailable: The database failed; another execution continues.
        """
        if self._batch.status not in _TERMINAL:
            errors: list[BatchError] = []
            try:
                outcome = await self._outcome(catalogue, slots)
            except _Failed as failed:
                outcome, errors = "failed", failed.errors
            await self._finish(outcome, errors)
        await self._records.close(self._run)
        log.info("Batch ended: %s", self._run.id)

    async def _outcome(self, catalogue: ModelCatalogue, slots: Slots) -> BatchStatus:
        """Run the lines; return the final status of the batch."""
        if self._run.epoch > _MOST_EXECUTIONS:
            text = "The server stopped too often while it executed the batch."
            raise _Failed([BatchError("server_error", text)])
        if self._execution.is_cancelled:
            return "cancelled"
        limit = asyncio.timeout(max(0.0, self._run.remaining))
        try:
            async with limit:
                if self._batch.status == "validating":
                    await self._check_input()
                if self._batch.status == "in_progress":
                    await self._run_lines(await self._backend(catalogue), slots)
                    await self._change("finalizing")
        except TimeoutError:
            if not limit.expired():
                raise
            return "expired"
        except asyncio.CancelledError:
            if not self._execution.is_cancelled:
                raise
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
            return "cancelled"
        # A cancellation just before the last change of the status prevents it.
        return "cancelled" if self._batch.status == "cancelling" else "completed"

    async def _check_input(self) -> None:
        """Check the input file, and begin the batch.

        Raises:
            _Failed: The file has errors.
        """
        check = InputCheck(self._batch.endpoint)
        async with aclosing(self._input()) as pages:
            async for lines in pages:
                await in_thread(partial(check.check, lines))
                if check.is_full:
                    break
        check.finish()
        if check.errors:
            raise _Failed(check.errors)
        self._total = check.total
        await self._change("in_progress", total=check.total, model=check.model)

    async def _input(self) -> AsyncGenerator[list[Line], None]:
        """Yield the lines of the input file.

        Raises:
            _Failed: The file was deleted.
        """
        try:
            path = await self._path()
            async with aclosing(read_lines(path, self._lines.limits.max_body_bytes)) as pages:
                async for lines in pages:
                    yield lines
        except (NotFound, FileNotFoundError) as error:
            raise _Failed([_NO_INPUT]) from error

    async def _path(self) -> Path:
        stored = await self._files.get(self._run.owner, self._batch.input_file_id)
        return self._files.folder.path_of(stored.id)

    async def _backend(self, catalogue: ModelCatalogue) -> str:
        """Return the name of the backend, for its limit; the lines report what is wrong with the model."""
        model = self._batch.model or ""
        try:
            return (await catalogue.resolve(model, self._context)).id.partition("/")[0]
        except StoreUnavailable:
            raise
        except AntiphonError:
            return model.partition("/")[0]

    async def _run_lines(self, backend: str, slots: Slots) -> None:
        finished: set[int] = set()
        if self._run.epoch > 1:
            finished = await self._records.finished_lines(self._run.id)
            self._begun = await self._records.begun_lines(self._run.id)
        try:
            async with asyncio.TaskGroup() as group, aclosing(self._input()) as pages:
                async for lines in pages:
                    for line in lines:
                        if line.number in finished:
                            continue
                        await slots.take(self._run.owner, backend)
                        task = group.create_task(self._run_line(line))
                        task.add_done_callback(lambda _: slots.give_back(self._run.owner, backend))
        except BaseExceptionGroup as several:
            # All lines are cancelled after the first error.
            raise several.exceptions[0] from None

    async def _run_line(self, line: Line) -> None:
        found = await self._records.steps(self._run.id, line.number) if line.number in self._begun else {}

        async def keep(name: str, body: str | None) -> None:
            batch_id, epoch = self._run.id, self._run.epoch
            await self._records.add_step(
                LineStep(batch_id=batch_id, epoch=epoch, number=line.number, name=name, body=body)
            )

        output, usage = await self._lines.run(self._attempt, line, LineSteps(found, keep))
        answer = output.response
        result = LineResult(
            batch_id=self._run.id,
            epoch=self._run.epoch,
            number=line.number,
            is_error=answer is None or answer.status_code != 200,
            body=encode(output).decode(),
            usage=usage,
        )
        # A result that was paid for is stored even if the execution is stopped now.
        await uninterrupted(self._records.add_line(result))

    async def _change(
        self, status: BatchStatus, *, total: int | None = None, model: str | None = None
    ) -> None:
        """Change the status, unless the batch has been cancelled meanwhile."""
        now = int(time.time())

        def changed(body: str) -> str:
            batch = decode_batch(body)
            if batch.status != "cancelling":
                batch.status = status
                setattr(batch, f"{status}_at", now)
            batch.model = model or batch.model
            return encode(batch).decode()

        self._batch = decode_batch(await self._records.change(self._run, changed, total=total))

    async def _finish(self, outcome: BatchStatus, errors: list[BatchError]) -> None:
        """Write the files, and store the end of the batch."""
        folder, lifetime = self._files.folder, self._run.output_seconds
        completed = self._records.lines(self._run.id, is_error=False)
        output = await write_file(folder, self._run.id, "output", lifetime, completed)
        failed = self._failed_lines(outcome, errors)
        error = await write_file(folder, self._run.id, "error", lifetime, failed)
        now = int(time.time())

        def ended(body: str) -> str:
            batch = decode_batch(body)
            batch.status = outcome
            setattr(batch, f"{outcome}_at", now)
            batch.errors = BatchErrors(errors) if errors else None
            batch.output_file_id = None if output is None else output.file.id
            batch.error_file_id = None if error is None else error.file.id
            return encode(batch).decode()

        end = BatchEnd(
            changed=ended,
            event=f"batch.{outcome}",
            files=[written.file for written in (output, error) if written is not None],
            failed=0 if error is None else error.lines,
        )
        await self._records.end(self._run, end)

    async def _failed_lines(
        self, outcome: BatchStatus, errors: list[BatchError]
    ) -> AsyncGenerator[str, None]:
        """Yield the lines of the error file: failed ones, then those that were not executed."""
        async for body in self._records.lines(self._run.id, is_error=True):
            yield body
        if outcome not in _REASONS or self._total == 0:
            return
        finished = await self._records.finished_lines(self._run.id)
        code, message = _REASONS[outcome]
        try:
            async with aclosing(self._input()) as pages:
                async for lines in pages:
                    for line in lines:
                        if line.number not in finished:
                            yield encode(not_executed(self._run.id, line, code, message)).decode()
        except _Failed as failed:
            # The file of errors is incomplete without the input.
            errors += failed.errors
