"""The conversation with the model in one response: the context and later items."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import msgspec

from antiphon.engine.hosted.run import Offered
from antiphon.engine.kept import Kept
from antiphon.engine.ports import ResolvedModel, StreamedCall
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.reply.citations import sources_of
from antiphon.engine.request.configuration import configured
from antiphon.engine.request.functions import HostedFunction, Renamed
from antiphon.engine.request.messages import translate_reply
from antiphon.engine.request.summary import kept_messages
from antiphon.engine.request.translate import Translated, continued, translate, with_loaded
from antiphon.engine.request.truncation import shortened
from antiphon.engine.request_context import Ids
from antiphon.engine.sealed import Sealed
from antiphon.wire.chat import ChatMessage, ChatRequest
from antiphon.wire.items import Item, Message, ToolSearchOutput
from antiphon.wire.responses import CreateResponse
from antiphon.wire.transformations import InputTransformation


class PromptState:
    """The chat requests of one response, from the first model call to the last.

    Args:
        request: The request for the response.
        items: The context for the model (`Sealed.context`).
        model: The model of all calls.
        sealed: Encryption for the owner of the response.
    """

    def __init__(
        self, request: CreateResponse, items: list[Item], model: ResolvedModel, sealed: Sealed
    ) -> None:
        self.items = items
        """The context for the model."""
        self.model = model
        """The model of all calls."""
        self.rounds = 0
        """Number of replies that called hosted tools so far."""
        self.dropped = 0
        """Number of the oldest items that `shorten` has dropped."""
        self.kept: Kept | None = None
        """The part of an earlier response that this one begins with."""
        # Messages of a user have no sources and change no settings.
        self._is_plain = all(isinstance(item, Message) and item.role == "user" for item in items)
        self._request = request if self._is_plain else configured(request, items, sealed)
        self._sealed = sealed
        self._offered: Offered = {}
        self._said: list[ChatMessage] = []
        self._found: list[Item] = []
        """The results of searches for tools in this response."""
        self._shorter: Iterator[list[Item]] | None = None
        self._translated: Translated

    async def offer(self, offered: Offered, *, are_set_up: bool) -> None:
        """Translate the request, with the functions of the hosted tools.

        Args:
            offered: The functions, by the position of their tool.
            are_set_up: Whether the set-ups of the tools are done. If not, `tool_choice` is not checked,
                because it may name a function that isn't listed yet.

        Raises:
            InvalidRequest: No chat backend accepts the request.
        """
        self._offered = offered
        request = self._request if are_set_up else msgspec.structs.replace(self._request, tool_choice=None)
        self._translated = await self._translate(request, self.items)

    @property
    def withheld(self) -> Sequence[InputTransformation]:
        """The reasoning of the context that the model does not receive."""
        return self._translated.withheld

    def chat_request(self, spent: int) -> ChatRequest:
        """Return the request for the next model call, after `spent` output tokens."""
        if not self.rounds and not self._said:
            return self._translated.chat_request
        return continued(self._translated, self._said, spent=spent, is_first=not self.rounds)

    def assembler(
        self, output: list[Item], ids: Ids, begin: Callable[[int, str], StreamedCall | None] | None = None
    ) -> Assembler:
        """Return the assembler for the next reply; it appends its items to `output`.

        Args:
            output: The output of the response.
            ids: Makes the ids of the items.
            begin: Begins a call of a function of the tool at a position; None without hosted tools.
        """
        include = self._request.include or ()
        known = self._translated.functions.known
        if begin is not None:
            known = msgspec.structs.replace(
                known, begin=lambda name: self._begun(name, begin), include=include
            )
        options = AssemblyOptions(
            source=self.model.id,
            tools=known,
            input_of=self._translated.input_of,
            think_tags=self.model.chat_model.capabilities.think_tags,
            logprobs="message.output_text.logprobs" in include,
            encrypted_reasoning="reasoning.encrypted_content" in include,
            sealed=self._sealed,
            phases=any(isinstance(item, Message) and item.phase for item in self.items),
            sources=None if self._is_plain and not output else sources_of(chain(self.items, output)),
        )
        return Assembler(output, ids, options)

    def _begun(self, name: str, begin: Callable[[int, str], StreamedCall | None]) -> StreamedCall | None:
        function = self.hosted_function(name)
        return begin(function.position, function.name)

    def hosted_function(self, name: str) -> HostedFunction:
        """Return the hosted function that the model calls by this name."""
        return self._translated.functions.hosted[name]

    @property
    def renamed(self) -> Renamed:
        """The hosted functions that have another name at the backend."""
        return self._translated.functions.renamed

    def remember(self, items: list[Item]) -> None:
        """Add items to the conversation."""
        capabilities = self.model.chat_model.capabilities
        limit = self._request.max_tool_calls
        self._said += translate_reply(items, capabilities, self.renamed, limit, self._sealed)

    def next_round(self, items: list[Item]) -> None:
        """Add a reply and the results of its hosted tools, for another model call."""
        self.remember(items)
        self.rounds += 1
        if found := [item for item in items if isinstance(item, ToolSearchOutput)]:
            self._found += found
            self._translated = self._with_loaded(self._translated)

    def go_on(self) -> list[Item]:
        """Add the part of an earlier response that this one begins with, and return its items."""
        if self.kept is None:
            return []
        if self.kept.before:
            self.remember(self.kept.before)
        for items in self.kept.rounds:
            self.next_round(items)
        return self.kept.items

    async def shorten(self) -> bool:
        """Drop more of the oldest context; return whether that was allowed and possible."""
        if self._request.truncation != "auto":
            return False
        self._shorter = self._shorter or shortened(self.items)
        items = next(self._shorter, None)
        if items is None:
            return False
        self._translated = await self._translate(self._request, items)
        self.dropped = len(self.items) - len(items)
        return True

    async def shorten_to(self, dropped: int) -> None:
        """Drop a number of the oldest items, as `shorten` did in an earlier run."""
        self._translated = await self._translate(self._request, self.items[dropped:])
        self.dropped = dropped

    async def replace_context(self, items: list[Item], compaction: Item) -> None:
        """Continue from a compaction of `items` instead of the conversation so far."""
        self.items, self._is_plain = [*kept_messages(items), compaction], False
        self._said = []
        self._shorter = None
        self.dropped = 0
        self._translated = await self._translate(self._request, self.items)

    def whole_context(self, output: list[Item]) -> list[Item]:
        """Return the context and the output, which a follow-up has as its context."""
        return self._sealed.context(self.items + output)

    async def _translate(self, request: CreateResponse, items: list[Item]) -> Translated:
        capabilities = self.model.chat_model.capabilities
        translated = await translate(
            request, items, self.model.name, capabilities, self._offered, self._sealed
        )
        return self._with_loaded(translated) if self._found else translated

    def _with_loaded(self, translated: Translated) -> Translated:
        items = [*self.items, *self._found]
        capabilities = self.model.chat_model.capabilities
        return with_loaded(translated, self._request, items, capabilities, self._offered)
