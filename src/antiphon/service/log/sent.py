"""The model calls of a stored response, put together from its items again."""

from collections.abc import Iterator
from typing import TypeGuard, cast

import msgspec
from msgspec import UNSET, Struct

from antiphon.engine.prompt_state import PromptState
from antiphon.engine.request_context import RequestContext, Seal
from antiphon.errors import AntiphonError
from antiphon.service.log.entries import LoggedResponse
from antiphon.service.log.replies import reply_of
from antiphon.service.log.timeline import output_of
from antiphon.service.responses.responses import Responses
from antiphon.service.steps import FROM_ITEMS, checksum
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatMessage, ChatRequest
from antiphon.wire.configuration import JsonSchemaFormat
from antiphon.wire.items import Compaction, Item, McpListTools
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.log import LoggedRequest, ModelStep, SentRequest, Step
from antiphon.wire.responses import CreateResponse, Response, ServiceTier
from antiphon.wire.tools import FunctionTool, NamespaceTool, Tool

_SAME = frozenset(
    {
        "model",
        "instructions",
        "max_tool_calls",
        "max_output_tokens",
        "text",
        "reasoning",
        "truncation",
        "metadata",
    }
)
"""Fields of a request that its response has as well."""
_OPTIONAL: dict[str, JSON] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "prompt_cache_key": None,
    "safety_identifier": None,
    "user": None,
}
"""Fields of a request and members of a chat request, with the values of a response without them."""


class ModelCall(Struct, frozen=True, kw_only=True):
    """A model call that the log can put together."""

    sent: SentRequest
    """The request."""
    reply: ChatMessage
    """The message of the model."""
    backend: str
    """Name of the backend."""
    capabilities: Capabilities
    """Capability switches of the backend, as they are now."""


class SentRequests:
    """The requests to backends.

    Args:
        responses: The use cases of responses.
        seal: Decrypts encrypted content of the items.
    """

    def __init__(self, responses: Responses, seal: Seal | None) -> None:
        self._responses = responses
        self._seal = seal

    async def of(self, logged: LoggedResponse) -> list[SentRequest | None]:
        """Return the chat request of each step.

        A request is None for a tool call, for a compaction, without a stored response, and if the log or the
        database doesn't have its parts any more.
        """
        return [None if call is None else call.sent for call in await self.calls(logged)]

    async def calls(self, logged: LoggedResponse) -> list[ModelCall | None]:
        """Return the model call of each step; None where `of` returns None."""
        _, found = await self._found(logged)
        return found

    async def request(self, logged: LoggedResponse) -> CreateResponse:
        """Return the request of a stored response, without its input."""
        request, _ = await self._found(logged)
        return request

    async def _found(self, logged: LoggedResponse) -> tuple[CreateResponse, list[ModelCall | None]]:
        """Return the first request that explains all calls, or else the first one, with the calls."""
        if logged.response is None:
            return CreateResponse(), [None] * len(logged.steps)
        first = next((step.request for step in logged.steps if _is_answer(step) and step.request), None)
        candidates = list(_candidates(logged.response, first))
        context = RequestContext(owner=logged.entry.owner, seal=self._seal)
        best: list[ModelCall | None] = [None] * len(logged.steps)
        if first is None:
            return candidates[0], best
        try:
            for request in candidates:
                found = await self._built(context, request, logged)
                if all(call is None or call.sent.is_exact for call in found):
                    return request, found
                best = found if request is candidates[0] else best
        except AntiphonError:  # A part of the request does not exist any more.
            pass
        return candidates[0], best

    async def _built(
        self, context: RequestContext, request: CreateResponse, logged: LoggedResponse
    ) -> list[ModelCall | None]:
        assert logged.response is not None
        output = logged.response.output
        items = await self._responses.items_before(context, logged.response)
        prompt = await self._responses.prompt_of(context, request, items, [*items, *output])
        built: list[ModelCall | None] = []
        place, dropped = 0, 0
        last = max((number for number, step in enumerate(logged.steps) if _is_answer(step)), default=0)
        for number, step in enumerate(logged.steps):
            if not _is_answer(step) or step.request is None:
                built.append(None)
                continue
            before = output[place : step.output]
            if before:
                await _remember(prompt, before, [*items, *output[: step.output]])
                place = step.output
            if step.request.dropped != dropped:
                dropped = step.request.dropped
                await prompt.shorten_to(dropped)
            said = output_of(logged.steps, number, output)
            built.append(_call(prompt, step.request, said))
            # The last reply can have calls of functions, whose outputs only another request has.
            if said and step.error is None and number < last:
                prompt.next_round(said)
                place += len(said)
        return built


