"""Use cases of responses: create, retrieve, list, delete and compact."""

from collections.abc import Awaitable, Callable, Container

import msgspec
from msgspec import Struct

from antiphon.engine.compactor import Compactor
from antiphon.engine.kept import Kept
from antiphon.engine.loop import Loop, is_warm_up
from antiphon.engine.ports import NO_TOOLS, HostedTools, ModelCatalogue, ResolvedModel
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.request.available import with_added_tools
from antiphon.engine.request.prompts import FilledPrompt
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import new_response
from antiphon.engine.sealed import Sealed
from antiphon.engine.slices import mapped
from antiphon.engine.steps import StepNotes
from antiphon.errors import NotFound
from antiphon.service.items import decode_item, item_page, shown_item
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.pages import page_of
from antiphon.service.prompt_cache import diagnosed
from antiphon.service.prompts import filled_prompt
from antiphon.service.responses.compaction import compacted, compacts, estimate, gathered_by, without_trigger
from antiphon.service.responses.gather import Context, Turn, conversation_id, gather
from antiphon.service.responses.input_files import Attachment, Attachments
from antiphon.service.responses.input_urls import judge_urls
from antiphon.service.responses.run import Resources, Run
from antiphon.service.responses.sealing import check_sealed
from antiphon.service.responses.tokens import count_input
from antiphon.service.responses.validation import check_create_response
from antiphon.service.steps import beginning, preview
from antiphon.settings.schema import LogContent
from antiphon.store import Store
from antiphon.store.errors import ObjectNotFound
from antiphon.store.responses.rows import NewResponse, StoredResponse
from antiphon.wire.compaction import CompactedResponse, CompactResponse
from antiphon.wire.items import AdditionalTools, Item, ToolSearchOutput
from antiphon.wire.lists import Page, PageQuery
from antiphon.wire.responses import CountInputTokens, CreateResponse, DeletedResponse, InputTokens, Response

_decode = msgspec.json.Decoder(Response).decode
_encode = msgspec.json.Encoder().encode


OpenTools = Callable[[RequestContext, CreateResponse], Awaitable[HostedTools]]
"""Opens the hosted tools of a request.

It raises `InvalidRequest` for invalid tools, and `NotFound` for objects that don't exist.
"""


class LogSettings(Struct, frozen=True, kw_only=True):
    """The settings of the step log."""

    content: LogContent = "full"
    """The part of stored responses that the log keeps."""
    unstored: bool = False
    """Whether the log keeps metadata of responses with `store: false`."""

    def notes(self, *, is_stored: bool) -> StepNotes | None:
        """Return the empty notes of a response; None if it has no log."""
        if self.content == "off" or not (is_stored or self.unstored):
            return None
        return StepNotes(keeps_content=is_stored and self.content == "full")


async def _no_tools(context: RequestContext, request: CreateResponse) -> HostedTools:
    return NO_TOOLS


