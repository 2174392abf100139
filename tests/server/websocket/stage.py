"""A server in the event loop of the test, with one WebSocket and a model whose calls wait for the test."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from starlette.types import ASGIApp, Message

from antiphon.engine.ports import NO_TOOLS, HostedTools
from antiphon.engine.request_context import LOCAL_OWNER, RequestContext
from antiphon.observe.record import Record
from antiphon.server.app import create_app
from antiphon.server.edge.state import ServerState
from antiphon.service.access.keys import KeySettings
from antiphon.service.conversations import Conversations
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.responses.responses import Responses
from antiphon.service.services import Services, ServiceSettings
from antiphon.settings.backends import Capabilities
from antiphon.settings.moderation import CheckSettings, ModerationSettings
from antiphon.store import Store
from antiphon.wire.chat import ChatRequest
from antiphon.wire.conversations import CreateConversation
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tools import WebSearchTool
from tests.engine.hosting import FakeSearch
from tests.service.world import Catalogue, say
from tests.support.serving import check_frames

SEARCH: JSONObject = {"type": "web_search"}
F: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CHECKS = ModerationSettings(checks={"words": CheckSettings(kind="words", words=("darn",))})
"""The checks of the server, for requests that name them."""
ENDS = ("response.completed", "response.incomplete", "response.failed")


def search(query: str = "one") -> list[bytes]:
    """Return the chunks of a reply that calls web search."""
    call = {
        "index": 0,
        "id": "call_up",
        "function": {"name": "web_search", "arguments": json.dumps({"query": query})},
    }
    return say(finish="tool_calls", tool_calls=[call])


def asked(request: ChatRequest) -> str:
    """Return the newest text of the user in a model call."""
    texts = [message["content"] for message in request["messages"] if message["role"] == "user"]
    last = texts[-1]
    assert isinstance(last, str)
    return last


def text_of(event: JSONObject) -> str:
    """Return the text of the response in a terminal event."""
    text: str = event["response"]["output"][-1]["content"][0]["text"]
    return text


class Brain:
    """Chat model with replies by the newest text of the user.

    The calls for a text of `gates` wait before their last chunk until its event is set. A text without
    replies has `re: TEXT` as its reply.
    """

    capabilities = Capabilities(think_tags=False)

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []
        self.replies: dict[str, list[list[bytes] | Exception]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.running: list[str] = []
        """The texts of the calls in progress."""
        self.most = 0
        """The highest number of calls in progress."""
        self.begun: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def hold(self, *texts: str) -> None:
        """Make the calls for these texts wait."""
        for text in texts:
            self.gates[text] = asyncio.Event()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        text = asked(request)
        self.requests.append(request)
        replies = self.replies.get(text) or [say(f"re: {text}")]
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        self.running.append(text)
        self.most = max(self.most, len(self.running))
        self.begun[text].set()
        try:
            if isinstance(reply, Exception):
                raise reply
            for chunk in reply[:-1]:
                yield [chunk]
            if text in self.gates:
                await self.gates[text].wait()
            yield [reply[-1]]
        finally:
            self.running.remove(text)

    async def complete(self, request: ChatRequest) -> bytes:
        raise AssertionError("the loop calls stream alone")

    def told(self, text: str) -> list[tuple[str, JSON]]:
        """Return the roles and contents of the newest call for a text."""
        request = next(each for each in reversed(self.requests) if asked(each) == text)
        return [(message["role"], message.get("content")) for message in request["messages"]]


class Stage:
    """One WebSocket connection."""

    def __init__(self, app: ASGIApp, store: Store, brain: Brain, search: FakeSearch) -> None:
        self.brain = brain
        self.store = store
        self.search = search
        self.frames: list[JSONObject] = []
        """The frames of the server so far."""
        self.records: list[Record] = []
        self.closed: int | None = None
        """The code with which the server has closed the connection."""
        self._app = app
        self._texts: list[str] = []
        self._to_server: asyncio.Queue[Message] = asyncio.Queue()
        self._news = asyncio.Event()
        self._task: asyncio.Future[None] | None = None

    def connect(self, headers: Mapping[str, str] | None = None) -> None:
        """Open the connection."""
        given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        scope = {
            "type": "websocket",
            "path": "/v1/responses",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1"), *given],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8321),
            "scheme": "ws",
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self._to_server.put_nowait({"type": "websocket.connect"})
        self._task = asyncio.ensure_future(self._app(scope, self._to_server.get, self._take))

    async def leave(self) -> None:
        """Close the connection, and wait until the server has ended it; then check all frames."""
        assert self._task is not None
        if not self._task.done():
            self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.left()

    async def left(self) -> None:
        """Wait until the server has ended the connection, and check all frames."""
        assert self._task is not None
        async with asyncio.timeout(20):
            await self._task
        check_frames(self._texts)

    def send(self, frame: JSONObject | str) -> None:
        """Send a frame."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self._to_server.put_nowait({"type": "websocket.receive", "text": text})

    def create(self, text: JSON, **body: JSON) -> None:
        """Request a response that isn't stored."""
        self.send({"type": "response.create", "model": "up/m", "input": text, "store": False} | body)

    def steer(self, response_id: JSON, text: JSON, **more: JSON) -> None:
        """Steer a response."""
        self.send({"type": "response.steer", "previous_response_id": response_id, "input": text} | more)

    async def until(self, kind: str, lane: str | None = None, count: int = 1) -> JSONObject:
        """Return the frame of a type and a lane, once there are `count` of them."""
        while True:
            found = [each for each in self.of(lane) if each["type"] == kind]
            if len(found) >= count:
                return found[count - 1]
            await self.news()

    async def ends(self, count: int) -> None:
        """Wait until a number of responses have ended."""
        while sum(each["type"] in ENDS for each in self.frames) < count:
            await self.news()

    async def news(self) -> None:
        """Wait until the server sends the next frame."""
        self._news.clear()
        async with asyncio.timeout(20):
            await self._news.wait()

    async def ask(self, text: JSON, **body: JSON) -> JSONObject:
        """Request a response, and return it once it is complete."""
        lane = body.get("stream_id")
        count = sum(each["type"] == "response.completed" for each in self.of(lane))
        self.create(text, **body)
        event = await self.until("response.completed", lane, count + 1)
        response: JSONObject = event["response"]
        return response

    async def conversation(self) -> str:
        """Return the ID of a new conversation."""
        created = await Conversations(self.store).create(RequestContext(), CreateConversation())
        return created.id

    async def statuses(self, *ids: str) -> list[str]:
        """Return the status of each stored response, after all writes."""
        await self.store.servers.heartbeat()
        found = [await self.store.responses.get(LOCAL_OWNER, each) for each in ids]
        return [json.loads(each.body)["status"] for each in found if each is not None]

    def of(self, lane: str | None) -> list[JSONObject]:
        """Return the frames of a lane."""
        return [each for each in self.frames if each.get("stream_id") == lane]

    def kinds(self, lane: str | None = None) -> list[str]:
        """Return the types of the frames of a lane about whole responses, without `response.`."""
        kinds = [each["type"].removeprefix("response.") for each in self.of(lane)]
        about = ("created", "completed", "incomplete", "failed", "error")
        return [kind for kind in kinds if kind in about or kind.startswith("steer.")]

    async def _take(self, message: Message) -> None:
        if message["type"] == "websocket.send":
            self._texts.append(message["text"])
            self.frames.append(json.loads(message["text"]))
        elif message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
            self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        self._news.set()