def _is_answer(step: Step) -> TypeGuard[ModelStep]:
    return isinstance(step, ModelStep) and step.purpose == "answer"


async def _remember(prompt: PromptState, before: list[Item], context: list[Item]) -> None:
    """Add the items that precede a model call: approved calls, and a compaction."""
    compaction = next((item for item in reversed(before) if isinstance(item, Compaction)), None)
    if compaction is not None:
        await prompt.replace_context([item for item in context if item is not compaction], compaction)
        return
    approved: list[Item] = [item for item in before if not isinstance(item, McpListTools)]
    if approved:
        prompt.remember(approved)


def _call(prompt: PromptState, logged: LoggedRequest, said: list[Item]) -> ModelCall:
    model = prompt.model
    capabilities = model.chat_model.capabilities
    return ModelCall(
        sent=_sent(prompt.chat_request(0), logged),
        reply=reply_of(said, prompt.renamed, capabilities),
        backend=model.id.removesuffix(model.name).removesuffix("/"),
        capabilities=capabilities,
    )


def _sent(chat: ChatRequest, logged: LoggedRequest) -> SentRequest:
    """Return the request with the settings that were sent, in their order."""
    members: JSONObject = {**chat}
    body = {name: value for name, value in members.items() if name in FROM_ITEMS or name in logged.settings}
    body.update(logged.settings)
    return SentRequest(body=body, is_exact=checksum(cast(ChatRequest, body)) == logged.crc)


def _candidates(response: Response, logged: LoggedRequest | None) -> Iterator[CreateResponse]:
    """Yield the requests that can have led to a response: it tells nothing about some omitted fields."""
    names = (name for name in response.__struct_fields__ if name in _SAME)
    request = CreateResponse(**{name: getattr(response, name) for name in names})
    request.tools = response.tools or None
    request.top_logprobs = response.top_logprobs or None
    request.prompt = None if response.prompt is UNSET else response.prompt
    for name, default in _OPTIONAL.items():
        value = getattr(response, name)
        is_given = value != default if logged is None else name in logged.settings
        setattr(request, name, value if is_given else None)
    is_usual = response.text.verbosity == "medium" if logged is None else "verbosity" not in logged.settings
    if is_usual:
        request.text = msgspec.structs.replace(response.text, verbosity=None)
    if logged is not None:
        request.stream = logged.settings.get("stream") is True
        if "service_tier" in logged.settings:
            request.service_tier = msgspec.convert(logged.settings["service_tier"], ServiceTier)
        if "logprobs" in logged.settings:
            request.include = ["message.output_text.logprobs"]
    yield request
    text, tools = request.text, request.tools or []
    loose = msgspec.structs.replace(request, tools=[_without_strict(tool) for tool in tools] or None)
    if tools:
        yield loose
    if text is not None and isinstance(text.format, JsonSchemaFormat):
        free = msgspec.structs.replace(text, format=msgspec.structs.replace(text.format, strict=UNSET))
        yield msgspec.structs.replace(request, text=free)
        if tools:
            yield msgspec.structs.replace(loose, text=free)


def _without_strict(tool: Tool) -> Tool:
    if isinstance(tool, NamespaceTool):
        return msgspec.structs.replace(tool, tools=[_without_strict(inner) for inner in tool.tools])
    return msgspec.structs.replace(tool, strict=UNSET) if isinstance(tool, FunctionTool) else tool
