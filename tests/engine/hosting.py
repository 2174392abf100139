"""Scripted hosted tools, and a model with scripted replies."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from itertools import count

import msgspec
from msgspec import UnsetType

from antiphon.decode.bodies import create_response
from antiphon.engine.kept import Kept
from antiphon.engine.loop import Loop
from antiphon.engine.ports import HostedCall, HostedTool, HostedTools, ResolvedModel, StreamedCall
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import new_response
from antiphon.engine.sealed import Sealed
from antiphon.engine.steering import Steering
from antiphon.engine.steps import StepNotes
from antiphon.errors import AntiphonError
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest, ChatTool
from antiphon.wire.events import Event, OutputItemAdded, OutputItemDone
from antiphon.wire.items import (
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
    WebSearchCall,
)
from antiphon.wire.json import JSONObject
from antiphon.wire.tool_events import (
    McpCallCompleted,
    McpCallInProgress,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
    WebSearchCallCompleted,
    WebSearchCallInProgress,
    WebSearchCallSearching,
)
from tests.engine.life_cycle import check_life_cycles
from tests.engine.looping import NOW, collect
from tests.engine.replies import STOP, call, chunk, counted_ids, raw
from tests.support.immediate import at_once

WEB_SEARCH: JSONObject = {"type": "web_search"}
RESULTS: list[JSONObject] = [{"url": "https://a.example/", "title": "A", "content": "It is 128."}]


def mcp(label: str = "s") -> JSONObject:
    named = {"server_label": label, "server_description": "A server"}
    return {"type": "mcp", **named, "server_url": "https://mcp.example/"}


def function(name: str) -> ChatTool:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def spent(completion_tokens: int) -> bytes:
    """Return a usage chunk; the prompt had 10 tokens."""
    usage = {"prompt_tokens": 10, "completion_tokens": completion_tokens}
    return raw({"choices": [], "usage": usage, "service_tier": "default"})


def says(text: str) -> list[bytes]:
    """Return a reply of text alone."""
    return [chunk(content=text), STOP, spent(5)]


def calls(*named: tuple[str, str], finish: str = "tool_calls") -> list[bytes]:
    """Return a reply of calls alone, given as names and arguments."""
    made = [call(index, f"call_up{index}", name, text) for index, (name, text) in enumerate(named)]
    return [*made, chunk(finish), spent(5)]


class Replies:
    """Chat model that gives its replies in turn and then repeats the last; a reply may be an error."""

    def __init__(
        self, *replies: list[bytes] | AntiphonError, capabilities: Capabilities | None = None
    ) -> None:
        self.capabilities = capabilities or Capabilities(think_tags=False)
        self.requests: list[ChatRequest] = []
        self.open = 0
        self._replies = list(replies)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, AntiphonError):
            raise reply
        self.open += 1
        try:
            for payload in reply:
                yield [payload]
        finally:
            self.open -= 1

    async def complete(self, request: ChatRequest) -> bytes:
        raise AssertionError("the loop calls stream alone")


class Log(list[str]):
    """Entries in order, with an event per entry that tests can await."""

    def __init__(self) -> None:
        super().__init__()
        self.events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def append(self, entry: str) -> None:
        super().append(entry)
        self.events[entry].set()


class FakeCall:
    """Call whose item changes from `begun` to `done` once `gate` is open, or that fails with `error`."""

    def __init__(
        self, begun: Item, done: Item, log: Log, gate: asyncio.Event | None, error: Exception | None
    ) -> None:
        self.item = begun
        self.ends_turn = False
        self.following: list[Item] = []
        self._done = done
        self._log = log
        self._gate = gate
        self._error = error

    async def run(self) -> None:
        name = str(self.item.id)
        self._log.append(f"begin {name}")
        try:
            if self._gate is not None:
                await self._gate.wait()
        except asyncio.CancelledError:
            self._log.append(f"cancelled {name}")
            raise
        self._log.append(f"end {name}")
        self.item = self._done
        if self._error is not None:
            raise self._error

    def opening(self, output_index: int) -> list[Event]:
        item_id = str(self.item.id)
        if isinstance(self.item, WebSearchCall):
            return [
                OutputItemAdded(output_index, WebSearchCall(id=item_id, status="in_progress")),
                WebSearchCallInProgress(item_id, output_index),
                WebSearchCallSearching(item_id, output_index),
            ]
        added = OutputItemAdded(output_index, self.item)
        if isinstance(self.item, McpListTools):
            return [added, McpListToolsInProgress(item_id, output_index)]
        if isinstance(self.item, McpCall):
            return [added, McpCallInProgress(item_id, output_index)]
        return [added]

    def closing(self, output_index: int) -> list[Event]:
        item_id = str(self.item.id)
        done = OutputItemDone(output_index, self.item)
        if isinstance(self.item, WebSearchCall) and self.item.status == "completed":
            return [WebSearchCallCompleted(item_id, output_index), done]
        if isinstance(self.item, McpListTools):
            ended = McpListToolsFailed if self.item.error else McpListToolsCompleted
            return [ended(item_id, output_index), done]
        if isinstance(self.item, McpCall):
            return [McpCallCompleted(item_id, output_index), done]
        return [done]

    def skip(self, output_index: int) -> list[Event]:
        return [*self.opening(output_index), OutputItemDone(output_index, self.item)]


class FakeTool:
    """Base of the scripted tools: a position, a log, and gates and errors by key."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.log = Log()
        self.gates: dict[str, asyncio.Event] = {}
        self.errors: dict[str, Exception] = {}
        self.made: list[tuple[str, str]] = []
        self.closed = 0
        self._numbers = count()

    def setup(self, items: list[Item]) -> HostedCall | None:
        return None

    def approved(self, items: list[Item]) -> list[HostedCall]:
        return []

    async def prepare(self, items: list[Item]) -> None:
        pass

    def begin(self, name: str) -> StreamedCall | None:
        return None

    async def close(self) -> None:
        self.closed += 1

    async def reached(self, entry: str) -> None:
        """Wait until the log has the entry."""
        await self.log.events[entry].wait()

    def _fake(self, key: str, begun: Item, done: Item) -> FakeCall:
        return FakeCall(begun, done, self.log, self.gates.get(key), self.errors.get(key))


