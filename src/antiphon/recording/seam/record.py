"""The mode `record`: backends and tools answer, and their answers are recorded."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic
from typing import cast

import msgspec
from msgspec import Raw
from msgspec.structs import asdict

from antiphon.engine.ports import ChatModel, ResolvedModel, ToolCalls
from antiphon.engine.reply.assemble import Assembler, AssemblyOptions
from antiphon.engine.reply.whole import is_whole
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError
from antiphon.ids import new_id
from antiphon.recording.calls.endpoints import KINDS, address_of
from antiphon.recording.calls.errors import recorded_error_of
from antiphon.recording.calls.recorded import BACKEND, CAPABILITIES, Address, RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.matching.tools import is_web_search
from antiphon.recording.seam.live import LiveMode
from antiphon.recording.seam.lookup import DEFAULT_CAPABILITIES
from antiphon.recording.seam.modes import EndpointModel
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject


class RecordMode:
    """A `CallMode` that makes all calls and records them with their injected faults.

    With `overwrite` the calls of a run replace what their scope held before.
    """

    def __init__(self, live: LiveMode, collection: Collection, *, overwrite: bool) -> None:
        self._live = live
        self._collection = collection
        self._overwrite = overwrite

    async def model(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the backend's model, whose calls are recorded."""
        found = await self._live.model(model_id, context)
        recorder = Recorder(found.chat_model, self._writer(context), backend_of(found))
        return ResolvedModel(recorder, found.name, found.id, judge_url=found.judge_url)

    async def endpoint_model(self, model_id: str, context: RequestContext) -> EndpointModel:
        """Return the backend's model."""
        return await self._live.endpoint_model(model_id, context)

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the only embedding model of the backends."""
        return await self._live.embedding_model(context)

    def tools(self, inner: ToolCalls, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return the real calls, which are recorded."""
        live = self._live.tools(inner, context, model)
        return ToolRecorder(live, self._writer(context), model.resolved)

    def _writer(self, context: RequestContext) -> "CallWriter":
        return CallWriter(self._collection, context, overwrite=self._overwrite)


class CallWriter:
    """Writer of the calls of one request.

    With `overwrite` they replace what their scope held before this run.
    """

    def __init__(self, collection: Collection, context: RequestContext, *, overwrite: bool) -> None:
        self._collection = collection
        self._context = context
        self._overwrite = overwrite

    async def begin(self, call: RecordedCall) -> "PendingCall":
        """Start to record a call, which has no answer yet.

        Raises:
            SecretInRecording: The request holds a secret.
        """
        call = replace(call, scope=self._context.scope)
        await self._collection.check(call)
        return PendingCall(self, call)

    async def write(self, call: RecordedCall) -> None:
        """Add a complete call to the collection.

        Raises:
            SecretInRecording: The call holds a secret.
            RecordingNotWritten: The file of the scope could not be written.
        """
        self._context.observer.recorded(await self._collection.add(call, overwrite=self._overwrite))


class PendingCall:
    """One call while it is recorded."""

    def __init__(self, writer: CallWriter, call: RecordedCall) -> None:
        self._writer = writer
        self._call = call
        self._parts: list[Raw] = []
        self._gaps: list[int] = []
        self._last = monotonic()

    def add(self, parts: Sequence[bytes]) -> None:
        """Add the parts that one read returned."""
        now = monotonic()
        waited, self._last = round((now - self._last) * 1000), now
        self._parts += [Raw(part) for part in parts]
        self._gaps += [waited, *[0] * (len(parts) - 1)][: len(parts)]

    def is_broken(self) -> bool:
        """Return whether the last part broke the stream: invalid JSON, or an error."""
        reader = Assembler([], new_id, AssemblyOptions(source=""))
        reader.feed([bytes(part) for part in self._parts])
        return reader.failure is not None

    async def end(self, error: AntiphonError | None = None) -> None:
        """Record the call, unless `error` is unrelated to the call itself."""
        address = self._call.address
        is_search = self._call.kind == "tool" and is_web_search(address.provider, address.tool_name)
        failure = None if error is None else recorded_error_of(error, is_search=is_search)
        if error is None or failure is not None:
            parts, gaps, streamed = tuple(self._parts), tuple(self._gaps), self._call.streamed
            if self._call.kind == "chat" and parts:  # The form of the answer, not the requested form.
                streamed = len(parts) > 1 or not is_whole(parts[0])
            complete = replace(self._call, streamed=streamed, parts=parts, gaps=gaps, error=failure)
            await self._writer.write(complete)


