"""The server in a thread, on a real socket, for tests over HTTP. Every answer is validated.

with Serving(tmp_path / "state.db", upstream) as server:
    OpenAI(base_url=server.url, api_key="none").responses.create(...)
"""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import uvicorn
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from antiphon.backends.catalogue import Models
from antiphon.dialects.llama_stack import OPENAI
from antiphon.engine.ports import ModelCatalogue
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.server.app import create_app
from antiphon.server.edge.answers import is_for_messages
from antiphon.server.edge.state import ServerState, request_state
from antiphon.server.http.connection import connections
from antiphon.service.access.keys import KeySettings
from antiphon.service.services import FileServices, Services, ServiceSettings
from antiphon.settings.backends import PRESETS, BackendSettings, Capabilities
from antiphon.settings.moderation import ModerationSettings
from antiphon.settings.schema import Settings
from antiphon.settings.tools import FileSearchSettings, ToolsSettings
from antiphon.store import Store
from antiphon.wire.json import JSON
from tests.support.schemas import check_error, check_event, check_frame, check_openai, check_response
from tests.support.upstream import Upstream

T = TypeVar("T")

OpenCatalogue = Callable[[], Awaitable[ModelCatalogue]]

MAX_FILE = 1_000_000
"""The size limit of uploaded files, in bytes."""