class FakeSearch(FakeTool):
    """Web search that returns `results` for each query; queries are the keys of gates and errors."""

    results: list[JSONObject] = RESULTS

    def functions(self) -> list[ChatTool]:
        return [function("web_search")]

    def call(self, name: str, arguments: str) -> FakeCall:
        self.made.append((name, arguments))
        query = msgspec.json.decode(arguments)["query"]
        item_id = f"ws_{next(self._numbers)}"
        action = {"type": "search", "query": query, "queries": [query]}
        begun = WebSearchCall(id=item_id, status="searching", action=action)
        sources = [{"type": "url", "url": result["url"]} for result in self.results]
        done = WebSearchCall(
            id=item_id, status="completed", action={**action, "sources": sources}, results=[*self.results]
        )
        return self._fake(query, begun, done)


class FakeMcp(FakeTool):
    """MCP server whose tools answer with their name; `setup` is a key of gates and errors.

    `unapproved` are tools that need an approval.
    """

    def __init__(self, position: int = 0, label: str = "s", tools: Iterable[str] = ("look",)) -> None:
        super().__init__(position)
        self.label = label
        self.tools = list(tools)
        self.unapproved: set[str] = set()

    def setup(self, items: list[Item]) -> FakeCall | None:
        if any(isinstance(item, McpListTools) and item.server_label == self.label for item in items):
            return None
        begun = McpListTools(id=f"mcpl_{self.label}", server_label=self.label, tools=[])
        tools: list[JSONObject] = [
            {"name": name, "description": "", "input_schema": {}, "annotations": None} for name in self.tools
        ]
        error = "unreachable" if "setup" in self.errors else msgspec.UNSET
        done = McpListTools(id=begun.id, server_label=self.label, tools=tools, error=error)
        return self._fake("setup", begun, done)

    def functions(self) -> list[ChatTool]:
        return [function(name) for name in self.tools]

    def approved(self, items: list[Item]) -> list[HostedCall]:
        requests = {item.id: item for item in items if isinstance(item, McpApprovalRequest)}
        made: list[HostedCall] = []
        for item in items:
            if isinstance(item, McpApprovalResponse) and item.approve:
                request = requests[item.approval_request_id]
                made.append(self._call(request.name, request.arguments, request.id))
        return made

    def call(self, name: str, arguments: str) -> FakeCall:
        if name not in self.unapproved:
            return self._call(name, arguments, None)
        asked = McpApprovalRequest(
            id=f"mcpr_{next(self._numbers)}", arguments=arguments, name=name, server_label=self.label
        )
        fake = self._fake(name, asked, asked)
        fake.ends_turn = True
        return fake

    def _call(self, name: str, arguments: str, request_id: str | UnsetType | None) -> FakeCall:
        self.made.append((name, arguments))
        begun = McpCall(
            id=f"mcp_{next(self._numbers)}",
            status="in_progress",
            approval_request_id=request_id,
            arguments="",
            error=None,
            name=name,
            output=None,
            server_label=self.label,
        )
        done = msgspec.structs.replace(
            begun, status="completed", arguments=arguments, output=f"{name} of {self.label}"
        )
        return self._fake(name, begun, done)