class Recorder:
    """A `ChatModel` that records the calls of another one.

    Recordings hold no secrets: a request is searched before it is sent, an answer before it is written. A
    call that its reader abandons isn't recorded, unless its stream is broken. In that case the reader stopped
    because of the stream, which is recorded up to there.
    """

    def __init__(self, inner: ChatModel, writer: CallWriter, backend: str) -> None:
        self._inner = inner
        self._writer = writer
        self._backend = backend

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of the backend."""
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the backend's chunks as they arrive, and write them after the last one."""
        pending = await self._begin(request, streamed=bool(request.get("stream")))
        try:
            async with aclosing(self._inner.stream(request)) as batches:
                async for chunks in batches:
                    pending.add(chunks)
                    yield chunks
        except AntiphonError as error:
            await pending.end(error)
            raise
        except GeneratorExit:
            if pending.is_broken():
                await pending.end()
            raise
        await pending.end()

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the backend's reply after it is written."""
        pending = await self._begin(request, streamed=False)
        try:
            reply = await self._inner.complete(request)
        except AntiphonError as error:
            await pending.end(error)
            raise
        pending.add([reply])
        await pending.end()
        return reply

    async def _begin(self, request: ChatRequest, *, streamed: bool) -> PendingCall:
        address = chat_address(self._backend, self.capabilities)
        body = cast(JSONObject, request)
        return await self._writer.begin(
            RecordedCall(kind="chat", request=body, streamed=streamed, address=address)
        )


class ToolRecorder:
    """`ToolCalls` that record the calls of others, by the same rules as `Recorder`.

    `model` is the model of a request to an endpoint.
    """

    def __init__(self, inner: ToolCalls, writer: CallWriter, model: ResolvedModel | None = None) -> None:
        self._inner = inner
        self._writer = writer
        self._model = model

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the tool's result after it is written."""
        pending = await self._writer.begin(self._recorded_call(provider, name, arguments))
        try:
            result = await self._inner.call(provider, name, arguments)
        except AntiphonError as error:
            await pending.end(error)
            raise
        pending.add([msgspec.json.encode(result)])
        await pending.end()
        return result

    def _recorded_call(self, provider: str, name: str, arguments: JSONObject) -> RecordedCall:
        if self._model is not None and provider in KINDS:
            body = {"model": self._model.name, **arguments}
            address = address_of(provider, _metadata(backend_of(self._model), {}))
            return RecordedCall(kind=KINDS[provider], request=body, address=address)
        address = Address(url="", endpoint="", provider=provider, tool_name=name)
        return RecordedCall(kind="tool", request=arguments, address=address)


def chat_address(backend: str, capabilities: Capabilities) -> Address:
    """Return the address of the chats of a backend, with its unusual capability switches."""
    usual = asdict(DEFAULT_CAPABILITIES)
    unusual = {name: value for name, value in asdict(capabilities).items() if value != usual[name]}
    return Address(metadata=_metadata(backend, unusual))


def backend_of(model: ResolvedModel) -> str:
    """Return the name of a model's backend, the first part of the model's id."""
    return model.id.removesuffix(model.name).removesuffix("/")


def _metadata(backend: str, switches: JSONObject) -> JSONObject:
    metadata: JSONObject = {BACKEND: backend} if backend else {}
    return metadata | {CAPABILITIES: switches} if switches else metadata
