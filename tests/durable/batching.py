"""A batch in servers of one database that stop at any point."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Self, TypeVar

import msgspec
from sqlalchemy import Connection

from antiphon.durable.worker import Execution
from antiphon.engine.ports import ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import StoreUnavailable
from antiphon.ids import LONG
from antiphon.service.access.keys import Keys, KeySettings
from antiphon.service.batches.batches import Batches, BatchServices
from antiphon.service.batches.lines import BodyLimits, Lines
from antiphon.service.batches.slots import LineLimits
from antiphon.service.files.files import FileDetails, Files
from antiphon.service.files.folder import FileFolder
from antiphon.service.passthrough.proxied import Proxied
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.sealing import Sealing
from antiphon.store import Store
from antiphon.store.batches.rows import BatchLimits, ClaimedBatch
from antiphon.store.database import Job
from antiphon.wire.batches import Batch, BatchEndpoint, CreateBatch
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from tests.durable.crashing import Servers
from tests.server.batching import RESPONSES, jsonl
from tests.service.world import ME, Catalogue, ScriptedModel, say
from tests.support.upstream import completion

A = TypeVar("A")
R = TypeVar("R")

ID = "batch_" + "5" * 48


class EchoModel(ScriptedModel):
    """Model whose replies follow from the request alone."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        """How often each message was sent."""
        self.hold: Callable[[str], Awaitable[None]] | None = None
        """Called before each reply, with the message."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        yield say(await self._answer(request))

    async def complete(self, request: ChatRequest) -> bytes:
        return msgspec.json.encode(completion(await self._answer(request)))

    async def _answer(self, request: ChatRequest) -> str:
        text = str(request["messages"][-1]["content"])
        self.asked[text] += 1
        if self.hold is not None:
            await self.hold(text)
        return f"Echo {text}"


class BatchServers:
    """Servers of one database that execute a batch one after another.

    Args:
        store: The database.
        folder: The folder of files.
        limits: The most lines that run at the same time.
        responding: Servers whose model and tool the lines call; None for the model of this object.
    """

    def __init__(
        self, store: Store, folder: Path, limits: LineLimits | None = None, responding: Servers | None = None
    ) -> None:
        self.store = store
        self.model = EchoModel()
        self.catalogue = Catalogue(self.model if responding is None else responding.model)

        def responses_of(catalogue: ModelCatalogue) -> Responses:
            plain = Responses(store, catalogue)
            return plain if responding is None else responding.responses_of(catalogue)

        self.files = Files(store, FileFolder(folder, max_file_bytes=10_000_000))
        self.responses = Responses(store, self.catalogue)
        lines = Lines(
            responses_of,
            self.catalogue,
            Proxied.open(store, self.catalogue),
            BodyLimits(max_body_bytes=100_000),
        )
        keys = Keys(store.keys, store.usage, KeySettings())
        parts = BatchServices(self.catalogue, self.files, lines, Sealing("secret"), keys)
        self.batches = Batches(store, parts, limits or LineLimits())

    async def submit(
        self, *lines: JSON, endpoint: BatchEndpoint = RESPONSES, text: str | None = None
    ) -> Batch:
        """Create a batch, whose execution only the test begins."""
        await self.batches.close()
        context = RequestContext(owner=ME, clock=lambda: 1000.0)
        details = FileDetails(filename="a.jsonl", media_type=None, purpose="batch", expires_after=None)
        async with self.files.folder.receive() as upload:
            await upload.write((jsonl(lines) if text is None else text).encode())
            file = await self.files.create(context, upload, details)
        request = CreateBatch(input_file_id=file.id, endpoint=endpoint, completion_window="24h")

        def ids(prefix: str, size: int = LONG) -> str:
            return ID

        fixed = msgspec.structs.replace(context, ids=ids)
        return await self.batches.create(fixed, request, None)

    async def claim(self) -> ClaimedBatch | None:
        """Begin an execution, as the next server does; None after the end."""
        return await self.store.batches.claim((), BatchLimits())

    async def go_on(self, claimed: ClaimedBatch | None = None) -> Batch:
        """Execute the batch to its end, and return it."""
        claimed = claimed or await self.claim()
        assert claimed is not None
        await self.batches.execute(Execution(claimed))
        return await self.get()

    async def get(self) -> Batch:
        """Return the batch."""
        return await self.batches.get(ME, ID)

    async def results(self, file_id: str | None) -> dict[str, JSONObject]:
        """Return the lines of an output or error file by `custom_id`; none without a file."""
        if file_id is None:
            return {}
        path, _ = await self.files.content(ME, file_id)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        found = {line["custom_id"]: line for line in lines}
        assert len(found) == len(lines)
        return found


class FailingStore:
    """The calls of a store, one of which fails.

    Args:
        store: The database.
        at: The number of the call that fails.
        is_committed: Whether that call has its effect all the same.
        error: The error of the call.
        and_after: Whether all later calls fail, too.
    """

    def __init__(
        self,
        store: Store,
        at: int,
        *,
        is_committed: bool,
        error: Callable[[], BaseException] = lambda: StoreUnavailable("no"),
        and_after: bool = False,
    ) -> None:
        self.count = 0
        self._at = at
        self._is_committed = is_committed
        self._error = error
        self._and_after = and_after
        self._database = store._database
        self._enqueue = self._database.enqueue
        self._read = self._database.read

    def __enter__(self) -> Self:
        setattr(self._database, "enqueue", self._counted_write)  # noqa: B010 (for the type checker)
        setattr(self._database, "read", self._counted_read)  # noqa: B010
        return self

    def __exit__(self, *_: object) -> None:
        delattr(self._database, "enqueue")
        delattr(self._database, "read")

    def _counted_write(
        self, run: Callable[[Connection, list[A]], None], argument: A, **options: JSON
    ) -> Job[object]:
        fails, has_effect = self._next()
        if fails and not has_effect:
            raise self._error()
        job = self._enqueue(run, argument, **options)
        if fails:
            failed = asyncio.get_running_loop().create_future()
            job.future.add_done_callback(lambda _: failed.set_exception(self._error()))
            return msgspec.structs.replace(job, future=failed)
        return job

    async def _counted_read(self, run: Callable[[Connection], R]) -> R:
        fails, has_effect = self._next()
        if fails and not has_effect:
            raise self._error()
        result = await self._read(run)
        if fails:
            raise self._error()
        return result

    def _next(self) -> tuple[bool, bool]:
        """Count a call; return whether it fails, and whether it has its effect all the same."""
        self.count += 1
        is_it = self.count == self._at
        return is_it or (self._and_after and self.count > self._at), is_it and self._is_committed