class Responses:
    """The use cases of `/v1/responses`.

    Every method that takes an id raises `NotFound` for an object that doesn't exist or belongs to another
    owner.

    Args:
        store: The database.
        catalogue: The models.
        open_tools: Opens the hosted tools of a request.
        attachments: The sources of files that requests refer to; None rejects such files.
        log: The settings of the step log; None for the defaults.
        moderator: Judges requests that ask for it; None for a server without checks.
    """

    def __init__(
        self,
        store: Store,
        catalogue: ModelCatalogue,
        open_tools: OpenTools = _no_tools,
        attachments: Attachments | None = None,
        log: LogSettings | None = None,
        moderator: Moderator | None = None,
    ) -> None:
        self._store = store
        self._log = log or LogSettings()
        self._moderator = moderator or Moderator(catalogue)
        self._catalogue = catalogue
        self._open_tools = open_tools
        self._attachments = attachments

    async def create(
        self,
        context: RequestContext,
        request: CreateResponse,
        latest: Turn | None = None,
        *,
        queued: Response | None = None,
        kept: Kept | None = None,
    ) -> Run:
        """Prepare a response: `async with await responses.create(...) as run`.

        Nothing is stored or sent before the events of the run are read.

        Args:
            context: The context of the request.
            request: The request.
            latest: A response that the request may continue even if it isn't stored.
            queued: The response, if it is stored already and has locked its conversation.
            kept: The part of an earlier response that the response, a fork, begins with.

        Raises:
            InvalidRequest: The request is invalid.
            NotFound: The request names something that does not exist.
        """
        check_create_response(request)
        if context.steps is None:
            steps = self._log.notes(is_stored=request.store is not False)
            context = context if steps is None else msgspec.structs.replace(context, steps=steps)
        model = await self._catalogue.resolve(request.model or "", context)
        if request.prompt is not None:
            filled = await filled_prompt(self._store, context.owner, request.prompt)
            request = msgspec.structs.replace(request, prompt=filled)
        now = context.clock() if queued is None else queued.created_at
        response = new_response(request, context.ids("resp"), int(now))
        resources, run = Resources(self._store), None
        if request.conversation is not None and response.store and queued is None:
            await self._store.conversations.lock(context.owner, conversation_id(request), response.id)
            resources.lock = response.id
        try:
            gathered, items = await self._gather(context, request, model, latest)
            if (request := _with_added_tools(request, items)).tools:
                resources.hosted = await self._open_tools(context, request)
                await resources.hosted.prepare(items)
            if request.moderation is not None or request.guardrails:
                model = await self._moderator.judged(model, request, gathered.input, context)
            await self._diagnose(context, request, response, gathered)
            prompt = PromptState(request, items, model, Sealed(context.seal, model.name, context.owner))
            prompt.kept = kept
            compactor = _compactor(request, model, context)
            loop = Loop(request, response, prompt, context, resources.hosted, compactor)
            await loop.prepare()
            if (steps := context.steps) is not None:
                steps.text = preview(request.input, gathered.input) if steps.keeps_content else ""
                steps.kept = [] if kept is None else kept.steps
            start = _start(request, response, gathered, now, context, kept) if response.store else None
            run = Run(loop, self._store, context, start, resources)
            return run
        finally:
            if run is None:
                await resources.release()

    async def _diagnose(
        self, context: RequestContext, request: CreateResponse, response: Response, gathered: Context
    ) -> None:
        """Compare the request with that of an earlier response, if the client wants to know."""
        options = request.prompt_cache_options
        if options is not None and isinstance(earlier := options.comparison_response_id, str):
            items = gathered.history + gathered.input
            response.prompt_cache_diagnostics = await diagnosed(
                self._store, context.owner, earlier, response, items
            )

    def notes_of_stored(self) -> StepNotes | None:
        """Return the empty notes of a response that is stored; None if it has no log."""
        return self._log.notes(is_stored=True)

    async def _gather(
        self,
        context: RequestContext,
        request: CreateResponse,
        model: ResolvedModel,
        latest: Turn | None = None,
    ) -> tuple[Context, list[Item]]:
        """Return the context, and the items of it for the model.

        Its encrypted content is checked. The items for the model have the content of files that the request
        refers to, and the messages that a compaction has kept.
        """
        if _is_text_alone(request):
            gathered = await gather(self._store, context, request, latest)
            return gathered, gathered.for_model(context.behavior)
        sealed = Sealed(context.seal, owner=context.owner)
        if isinstance(request.input, list):
            request = without_trigger(request)
        if isinstance(request.input, list):
            await check_sealed(request.input, sealed)
        if self._attachments is None:
            gathered = await gather(self._store, context, request, latest)
            return gathered, sealed.context(gathered.for_model(context.behavior))
        attaching = self._attachments.begin(
            context.owner, lambda inner: self._catalogue.tool_calls(inner, context)
        )
        if isinstance(request.input, list):
            await attaching.download(request.input, "input")
        gathered = await gather(self._store, context, request, latest)
        await attaching.load(gathered.input, "input")
        items = sealed.context(gathered.for_model(context.behavior))
        await attaching.load(items, None)
        parts: list[tuple[Attachment, str]] = []
        if isinstance(request.prompt, FilledPrompt):
            places = (f"prompt.variables.{name}" for name in request.prompt.names)
            parts += zip(request.prompt.parts, places, strict=True)
        for part, where in parts:
            await attaching.load_part(part, where)
        await judge_urls(model.judge_url, gathered.input, items, parts)
        return gathered, items

    async def items_before(self, context: RequestContext, response: Response) -> list[Item]:
        """Return the items that a stored response began with, with the content of their files.

        Raises:
            NotFound: The response, or a file, doesn't exist any more.
            InvalidRequest: An earlier response of the chain doesn't exist any more.
        """
        found = await self._store.responses.history(context.owner, response.id)
        bodies = found.bodies[: len(found.bodies) - len(response.output)]
        items = Sealed(context.seal, owner=context.owner).context(await mapped(decode_item, bodies))
        if self._attachments is not None:
            attaching = self._attachments.begin(
                context.owner, lambda inner: self._catalogue.tool_calls(inner, context)
            )
            await attaching.load(items, None)
        return items

    async def prompt_of(
        self, context: RequestContext, request: CreateResponse, items: list[Item], known: list[Item]
    ) -> PromptState:
        """Return the prompt of a request, without a call of a backend or a tool.

        Args:
            context: The context of the request.
            request: The request.
            items: The items for the model.
            known: Items that may list the tools of MCP servers.

        Raises:
            InvalidRequest: No chat backend accepts the request.
            NotFound: The request names something that does not exist.
        """
        request = _with_added_tools(request, items)
        model = await self._catalogue.resolve(request.model or "", context)
        prompt = PromptState(request, items, model, Sealed(context.seal, model.name, context.owner))
        hosted = await self._open_tools(context, request)
        try:
            offered = {
                tool.position: tool.functions() if tool.setup(known) is None else [] for tool in hosted.tools
            }
        finally:
            await hosted.close()
        await prompt.offer(offered, are_set_up=True)
        return prompt

    async def count_input_tokens(self, context: RequestContext, request: CountInputTokens) -> InputTokens:
        """Count the tokens that a request would have as input.

        Raises:
            InvalidRequest: The request is invalid.
            NotFound: The request names something that does not exist.
        """
        given = {name: getattr(request, name) for name in request.__struct_fields__ if name != "personality"}
        full = CreateResponse(**given, store=False)
        check_create_response(full)
        # A list of tools that the context has counts, although a dialect may repeat it.
        behavior = msgspec.structs.replace(context.behavior, repeats_tool_lists=False)
        context = msgspec.structs.replace(context, behavior=behavior)
        model = await self._catalogue.resolve(full.model or "", context)
        _, items = await self._gather(context, full, model)
        full = _with_added_tools(full, items)
        hosted = await self._open_tools(context, full)
        try:
            sealed = Sealed(context.seal, model.name, context.owner)
            return InputTokens(input_tokens=await count_input(full, items, model, hosted, sealed))
        finally:
            await hosted.close()

    async def compact(self, context: RequestContext, body: CompactResponse) -> CompactedResponse:
        """Summarize the context of a request, without storing anything.

        Raises:
            InvalidRequest: The request is invalid.
            NotFound: The request names something that does not exist.
            UpstreamError: The backend failed, or returned no complete summary.
        """
        request = gathered_by(body)
        check_create_response(request)
        model = await self._catalogue.resolve(request.model or "", context)
        _, items = await self._gather(context, request, model)
        compactor = Compactor(request, model, context, estimate)
        return await compacted(items, body.instructions, compactor, context)

    async def get(self, owner: str, response_id: str, include: Container[str] = ()) -> Response:
        """Return a stored response."""
        stored = await self._store.responses.get(owner, response_id)
        if stored is None:
            raise _not_found(response_id)
        return _response(stored, include)

    async def delete(self, owner: str, response_id: str) -> DeletedResponse:
        """Delete a response and the items that belong to nothing else."""
        if not await self._store.responses.delete(owner, response_id):
            raise _not_found(response_id)
        return DeletedResponse(response_id)

    async def list(
        self, owner: str, query: PageQuery, model: str | None, include: Container[str] = ()
    ) -> Page[Response]:
        """Return a page of the stored responses of `model` by creation time; None for all."""
        page = await self._store.responses.list(owner, query, model=model)
        responses = [_response(stored, include) for stored in page.responses]
        return page_of(responses, [stored.id for stored in page.responses], has_more=page.has_more)

    async def input_items(
        self, owner: str, response_id: str, query: PageQuery, include: Container[str] = ()
    ) -> Page[Item]:
        """Return a page of a response's input items."""
        page = await self._store.responses.input_items(owner, response_id, query)
        if page is None:
            raise _not_found(response_id)
        return item_page(page, include)


