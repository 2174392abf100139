"""Calls a backend or a tool and records what it answers, while the answer passes."""

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
from antiphon.recording.calls.errors import recorded
from antiphon.recording.calls.recorded import BACKEND, CAPABILITIES, Address, RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.seam.replay import WORDED_FOR
from antiphon.settings.schema import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject


class Tape:
    """Takes in the calls of one request. With `anew` they replace what their scope held before this run."""

    def __init__(self, collection: Collection, context: RequestContext, *, anew: bool) -> None:
        self._collection = collection
        self._context = context
        self._anew = anew

    def begin(self, recording: RecordedCall) -> "Take":
        """Begins a call, which has no answer yet; raises `SecretInRecording` for what is to be sent."""
        recording = replace(recording, scope=self._context.scope)
        self._collection.check(recording)
        return Take(self, recording)

    async def keep(self, recording: RecordedCall) -> None:
        """Adds a whole call; raises `SecretInRecording` and `RecordingNotWritten`."""
        self._context.observer.recorded(await self._collection.add(recording, anew=self._anew))


class Take:
    """One call that is being recorded."""

    def __init__(self, tape: Tape, recording: RecordedCall) -> None:
        self._tape = tape
        self._recording = recording
        self._parts: list[Raw] = []
        self._gaps: list[int] = []
        self._last = monotonic()

    def add(self, parts: Sequence[bytes]) -> None:
        """Takes in what one read brought."""
        now = monotonic()
        waited, self._last = round((now - self._last) * 1000), now
        self._parts += [Raw(part) for part in parts]
        self._gaps += [waited, *[0] * (len(parts) - 1)][: len(parts)]

    def is_broken(self) -> bool:
        """Whether no more of the stream is read after what came last: half a chunk, or an error in one."""
        reader = Assembler([], new_id, AssemblyOptions(source=""))
        reader.feed([bytes(part) for part in self._parts])
        return reader.failure is not None

    async def end(self, error: AntiphonError | None = None) -> None:
        """Records the call. An error that says nothing about the call itself leaves no recording."""
        failure = None if error is None else recorded(error)
        if error is None or failure is not None:
            parts, gaps, streamed = tuple(self._parts), tuple(self._gaps), self._recording.streamed
            if self._recording.kind == "chat" and parts:  # How it was answered, not how it was asked for.
                streamed = len(parts) > 1 or not is_whole(parts[0])
            whole = replace(self._recording, streamed=streamed, parts=parts, gaps=gaps, error=failure)
            await self._tape.keep(whole)


class Recorder:
    """A `ChatModel` that records the calls to another one.

    What is to be recorded must hold no secret: a request is looked through before it is sent, an answer
    before it is written. A call whose end nobody waits for is not recorded, unless its answer is broken: then
    nobody reads on, and it is recorded as far as it came.
    """

    def __init__(self, inner: ChatModel, tape: Tape, backend: str) -> None:
        self.backend = backend
        """The name of the backend, which is recorded too."""
        self._inner = inner
        self._tape = tape

    @property
    def capabilities(self) -> Capabilities:
        """Those of the backend."""
        return self._inner.capabilities

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields the backend's chunks as they come; after the last one they are written."""
        take = self._begin(request, streamed=bool(request.get("stream")))
        try:
            async with aclosing(self._inner.stream(request)) as batches:
                async for chunks in batches:
                    take.add(chunks)
                    yield chunks
        except AntiphonError as error:
            await take.end(error)
            raise
        except GeneratorExit:
            if take.is_broken():
                await take.end()
            raise
        await take.end()

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the backend's reply, which is written by then."""
        take = self._begin(request, streamed=False)
        try:
            reply = await self._inner.complete(request)
        except AntiphonError as error:
            await take.end(error)
            raise
        take.add([reply])
        await take.end()
        return reply

    def _begin(self, request: ChatRequest, *, streamed: bool) -> Take:
        usual = asdict(WORDED_FOR)
        unusual = {name: value for name, value in asdict(self.capabilities).items() if value != usual[name]}
        address = Address(metadata=_metadata(self.backend, unusual))
        body = cast(JSONObject, request)
        return self._tape.begin(RecordedCall(kind="chat", request=body, streamed=streamed, address=address))


class ToolRecorder:
    """`ToolCalls` that records the calls to others, under the same rules.

    Where an endpoint is asked, `model` is the one that answers.
    """

    def __init__(self, inner: ToolCalls, tape: Tape, model: ResolvedModel | None = None) -> None:
        self._inner = inner
        self._tape = tape
        self._model = model

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Returns the tool's result, which is written by then."""
        take = self._tape.begin(self._begun(provider, name, arguments))
        try:
            result = await self._inner.call(provider, name, arguments)
        except AntiphonError as error:
            await take.end(error)
            raise
        take.add([msgspec.json.encode(result)])
        await take.end()
        return result

    def _begun(self, provider: str, name: str, arguments: JSONObject) -> RecordedCall:
        if self._model is not None and provider in KINDS:
            body = {"model": self._model.name, **arguments}
            address = address_of(provider, _metadata(backend_of(self._model), {}))
            return RecordedCall(kind=KINDS[provider], request=body, address=address)
        address = Address(url="", endpoint="", provider=provider, tool_name=name)
        return RecordedCall(kind="tool", request=arguments, address=address)


def backend_of(model: ResolvedModel) -> str:
    """Returns the name of a model's backend, by which its id begins."""
    return model.id.removesuffix(model.name).removesuffix("/")


def _metadata(backend: str, switches: JSONObject) -> JSONObject:
    metadata: JSONObject = {BACKEND: backend} if backend else {}
    return metadata | {CAPABILITIES: switches} if switches else metadata
