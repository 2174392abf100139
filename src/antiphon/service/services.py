"""Use cases of a server, over one store and one model catalogue."""

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from msgspec import Struct

from antiphon.engine.ports import NO_TOOLS, HostedTools, ModelCatalogue
from antiphon.engine.request_context import Observer, RequestContext, Unobserved
from antiphon.net.guard import Guard
from antiphon.service.access.idempotency import Idempotency
from antiphon.service.access.keys import Keys, KeySettings
from antiphon.service.batches.batches import Batches, BatchServices
from antiphon.service.batches.lines import BodyLimits, Lines
from antiphon.service.batches.slots import LineLimits
from antiphon.service.embeddings import Embeddings
from antiphon.service.files.container_runs import RequestContainers
from antiphon.service.files.containers import Containers
from antiphon.service.files.files import Files
from antiphon.service.files.folder import FileFolder
from antiphon.service.files.ingestion import Ingestion
from antiphon.service.files.retrieval import Retrieval
from antiphon.service.files.search import Search
from antiphon.service.files.uploads import Uploads
from antiphon.service.files.vector_store_files import AttachedFiles
from antiphon.service.files.vector_stores import VectorStores
from antiphon.service.log.refusals import Refusals
from antiphon.service.models import RegisteredModels
from antiphon.service.passthrough.proxied import Proxied
from antiphon.service.readiness import ReadinessChecks
from antiphon.service.responses.background import Background
from antiphon.service.responses.input_files import Attachments
from antiphon.service.responses.responses import LogSettings, OpenTools, Responses
from antiphon.service.responses.resumable import ResumableStreams
from antiphon.service.responses.sealing import Sealing
from antiphon.service.webhooks.webhooks import Webhooks
from antiphon.settings.moderation import ModerationSettings
from antiphon.settings.tools import ToolsSettings
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.store.runs.rows import RunLimits
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.responses import CreateResponse


class Instruments(Protocol):
    """Measurement of the calls of models and tools, around the ports."""

    def models(self, inner: ModelCatalogue) -> ModelCatalogue:
        """Return the models whose calls are measured."""
        ...

    def tools(self, inner: HostedTools, context: RequestContext) -> HostedTools:
        """Return the hosted tools of a request whose calls are measured."""
        ...

    def execution(self, trace: Mapping[str, str]) -> Observer:
        """Return the observer of an execution in the background.

        Args:
            trace: The result of `Observer.carried` for the request.
        """
        ...


class Uninstrumented:
    """`Instruments` that measure nothing."""

    def models(self, inner: ModelCatalogue) -> ModelCatalogue:
        """Return the models themselves."""
        return inner

    def tools(self, inner: HostedTools, context: RequestContext) -> HostedTools:
        """Return the tools themselves."""
        return inner

    def execution(self, trace: Mapping[str, str]) -> Observer:
        """Return an observer that ignores everything."""
        return Unobserved()