@asynccontextmanager
async def stage(database: str = ":memory:", keys: KeySettings | None = None) -> AsyncGenerator[Stage, None]:
    """Open a server and its connection; the end of the block closes both and checks the frames."""
    brain, found = Brain(), FakeSearch()
    store = await Store.open(database)

    async def open_tools(context: RequestContext, request: CreateResponse) -> HostedTools:
        uses_search = any(isinstance(tool, WebSearchTool) for tool in request.tools or ())
        return HostedTools([found]) if uses_search else NO_TOOLS

    try:
        catalogue = Catalogue(brain)
        async with Services.open(store, catalogue, ServiceSettings(keys=keys or KeySettings())) as services:
            responses = Responses(store, catalogue, open_tools, moderator=Moderator(catalogue, CHECKS))
            services = replace(services, responses=responses)
            made = Stage(create_app(ServerState(services=services, is_local=True)), store, brain, found)
            made.connect()
            yield made
            await made.leave()
    finally:
        await store.close()


def staged(scenario: Callable[[Stage], Awaitable[None]], keys: KeySettings | None = None) -> None:
    """Run a scenario with a connection of its own."""

    async def run() -> None:
        async with stage(keys=keys) as given:
            await scenario(given)

    asyncio.run(run())


def failure(event: JSONObject) -> tuple[str, JSON]:
    """Return the code and the input of `response.steer.failed`."""
    return event["error"]["code"], event["steer"]["input"]
