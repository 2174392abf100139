"""The server's application without a socket, over recordings or over a scripted backend."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx2
import msgspec

from antiphon.engine.ports import Endpoint, ModelCatalogue, ResolvedModel, ToolCalls
from antiphon.engine.reply.whole import fold_chunks
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, NotFound
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.frozen import Freeze
from antiphon.recording.seam.lookup import DEFAULT_CAPABILITIES, RecordingLookup
from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState
from antiphon.service.services import Services, ServiceSettings
from antiphon.settings.backends import Capabilities
from antiphon.settings.schema import Mode
from antiphon.settings.values import Secret
from antiphon.store import Store
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.models import BackendHealth, Model, ModelList, Provider
from tests.support.serving import Validated

T = TypeVar("T")
Answered = Sequence[JSONObject] | AntiphonError


class Backend:
    """Catalogue of the model `m`, which gives scripted replies and then repeats the last.

    A reply is the chunks of a stream, one for each network read, or an error; `cut` is an error after them.
    """

    def __init__(self, *replies: Answered, capabilities: Capabilities = DEFAULT_CAPABILITIES) -> None:
        self.capabilities = capabilities
        self.requests: list[ChatRequest] = []
        self.cut: AntiphonError | None = None
        self.open = 0
        self._replies = list(replies)

    def _next(self, request: ChatRequest) -> Sequence[JSONObject]:
        self.requests.append(request)
        reply = self._replies[0] if len(self._replies) == 1 else self._replies.pop(0)
        if isinstance(reply, AntiphonError):
            raise reply
        return reply

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        self.open += 1
        try:
            for chunk in self._next(request):
                await asyncio.sleep(0)
                yield [msgspec.json.encode(chunk)]
            if self.cut is not None:
                raise self.cut
        finally:
            self.open -= 1

    async def complete(self, request: ChatRequest) -> bytes:
        reply = [msgspec.json.encode(each) for each in self._next(request)]
        return reply[0] if len(reply) == 1 else fold_chunks(reply)

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        if model_id not in ("m", "up/m"):
            raise NotFound("unknown", code="model_not_found", param="model")
        return ResolvedModel(self, "m", "up/m")

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        raise NotImplementedError

    async def embedding_model(self, context: RequestContext) -> str | None:
        return None

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        raise NotImplementedError

    async def providers(self) -> list[Provider]:
        raise NotImplementedError

    def tool_calls(self, inner: ToolCalls, context: RequestContext) -> ToolCalls:
        return inner

    async def list_models(self) -> ModelList:
        return ModelList(data=[Model(id="up/m", owned_by="tests")])

    def calls_in_progress(self) -> int:
        return 0

    def notices(self) -> list[str]:
        return ["up"]

    async def close(self) -> None:
        self.open = -1


def said(text: str, **rest: JSON) -> JSONObject:
    """Return a whole chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], **rest}


def catalogue(
    directory: Path,
    mode: Mode = "replay",
    backends: ModelCatalogue | None = None,
    *,
    faults: str = "",
    repeat: bool = False,
    speed: float = 0.0,
) -> RecordingCatalogue:
    """Return a catalogue over a directory of recordings."""
    replay = RecordingLookup(Collection(directory, repeat=repeat), speed=speed)
    return RecordingCatalogue(backends, replay, mode, Faults(faults))


@asynccontextmanager
async def asking(
    models: ModelCatalogue, *, header: bool = False, freeze: bool = False
) -> AsyncGenerator[httpx2.AsyncClient, None]:
    """Yield a client of an application over `models`, with its state in memory."""
    store = await Store.open(":memory:")
    try:
        frozen, seal_key = (Freeze(), Secret("frozen")) if freeze else (None, None)
        async with Services.open(store, models, ServiceSettings(seal_key=seal_key)) as services:
            app = create_app(ServerState(services=services, recording_header=header, freeze=frozen))
            validated = Validated(proxied=False)
            transport = httpx2.ASGITransport(validated.around(app))
            async with httpx2.AsyncClient(transport=transport, base_url="http://server/v1") as client:
                yield client
            validated.check()
    finally:
        await store.close()


def with_client(
    models: ModelCatalogue,
    test: Callable[[httpx2.AsyncClient], Awaitable[T]],
    *,
    header: bool = False,
    freeze: bool = False,
) -> T:
    """Run `test` with a client, and return its result."""

    async def run() -> T:
        async with asking(models, header=header, freeze=freeze) as client:
            return await test(client)

    return asyncio.run(run())


def in_scope(scope: str) -> dict[str, str]:
    """Return the header that names a scope."""
    return {"x-antiphon-scope": scope}


def payloads(answer: httpx2.Response) -> list[JSON]:
    """Return the values of the `data:` lines of a stream, which must end with `[DONE]`."""
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]", answer.text[:500]
    return [json.loads(line) for line in lines[:-1]]


def text_of(answer: httpx2.Response) -> str:
    """Return the text of a chat completion, streamed or not."""
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("application/json"):
        content = answer.json()["choices"][0]["message"]["content"]
        return str(content)
    choices = [choice for chunk in payloads(answer) for choice in chunk["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