@dataclass(frozen=True, kw_only=True)
class FileServices:
    """The use cases of files and vector stores."""

    files: Files
    """Uploaded files."""
    uploads: Uploads
    """Uploads in parts."""
    vector_stores: VectorStores
    """Vector stores."""
    attached_files: AttachedFiles
    """Files in vector stores."""
    search: Search
    """Search in vector stores."""
    ingestion: Ingestion
    """Background work that reads files into vector stores."""
    attachments: Attachments
    """Files and images that requests refer to."""
    containers: Containers
    """Containers of the code interpreter."""

    @classmethod
    def open(cls, store: Store, catalogue: ModelCatalogue, given: "ServiceSettings", guard: Guard) -> Self:
        """Open the folder of files, and build the use cases.

        Args:
            store: The database.
            catalogue: The models, for embeddings.
            given: The settings of the use cases.
            guard: Decides which URLs in requests the server may fetch.

        Raises:
            StoreUnavailable: The folder cannot be created or read.
        """
        tools, settings = given.tools, given.tools.file_search
        folder = FileFolder.open(settings.files, settings.max_file_bytes)
        embeddings = Embeddings(catalogue, settings.embedding_inputs)
        retrieval = Retrieval(store.chunks, embeddings, settings.index_from)
        ingestion = Ingestion(store, folder, retrieval)
        attached_files = AttachedFiles(store, ingestion)
        return cls(
            files=Files(store, folder),
            uploads=Uploads(store, folder),
            vector_stores=VectorStores(store, attached_files, settings.embedding_model, catalogue),
            attached_files=attached_files,
            search=Search(store, retrieval),
            ingestion=ingestion,
            attachments=Attachments(store=store, folder=folder, guard=guard, seconds=tools.timeout),
            containers=Containers(store, folder, tools.code_interpreter, is_played=given.plays_tools),
        )

    async def delete_expired(self) -> None:
        """Delete expired files and containers, and empty expired vector stores; call it periodically."""
        await self.files.delete_expired()
        await self.uploads.delete_left_parts()
        await self.containers.delete_expired()
        await self.vector_stores.empty_expired()

    async def close(self) -> None:
        """Stop reading files and running code, and delete a temporary folder."""
        await self.ingestion.close()
        await self.containers.close()
        self.files.folder.close()


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """The settings of the use cases."""

    tools: ToolsSettings = ToolsSettings()
    """The settings of hosted tools."""
    allow_hosts: Iterable[str] = ()
    """Private hosts that URLs in requests may name."""
    keys: KeySettings = KeySettings()
    """The settings of API keys."""
    seal_key: Secret | None = None
    """The secret for encrypted content; None takes the one in the database."""
    background: RunLimits = RunLimits()
    """The limits of background responses."""
    batch_lines: LineLimits = LineLimits()
    """The limits of the lines of batches."""
    bodies: BodyLimits = BodyLimits()
    """The limits of the requests in batches."""
    resume_grace: float | None = None
    """Seconds that the response of a lost client goes on; None if its stream cannot be resumed."""
    log: LogSettings = LogSettings()
    """The settings of the step log."""
    moderation: ModerationSettings = ModerationSettings()
    """The settings of moderation."""
    plays_tools: bool = False
    """Whether recordings answer all calls of tools, so that the server needs no sandbox."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases that routes share, and the store for use cases that need nothing else.

    In all use cases, `owner` is the owner of the objects that a method reads and writes.
    """

    background: Background
    """Background responses."""
    batches: Batches
    """Batches."""
    catalogue: ModelCatalogue
    """The models."""
    files: FileServices
    """Files and vector stores."""
    idempotency: Idempotency
    """Idempotency keys."""
    keys: Keys
    """API keys."""
    models: RegisteredModels
    """Models as resources."""
    proxied: Proxied
    """Endpoints that are proxied to backends."""
    readiness: ReadinessChecks
    """Checks of the database and the backends."""
    refusals: Refusals
    """Refused requests in the log."""
    responses: Responses
    """Responses."""
    resumable: ResumableStreams | None
    """Streams that clients can resume; None if they can't."""
    sealing: Sealing | None
    """Encryption for all owners; None where content is not encrypted."""
    webhooks: Webhooks
    """Webhook endpoints."""
    store: Store
    """The database; a route makes a use case like `Prompts(store)` for each request."""

    async def go_on(self) -> None:
        """Run work that waits or that a stopped server has left, after one query; call it periodically."""
        runs, batches, deliveries = await self.store.servers.waiting(
            self.background.active, self.batches.active, self.webhooks.active
        )
        if runs:
            self.background.wake()
        if batches:
            self.batches.wake()
        if deliveries:
            self.webhooks.wake()

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        store: Store,
        catalogue: ModelCatalogue,
        settings: ServiceSettings | None = None,
        instruments: Instruments | None = None,
    ) -> AsyncGenerator[Self, None]:
        """Open the use cases until the block ends; the database and the models remain open.

        Args:
            store: The database.
            catalogue: The models.
            settings: None for the defaults.
            instruments: Measures the calls of models and tools; None for no measurement.

        Raises:
            ConfigError: An entry of `allow_hosts` is invalid.
            StoreUnavailable: The folder of files cannot be created.
        """
        settings, instruments = settings or ServiceSettings(), instruments or Uninstrumented()
        seal_key = (settings.seal_key or await _kept_seal_key(store)).reveal()
        sealing, keys = Sealing(seal_key), Keys(store.keys, store.usage, settings.keys)
        async with AsyncExitStack() as stack:
            measured = instruments.models(catalogue)
            proxied = Proxied.open(store, measured, settings.moderation)
            tools = await ToolServices.open(settings.tools, settings.allow_hosts)
            stack.push_async_callback(tools.close)
            files = FileServices.open(store, measured, settings, tools.guard)
            stack.push_async_callback(files.close)

            def responses_of(models: ModelCatalogue) -> Responses:
                opened = _tools_of(tools, files, models, instruments)
                return Responses(store, models, opened, files.attachments, settings.log, proxied.moderator)

            webhooks = Webhooks(store, tools.guard, sealing)
            background = Background(store, measured, responses_of, sealing, keys, settings.background)
            background.observer_of = instruments.execution
            lines = Lines(responses_of, measured, proxied, settings.bodies)
            parts = BatchServices(catalogue, files.files, lines, sealing, keys, instruments.execution)
            batches = Batches(store, parts, settings.batch_lines)
            for each in (webhooks, background, batches):
                stack.push_async_callback(each.close)
            yield cls(
                background=background,
                batches=batches,
                catalogue=catalogue,
                files=files,
                idempotency=Idempotency(store.idempotency, seal_key),
                keys=keys,
                models=RegisteredModels(store, catalogue),
                proxied=proxied,
                readiness=ReadinessChecks(store, catalogue),
                refusals=Refusals(store.log, settings.log.content),
                responses=responses_of(measured),
                resumable=ResumableStreams.open(store.runs, background.tell, settings.resume_grace),
                sealing=sealing,
                store=store,
                webhooks=webhooks,
            )


async def _kept_seal_key(store: Store) -> Secret:
    """Return the secret in the database, which is made the first time."""
    return Secret(await store.secrets.find_or_keep("seal_key", secrets.token_hex(32)))


def _tools_of(
    services: ToolServices, files: FileServices, catalogue: ModelCatalogue, instruments: Instruments
) -> OpenTools:
    """Return the function that opens the hosted tools of a request."""

    async def opened(context: RequestContext, request: CreateResponse) -> HostedTools:
        if not request.tools:
            return NO_TOOLS
        await files.search.check(context.owner, request.tools)
        given = ToolContext(
            services=services,
            request=context,
            wrap=lambda inner: catalogue.tool_calls(inner, context),
            file_search=files.search.for_owner(context),
            containers=RequestContainers(files.containers, context),
        )
        opened = HostedTools(open_tools(request.tools, given), services.settings.max_rounds)
        return instruments.tools(opened, context)

    return opened
