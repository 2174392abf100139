"""The engine's ports with the journal of one background response."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from antiphon.durable.journal import Journal, ToolOutcome
from antiphon.engine.ports import (
    ChatModel,
    ModelCatalogue,
    Repeatable,
    ResolvedModel,
    ToolCalls,
    WrappedCatalogue,
)
from antiphon.engine.request_context import RequestContext
from antiphon.errors import UpstreamError, UpstreamRefused
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

_LIST = "tools/list"
_MOST_BYTES = 1024 * 1024
"""Size of a result from which on a repeatable call is repeated rather than stored."""


class JournaledModel:
    """A `ChatModel` whose finished calls are never made again."""

    def __init__(self, inner: ChatModel, journal: Journal) -> None:
        self._inner = inner
        self._journal = journal

    @property
    def capabilities(self) -> Capabilities:
        """The features that the backend of the model supports."""
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of the finished call, or those of a new one."""
        finished = self._journal.finished_call()
        if finished is not None:
            yield finished
        else:
            self._journal.begin_call()
            chunks: list[bytes] = []
            async with aclosing(self._inner.stream(request)) as batches:
                async for batch in batches:
                    chunks += batch
                    yield batch
            await self._journal.end_call(chunks)
        self._journal.next_call()

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the chat completion of the finished call, or of a new one."""
        finished = self._journal.finished_call()
        if finished is None:
            self._journal.begin_call()
            finished = [await self._inner.complete(request)]
            await self._journal.end_call(finished)
        self._journal.next_call()
        return finished[0]


class JournaledTools:
    """`ToolCalls` whose finished calls are never made again.

    A call that an earlier execution began and didn't finish is made again only if it changes nothing.

    Args:
        inner: The calls, with recording, replay and faults.
        journal: The journal of the response.
        is_repeatable: Whether all calls can be made again.
    """

    def __init__(self, inner: ToolCalls, journal: Journal, *, is_repeatable: bool) -> None:
        self._inner = inner
        self._journal = journal
        self._is_repeatable = is_repeatable
        self._harmless: set[str] = {_LIST}

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the result of the finished call, or of a new one.

        Raises:
            UpstreamError: The tool failed, or the call was interrupted and its outcome is unknown.
            RecordingNotFound: Replay has no recording of the call.
        """
        step = self._journal.tool_name(provider, name, arguments)
        outcome = self._journal.finished_tool(step)
        if outcome is None:
            outcome = await self._made(step, provider, name, arguments)
        if outcome.error is not None and outcome.status is not None:
            raise UpstreamRefused(outcome.error, upstream_status=outcome.status)
        if outcome.error is not None:
            raise UpstreamError(outcome.error)
        if name == _LIST:
            self._harmless |= _declared_harmless(outcome.result)
        return outcome.result

    async def _made(self, step: str, provider: str, name: str, arguments: JSONObject) -> ToolOutcome:
        journal = self._journal
        can_repeat = self._is_repeatable or name in self._harmless
        if not can_repeat and journal.has_begun(step):
            return ToolOutcome(error="The server stopped during this call, so its outcome is unknown.")
        if not can_repeat:
            await journal.begin_tool(step)
        try:
            outcome = ToolOutcome(await self._inner.call(provider, name, arguments))
        except UpstreamRefused as error:
            outcome = ToolOutcome(error=error.message, status=error.upstream_status)
        except UpstreamError as error:
            outcome = ToolOutcome(error=error.message)
        if not can_repeat or len(msgspec.json.encode(outcome)) <= _MOST_BYTES:
            await journal.end_tool(step, outcome)
        return outcome


class JournaledCatalogue(WrappedCatalogue):
    """A `ModelCatalogue` for one background response, with its journal between the engine and the world.

    The journal has calls of models and tools, and no other requests to backends.
    """

    def __init__(self, inner: ModelCatalogue, journal: Journal) -> None:
        super().__init__(inner)
        self._journal = journal

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model, with the journal around its calls."""
        resolved = await self._inner.resolve(model_id, context)
        chat_model = JournaledModel(resolved.chat_model, self._journal)
        return msgspec.structs.replace(resolved, chat_model=chat_model, interrupted=self._journal.interrupted)

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        """Return the tool calls of one request, with the journal around them."""
        calls = self._inner.tool_calls(inner, context)
        return JournaledTools(calls, self._journal, is_repeatable=isinstance(inner, Repeatable))


def _declared_harmless(listed: JSON) -> set[str]:
    """Return the tools of an MCP server's list that only read, or may be called twice."""
    tools = listed.get("tools", []) if isinstance(listed, dict) else []
    names: set[str] = set()
    for tool in tools if isinstance(tools, list) else []:
        annotations = tool.get("annotations") if isinstance(tool, dict) else None
        if isinstance(annotations, dict) and isinstance(tool.get("name"), str):
            hints = (annotations.get("readOnlyHint"), annotations.get("idempotentHint"))
            if any(hint is True for hint in hints):
                names.add(tool["name"])
    return names