COMPONENTS = {
    ("GET", r"/v1/responses/[^/]+/input_items"): "ResponseItemList",
    ("POST", r"/v1/responses/compact"): "CompactResource",
    ("POST", r"/v1/responses/input_tokens"): "TokenCountsResource",
    ("POST", r"/v1/completions"): "CreateCompletionResponse",
    ("POST", r"/v1/conversations"): "ConversationResource",
    ("GET", r"/v1/conversations/[^/]+"): "ConversationResource",
    ("POST", r"/v1/conversations/[^/]+"): "ConversationResource",
    ("DELETE", r"/v1/conversations/[^/]+"): "DeletedConversationResource",
    ("GET", r"/v1/conversations/[^/]+/items"): "ConversationItemList",
    ("POST", r"/v1/conversations/[^/]+/items"): "ConversationItemList",
    ("GET", r"/v1/conversations/[^/]+/items/[^/]+"): "ConversationItem",
    ("DELETE", r"/v1/conversations/[^/]+/items/[^/]+"): "ConversationResource",
    ("POST", r"/v1/files"): "OpenAIFile",
    ("GET", r"/v1/files"): "ListFilesResponse",
    ("GET", r"/v1/files/[^/]+"): "OpenAIFile",
    ("DELETE", r"/v1/files/[^/]+"): "DeleteFileResponse",
    ("POST", r"/v1/vector_stores"): "VectorStoreObject",
    ("GET", r"/v1/vector_stores"): "ListVectorStoresResponse",
    ("GET", r"/v1/vector_stores/[^/]+"): "VectorStoreObject",
    ("POST", r"/v1/vector_stores/[^/]+"): "VectorStoreObject",
    ("DELETE", r"/v1/vector_stores/[^/]+"): "DeleteVectorStoreResponse",
    ("POST", r"/v1/vector_stores/[^/]+/search"): "VectorStoreSearchResultsPage",
    ("POST", r"/v1/vector_stores/[^/]+/files"): "VectorStoreFileObject",
    ("GET", r"/v1/vector_stores/[^/]+/files"): "ListVectorStoreFilesResponse",
    ("GET", r"/v1/vector_stores/[^/]+/files/[^/]+"): "VectorStoreFileObject",
    ("POST", r"/v1/vector_stores/[^/]+/files/[^/]+"): "VectorStoreFileObject",
    ("DELETE", r"/v1/vector_stores/[^/]+/files/[^/]+"): "DeleteVectorStoreFileResponse",
    ("GET", r"/v1/vector_stores/[^/]+/files/[^/]+/content"): "VectorStoreFileContentResponse",
    ("POST", r"/v1/vector_stores/[^/]+/file_batches"): "VectorStoreFileBatchObject",
    ("GET", r"/v1/vector_stores/[^/]+/file_batches/[^/]+"): "VectorStoreFileBatchObject",
    ("POST", r"/v1/vector_stores/[^/]+/file_batches/[^/]+/cancel"): "VectorStoreFileBatchObject",
    ("GET", r"/v1/vector_stores/[^/]+/file_batches/[^/]+/files"): "ListVectorStoreFilesResponse",
    ("POST", r"/v1/containers"): "ContainerResource",
    ("GET", r"/v1/containers"): "ContainerListResource",
    ("GET", r"/v1/containers/[^/]+"): "ContainerResource",
    ("POST", r"/v1/containers/[^/]+/files"): "ContainerFileResource",
    ("GET", r"/v1/containers/[^/]+/files"): "ContainerFileListResource",
    ("GET", r"/v1/containers/[^/]+/files/[^/]+"): "ContainerFileResource",
    ("POST", r"/v1/batches"): "Batch",
    ("GET", r"/v1/batches"): "ListBatchesResponse",
    ("GET", r"/v1/batches/[^/]+"): "Batch",
    ("POST", r"/v1/batches/[^/]+/cancel"): "Batch",
    ("GET", r"/v1/chat/completions"): "ChatCompletionList",
    ("GET", r"/v1/chat/completions/[^/]+"): "CreateChatCompletionResponse",
    ("POST", r"/v1/chat/completions/[^/]+"): "CreateChatCompletionResponse",
    ("DELETE", r"/v1/chat/completions/[^/]+"): "ChatCompletionDeleted",
    ("POST", r"/v1/uploads"): "Upload",
    ("POST", r"/v1/uploads/[^/]+/(complete|cancel)"): "Upload",
    ("POST", r"/v1/uploads/[^/]+/parts"): "UploadPart",
    ("GET", r"/v1/models"): "ListModelsResponse",
    ("GET", r"/v1/models/.+"): "Model",
}
"""The component of OpenAI's description for each successful route; responses are checked separately."""
OTHER_BODIES = r"POST /v1/models|DELETE /v1/conversations/[^/]+/items/[^/]+"
"""Routes with another body for llama-stack's clients, which `tests/dialects` checks."""
BODILESS = r"DELETE /v1/containers/.*"
"""Routes for whose answers OpenAI's description has no body."""
UNDESCRIBED = (
    r"/v1/(moderations|messages(/count_tokens)?|chat/completions/[^/]+/messages|tools|toolgroups|shields|scoring-functions"
    r"|webhook_endpoints(/.*)?|webhook_event_types|prompts(/.*)?|providers(/.*)?|inspect/routes"
    r"|health|ready|version|openapi\.json)|/docs|/metrics"
)
"""Routes that OpenAI's description does not have, and one whose answers are the backend's."""


def backend(
    upstream: Upstream, name: str = "up", capabilities: Capabilities = PRESETS["openai"], **settings: float
) -> BackendSettings:
    """Return the settings of a scripted backend; `settings` are its timeouts, in seconds."""
    plain = BackendSettings(name=name, base_url=upstream.base_url, capabilities=capabilities)
    return msgspec.structs.replace(plain, **settings)


def backends(*given: BackendSettings) -> OpenCatalogue:
    """Return a function that opens a catalogue of these backends and the sample model, without discovery."""
    settings = Settings(database=":memory:", discover=False, models={each.name: each for each in given})
    return lambda: Models.open(settings)


def recordings(directory: Path) -> OpenCatalogue:
    """Return a function that opens a catalogue which replays a directory of recordings."""

    async def opened() -> ModelCatalogue:
        return RecordingCatalogue(None, RecordingLookup(Collection(directory)), "replay", Faults())

    return opened