def _compactor(request: CreateResponse, model: ResolvedModel, context: RequestContext) -> Compactor | None:
    """Return the compactor of a request that may cause a compaction: not a warm-up, nor a mere text."""
    is_plain = isinstance(request.input, str) and not request.context_management
    if context.seal is None or is_plain or is_warm_up(request) or not compacts(request):
        return None
    return Compactor(request, model, context, estimate)


def _is_text_alone(request: CreateResponse) -> bool:
    """Return whether the context of a request is a single text, without attachments."""
    continues = request.previous_response_id is not None or request.conversation is not None
    return isinstance(request.input, str) and not continues and request.prompt is None


def _with_added_tools(request: CreateResponse, items: list[Item]) -> CreateResponse:
    """Return the request with the tools that only its context declares."""
    if not any(isinstance(item, AdditionalTools | ToolSearchOutput) for item in items):
        return request
    return with_added_tools(request, items)


def _start(
    request: CreateResponse,
    response: Response,
    gathered: Context,
    now: float,
    context: RequestContext,
    kept: Kept | None,
) -> NewResponse:
    return NewResponse(
        id=response.id,
        created_at=now,
        model=response.model,
        body=_encode(response).decode(),
        input_new=gathered.new_items,
        input_ids=gathered.input_ids,
        previous_response_id=request.previous_response_id,
        conversation_id=conversation_id(request) if request.conversation is not None else None,
        conversation_position=gathered.conversation_position,
        key_name=context.key,
        summary=None if context.steps is None else beginning(context.steps),
        forked_from=None if kept is None else kept.source,
    )


def _response(stored: StoredResponse, include: Container[str]) -> Response:
    response = _decode(stored.body)
    response.output = [shown_item(body, include) for body in stored.output]
    return response


def _not_found(response_id: str) -> NotFound:
    return ObjectNotFound("Response", response_id)
