"""Compaction: the summary of a context, in one more non-streaming model call."""

import asyncio
from collections.abc import Awaitable, Callable

from antiphon.engine.ports import ResolvedModel
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.reply.whole import unfold_reply
from antiphon.engine.request.configuration import configuration_of
from antiphon.engine.request.content import plain_text
from antiphon.engine.request.summary import kept_messages, request_of_summary, without_loaded_files
from antiphon.engine.request.translate import translate
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import spent, usage_of
from antiphon.engine.sealed import Sealed, SealedCompaction
from antiphon.engine.steps import ModelNote
from antiphon.errors import AntiphonError, UpstreamBroken
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.events import CompactionCompacting, Event, OutputItemAdded
from antiphon.wire.items import Compaction, CompactionTrigger, Item, Message
from antiphon.wire.responses import CreateResponse, Usage

Estimate = Callable[[ChatRequest], Awaitable[int]]
"""Returns an estimate of the tokens in a chat request."""


class SummaryTooLong(UpstreamBroken):
    """Summary that the model's limit of tokens has cut off."""


class Compactor:
    """The compaction of one request's context.

    Args:
        request: The request.
        model: The model of the request, which also writes the summary.
        context: The context of the request, which must have a `seal`.
        estimate: Estimates the tokens in a chat request.
    """

    def __init__(
        self, request: CreateResponse, model: ResolvedModel, context: RequestContext, estimate: Estimate
    ) -> None:
        self.usage: Usage | None = None
        """The usage of the latest summary."""
        given = request.input if isinstance(request.input, list) else []
        self.is_all = bool(given) and isinstance(given[-1], CompactionTrigger)
        """Whether the response is only a compaction."""
        thresholds = [each.compact_threshold for each in request.context_management or ()]
        self._threshold = min((each for each in thresholds if each is not None), default=None)
        self.has_tried = False
        """Whether a compaction of the response has succeeded or failed."""
        self._request = CreateResponse(
            model=request.model,
            prompt_cache_key=request.prompt_cache_key,
            prompt_cache_retention=request.prompt_cache_retention,
            prompt_cache_options=request.prompt_cache_options,
            safety_identifier=request.safety_identifier,
            service_tier=request.service_tier,
            user=request.user,
        )
        self._model = model
        self._context = context
        self._estimate = estimate
        self._sealed = Sealed(context.seal, model.name, context.owner)
        self._item_id: str | None = None

    def opening(self) -> list[Event]:
        """Return the events before the summary of a response that is only a compaction."""
        item_id = self._item_id = self._context.ids("cmp")
        item = Compaction(id=item_id, encrypted_content="")
        return [OutputItemAdded(0, item), CompactionCompacting(item_id, 0)]

    async def is_due(self, chat: ChatRequest, usage: ChatUsage | None = None) -> bool:
        """Return whether the context exceeds the threshold.

        Args:
            chat: The chat request with the context.
            usage: The reported usage of a model call with this context; None compares the estimate of `chat`.
        """
        if self._threshold is None:
            return False
        counted = usage_of(usage)
        return (counted.total_tokens if counted else await self._estimate(chat)) > self._threshold

    async def compact(self, items: list[Item]) -> Compaction:
        """Return a compaction that replaces all of `items`.

        Raises:
            SummaryTooLong: The summary doesn't fit into the context window.
            UpstreamError: The backend failed, or returned no complete summary.
            InvalidRequest: No chat backend accepts the items.
        """
        self.has_tried = True
        summary = await self.sum_up(items)
        kept = [without_loaded_files(message) for message in kept_messages(items)]
        return self.item(summary, kept, items)

    def item(self, summary: str, kept: list[Message] | None, items: list[Item]) -> Compaction:
        """Return a new compaction item.

        Args:
            summary: The summary.
            kept: The messages that the item contains; None if they precede it.
            items: The items that the compaction replaces, whose settings it contains.
        """
        content = SealedCompaction(summary, kept, configuration_of(items, self._sealed))
        item_id = self._item_id or self._context.ids("cmp")
        return Compaction(id=item_id, encrypted_content=self._sealed.seal(content))

    async def sum_up(self, items: list[Item], instructions: str | None = None) -> str:
        """Return the model's summary of `items`.

        Args:
            items: The items to summarize.
            instructions: Instructions of the client for the summary.

        Raises:
            UpstreamError: The backend failed, or returned no complete summary.
            InvalidRequest: No chat backend accepts the items.
        """
        capabilities = self._model.chat_model.capabilities
        translated = await translate(
            self._request, items, self._model.name, capabilities, sealed=self._sealed
        )
        chat = translated.chat_request
        chat["messages"].append(request_of_summary(instructions))
        chat["stream"] = False
        chat.pop("stream_options", None)
        self._context.observer.model_called(self._model.id)
        options = AssemblyOptions(source=self._model.id, think_tags=capabilities.think_tags)
        assembler = Assembler([], self._context.ids, options)
        reply = await self._completed(chat, assembler)
        assembler.feed(unfold_reply(reply, include_usage=True))
        assembler.finish()
        self.usage = usage_of(assembler.usage)
        if self._context.spend is not None:
            self._context.spend(spent(assembler.usage, chat, 1, reply))
        if assembler.failure is not None:
            raise assembler.failure
        if assembler.stopped_early:  # An incomplete summary would silently lose the rest of the context.
            reason = assembler.finish_reason
            kind = SummaryTooLong if reason == "length" else UpstreamBroken
            raise kind(f"{self._model.id}: the summary of the context was cut off ({reason})")
        texts = [plain_text(item.content) for item in assembler.output if isinstance(item, Message)]
        summary = "\n".join(texts).strip()
        if not summary:
            raise UpstreamBroken(f"{self._model.id}: the model returned no summary of the context")
        return summary

    async def _completed(self, chat: ChatRequest, assembler: Assembler) -> bytes:
        """Return the chat completion of a request, whose call the step log notes."""
        steps = self._context.steps
        if steps is None:
            return await self._model.chat_model.complete(chat)
        note = ModelNote(self._model.id, chat, assembler, 0, purpose="compaction")
        steps.begin(note)
        try:
            reply = await self._model.chat_model.complete(chat)
        except (AntiphonError, asyncio.CancelledError) as error:
            steps.end(note, error)
            raise
        steps.end(note)
        return reply