class Hosting:
    """Response with hosted tools: the loop, its events and their checks."""

    steering: Steering | None = None
    notes: StepNotes | None = None
    kept: Kept | None = None

    def __init__(
        self,
        model: Replies,
        tools: list[JSONObject],
        *hosted: HostedTool,
        body: JSONObject | None = None,
        items: list[Item] | None = None,
        max_rounds: int = 10,
    ) -> None:
        whole = {"model": "backend/model", "input": "Hi", "tools": tools} | (body or {})
        request = create_response.decode(msgspec.json.encode(whole))
        self.model = model
        resolved = ResolvedModel(chat_model=model, name="model", id="backend/model")
        prompt = PromptState(request, items or [Message(role="user", content="Hi")], resolved, Sealed())
        prompt.kept = self.kept
        self.loop = Loop(
            request,
            new_response(request, "resp_1", int(NOW)),
            prompt,
            RequestContext(clock=lambda: NOW, ids=counted_ids(), steering=self.steering, steps=self.notes),
            HostedTools(hosted, max_rounds),
        )
        at_once(self.loop.prepare())
        self.events: list[JSONObject] = []

    def run(self) -> "Hosting":
        """Run the response to its end."""
        self.events = asyncio.run(collect(self.loop))
        assert [event["sequence_number"] for event in self.events] == list(range(len(self.events)))
        return self

    @property
    def response(self) -> JSONObject:
        """Return the response in the last event."""
        response: JSONObject = self.events[-1]["response"]
        return response

    def kinds(self) -> list[str]:
        """Return the types of the events without their common prefix, and of items added or done."""
        found = []
        for event in self.events:
            kind = event["type"].removeprefix("response.")
            found.append(f"{kind} {event['item']['type']}" if "item" in event else kind)
        return found

    def output(self) -> list[str]:
        """Return the types of the output items."""
        return [item["type"] for item in self.response["output"]]

    def told(self, request: int = -1) -> list[JSONObject]:
        """Return the messages of a model call."""
        return [{**message} for message in self.model.requests[request]["messages"]]

    def check(self) -> None:
        """Assert that every item of the stream has a life cycle that strict clients accept."""
        inner = [event for event in self.events if "response" not in event and event["type"] != "error"]
        output = [_shown(item) for item in self.response["output"]]
        check_life_cycles(inner, output, failed=self.loop.failure is not None)


def _shown(item: JSONObject) -> JSONObject:
    """Return the item as events show it, without fields that these requests do not include."""
    item = {name: value for name, value in item.items() if name != "results"}
    if item["type"] == "code_interpreter_call":
        item["outputs"] = None
    if "action" in item:
        item["action"] = {name: value for name, value in item["action"].items() if name != "sources"}
    return item
