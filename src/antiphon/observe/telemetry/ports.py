"""The engine's ports with metrics and traces around every call."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from antiphon.engine.ports import (
    ChatModel,
    Endpoint,
    HostedCall,
    HostedTool,
    HostedTools,
    ResolvedModel,
    StreamedCall,
    WrappedCatalogue,
)
from antiphon.engine.request_context import RequestContext
from antiphon.observe.telemetry.record import ObservedRecord
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest, ChatTool
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSONObject


class ObservedCatalogue(WrappedCatalogue):
    """A `ModelCatalogue` that reports its calls to the record of their request.

    `observed_tools` reports those of tools.
    """

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model, with the record around its calls."""
        found = await self._inner.resolve(model_id, context)
        record = context.observer
        if not isinstance(record, ObservedRecord):
            return found
        text = found.text_model
        return msgspec.structs.replace(
            found,
            chat_model=_ObservedModel(found.chat_model, found.id, record, "chat"),
            text_model=None if text is None else _ObservedModel(text, found.id, record, "text_completion"),
        )

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Return the backend's response to a request that isn't a chat request."""
        record = context.observer
        if not isinstance(record, ObservedRecord):
            return await self._inner.ask(endpoint, request, context)
        operation = "text_completion" if endpoint == "completions" else endpoint
        with record.begin_call(str(request["model"]), {}, operation) as active:
            with active.as_current():
                answer = await self._inner.ask(endpoint, request, context)
            active.call.count(answer)
            return answer


def observed_tools(tools: HostedTools, context: RequestContext) -> HostedTools:
    """Return the hosted tools of a request, with its record around their calls."""
    record = context.observer
    if not isinstance(record, ObservedRecord) or not tools.tools:
        return tools
    return HostedTools([_ObservedTool(tool, record) for tool in tools.tools], tools.max_rounds)


class _ObservedModel:
    def __init__(self, inner: ChatModel, model_id: str, record: ObservedRecord, operation: str) -> None:
        self._inner = inner
        self._id = model_id
        self._record = record
        self._operation = operation

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        with self._record.begin_call(self._id, request, self._operation) as active:
            async with aclosing(self._inner.stream(request)) as batches:
                # The request leaves before the first chunk arrives. Later, the consumer's code would run
                # inside the context.
                with active.as_current():
                    batch = await anext(batches, None)
                while batch is not None:
                    active.call.feed(batch)
                    yield batch
                    batch = await anext(batches, None)

    async def complete(self, request: ChatRequest) -> bytes:
        with self._record.begin_call(self._id, request, self._operation) as active:
            with active.as_current():
                answer = await self._inner.complete(request)
            active.call.feed([answer])
            return answer


class _ObservedTool:
    def __init__(self, inner: HostedTool, record: ObservedRecord) -> None:
        self._inner = inner
        self._record = record

    @property
    def position(self) -> int:
        return self._inner.position

    def setup(self, items: list[Item]) -> HostedCall | None:
        call = self._inner.setup(items)
        return None if call is None else _ObservedCall(call, self._record)

    async def prepare(self, items: list[Item]) -> None:
        await self._inner.prepare(items)

    def functions(self) -> list[ChatTool]:
        return self._inner.functions()

    def approved(self, items: list[Item]) -> list[HostedCall]:
        return [_ObservedCall(call, self._record) for call in self._inner.approved(items)]

    def call(self, name: str, arguments: str) -> HostedCall:
        return _ObservedCall(self._inner.call(name, arguments), self._record)

    def begin(self, name: str) -> StreamedCall | None:
        call = self._inner.begin(name)
        return None if call is None else _ObservedStreamedCall(call, self._record)

    async def close(self) -> None:
        await self._inner.close()


class _ObservedCall:
    def __init__(self, inner: HostedCall, record: ObservedRecord) -> None:
        self._inner = inner
        self._record = record

    @property
    def item(self) -> Item:
        return self._inner.item

    @property
    def ends_turn(self) -> bool:
        return self._inner.ends_turn

    @property
    def following(self) -> Sequence[Item]:
        return self._inner.following

    def opening(self, output_index: int) -> list[Event]:
        return self._inner.opening(output_index)

    async def run(self) -> None:
        await self._record.run_tool(self._inner, self._inner.run)

    def closing(self, output_index: int) -> list[Event]:
        return self._inner.closing(output_index)

    def skip(self, output_index: int) -> list[Event]:
        return self._inner.skip(output_index)


class _ObservedStreamedCall(_ObservedCall):
    def __init__(self, inner: StreamedCall, record: ObservedRecord) -> None:
        super().__init__(inner, record)
        self._streamed = inner

    def begin(self, output_index: int) -> list[Event]:
        return self._streamed.begin(output_index)

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        return self._streamed.feed(arguments, output_index)

    def end(self, output_index: int, *, is_cut: bool) -> list[Event]:
        return self._streamed.end(output_index, is_cut=is_cut)

    def abandon(self) -> Item:
        return self._streamed.abandon()