class Serving:
    """A server over a database (a path or URL) and a catalogue, for a `with` block."""

    def __init__(
        self,
        database: Path | str,
        catalogue: OpenCatalogue,
        *,
        max_body_bytes: int = 10**8,
        tools: ToolsSettings | None = None,
        allow_hosts: Sequence[str] = (),
        keys: KeySettings | None = None,
    ) -> None:
        self.url = ""
        self.store: Store
        self.file_services: FileServices
        self._database = str(database)
        self._open_catalogue = catalogue
        self._max_body_bytes = max_body_bytes
        self._tools = tools
        self._allow_hosts = allow_hosts
        self._keys = keys
        self.resume_grace: float | None = None
        """Seconds that the response of a lost client goes on; set it before the block."""
        self.moderation = ModerationSettings()
        """The checks of the server; set them before the block."""
        self._loop = asyncio.new_event_loop()
        self._ready: Future[str] = Future()
        self._thread = threading.Thread(target=self._run, name="antiphon")
        self._server: uvicorn.Server | None = None
        self._validated = Validated()

    def __enter__(self) -> Self:
        self._thread.start()
        self.url = self._ready.result(timeout=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.should_exit = True
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        if error is None:
            self._validated.check()

    @property
    def websockets(self) -> int:
        """How many WebSocket connections have ended."""
        return self._validated.websockets

    def call(self, work: Awaitable[T]) -> T:
        """Run a coroutine in the server's event loop, for instance one of its store."""

        async def run() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(timeout=30)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            try:
                runner.run(self._serve())
            finally:
                if not self._ready.done():  # The thread prints its own traceback.
                    self._ready.set_exception(RuntimeError("the server did not start"))

    async def _serve(self) -> None:
        catalogue = await self._open_catalogue()
        self.store = await Store.open(self._database)
        try:
            tools = self._tools or ToolsSettings(file_search=FileSearchSettings(max_file_bytes=MAX_FILE))
            settings = ServiceSettings(
                tools=tools,
                allow_hosts=self._allow_hosts,
                keys=self._keys or KeySettings(),
                resume_grace=self.resume_grace,
                moderation=self.moderation,
            )
            async with Services.open(self.store, catalogue, settings) as services:
                self.file_services = services.files
                app = create_app(ServerState(services=services, max_body_bytes=self._max_body_bytes))
                self._server = _Server(self._validated.around(app), self._ready)
                await self._server.serve()
        finally:
            await self.store.close()
            await catalogue.close()


class _Server(uvicorn.Server):
    def __init__(self, app: ASGIApp, ready: "Future[str]") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                port=0,
                http=connections(),  # type: ignore[arg-type]  # uvicorn only calls it.
                lifespan="off",
                ws="none",
                log_config=None,
                timeout_graceful_shutdown=1,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[JSON] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        self._ready.set_result(f"http://127.0.0.1:{port}/v1")


class Validated:
    """Recorder of an application's answers, which checks them against OpenAI's description at the end.

    With `proxied`, it also checks chat completions, which come from a backend and not from the server.
    """

    def __init__(self, *, proxied: bool = True) -> None:
        self._proxied = proxied
        self._answers: list[tuple[HTTPConnection, int, bytes]] = []
        self._frames: list[list[str]] = []

    @property
    def websockets(self) -> int:
        """How many WebSocket connections have ended."""
        return len(self._frames)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
            status, body = 0, bytearray()
            frames: list[str] = []

            async def keep(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif message["type"] == "websocket.send":
                    frames.append(message["text"])
                else:
                    body.extend(message.get("body", b""))
                await send(message)

            await app(scope, receive, keep)
            if scope["type"] == "websocket":
                self._frames.append(frames)
            else:
                self._answers.append((HTTPConnection(scope), status, bytes(body)))

        return wrapped

    def check(self) -> None:
        for frames in self._frames:
            check_frames(frames)
        for request, status, body in self._answers:
            method, path = request["method"], request["path"]
            if status == 499 or status == 303 or path.startswith("/viewer"):
                continue  # Pages for people have tests of their own.
            llama_stack = request_state(request.scope).dialect not in (None, OPENAI)
            if status >= 400 and path == "/v1/ready":
                check_error({"error": msgspec.json.decode(body)["error"]})  # The checks are beside it.
            elif status >= 400 and is_for_messages(request.scope):
                check_messages_error(msgspec.json.decode(body))
            elif status >= 400:
                check_error(msgspec.json.decode(body))
            elif llama_stack and re.fullmatch(OTHER_BODIES, f"{method} {path}"):
                continue
            elif re.fullmatch(r"/v1/(containers/[^/]+/)?files/[^/]+/content", path):
                continue  # any uploaded content
            elif re.fullmatch(UNDESCRIBED, path) or re.fullmatch(BODILESS, f"{method} {path}"):
                continue
            elif path == "/v1/embeddings":
                continue  # a backend's answer, possibly in base64, which the description lacks
            elif body.startswith((b"event: ", b"data: ")):
                check_stream(path, body, llama_stack=llama_stack)
            elif self._proxied or path != "/v1/chat/completions":
                check_body(method, path, msgspec.json.decode(body))


def check_messages_error(body: JSON) -> None:
    """Check an error of Anthropic's API."""
    assert body.keys() - {"request_id"} == {"type", "error"}, body
    assert body["type"] == "error"
    assert set(body["error"]) == {"type", "message"}, body
    assert body["error"]["message"]


def check_stream(path: str, body: bytes, *, llama_stack: bool) -> None:
    """Check the frames and every event of a stream, which may be incomplete if the client disconnected.

    With `llama_stack`, the events of items and parts have the id of their response, and the arguments of MCP
    calls have events of another name.
    """
    events: list[JSON] = []
    for frame in body.decode().removesuffix("data: [DONE]\n\n").split("\n\n")[:-1]:
        lines = frame.split("\n")
        if path.startswith("/v1/responses"):
            assert len(lines) == 2, frame
            event = msgspec.json.decode(lines[1].removeprefix("data: "))
            assert lines[0] == f"event: {event['type']}"
            if llama_stack:
                as_openai(event, events)
            check_event(event)
            events.append(event)
        else:
            assert len(lines) == 1, frame
            assert lines[0].startswith("data: {"), frame
    numbers = [event["sequence_number"] for event in events]
    first = numbers[0] if numbers and path != "/v1/responses" else 0
    assert numbers == list(range(first, first + len(numbers)))


def as_openai(event: JSON, before: list[JSON]) -> None:
    """Check the differences of events for llama-stack's clients, and convert them to OpenAI's form."""
    kind = event["type"]
    if kind.startswith(("response.output_item.", "response.content_part.")):
        assert event.pop("response_id") == before[0]["response"]["id"]
    assert not kind.startswith("response.mcp_call_arguments.")
    event["type"] = kind.replace("response.mcp_call.arguments.", "response.mcp_call_arguments.")


def check_frames(frames: list[str]) -> None:
    """Check the frames of one WebSocket connection: errors, and the events of the responses of each lane."""
    expected: dict[str | None, int] = {}
    for frame in frames:
        event = msgspec.json.decode(frame)
        check_frame(event)
        lane = event.get("stream_id")
        if event["type"] == "response.created":
            assert event["sequence_number"] == 0
        elif "status" not in event and event.get("error", {}).get("code") != "response_not_found":
            assert event["sequence_number"] == expected[lane]
        else:
            continue
        expected[lane] = event["sequence_number"] + 1


def check_body(method: str, path: str, body: JSON) -> None:
    """Check a JSON body by its route."""
    if re.fullmatch(r"/v1/responses(/resp_[^/]+(/cancel)?)?", path) and body.get("object") == "response":
        if "deleted" not in body:
            check_response(body)
        return
    if (method, path) == ("GET", "/v1/responses"):
        for each in body["data"]:
            check_response(each)
        return
    if (method, path) == ("GET", "/v1/chat/completions") and not body["data"]:
        return  # OpenAI's description has no empty list: its IDs of entries are never null.
    for (route_method, pattern), component in COMPONENTS.items():
        if method == route_method and re.fullmatch(pattern, path):
            check_openai(component, body)
            return
    assert path == "/v1/chat/completions", (method, path)
    check_openai("CreateChatCompletionResponse", body)
