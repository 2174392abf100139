"""A background response with three model calls and two tool calls, in servers that crash at any write."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Self

import msgspec

from antiphon.decode import bodies
from antiphon.durable.worker import Execution
from antiphon.engine.ports import HostedCall, HostedTools, ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import StoreUnavailable
from antiphon.ids import LONG
from antiphon.service.access.keys import Keys, KeySettings
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.responses.background import Background
from antiphon.service.responses.responses import OpenTools, Responses
from antiphon.service.responses.sealing import Sealing
from antiphon.settings.backends import Capabilities
from antiphon.settings.moderation import ModerationSettings
from antiphon.store import Store
from antiphon.store.runs.rows import ClaimedRun, RunLimits
from antiphon.tools.base import BasicTool
from antiphon.tools.mcp.calls import ToolCall
from antiphon.wire.chat import ChatRequest, ChatTool
from antiphon.wire.items import McpCall
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from tests.service.world import ME, Catalogue, ScriptedModel, say

TOOL: JSONObject = {"type": "mcp", "server_label": "svc", "server_url": "https://example.com/mcp"}
TESTS_BEGIN = RunLimits(per_process=0)
"""Limits with which only tests begin executions."""
ID = "resp_" + "5" * 50


class Crash(BaseException):
    """The end of the process: nothing that it would still do is done."""


def calling(number: int) -> list[bytes]:
    """Return the chunks of a reply with reasoning, text and a call of the hosted tool."""
    call = {
        "index": 0,
        "id": f"call_{number}",
        "function": {"name": "look", "arguments": f'{{"n": {number}}}'},
    }
    return [
        *say(finish=None, reasoning_content="Hm, "),
        *say(f"Round {number}, ", "look.", finish=None),
        *say(finish="tool_calls", tool_calls=[call]),
    ]


REPLIES = {0: calling(1), 1: calling(2), 2: say("All ", "done", ".")}
"""The reply to each model call, by the number of tool results in its request."""


class RoundModel(ScriptedModel):
    """Model whose replies follow from the request alone, as those of a real one."""

    capabilities = Capabilities(think_tags=False)

    def __init__(self) -> None:
        super().__init__()
        self.rounds: Counter[int] = Counter()
        """How often each call was made."""
        self.by_round = REPLIES

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        number = sum(message["role"] == "tool" for message in request["messages"])
        self.rounds[number] += 1
        self.requests.append(request)
        for chunk in self.by_round[number]:
            yield [chunk]


class Tool:
    """The service behind the hosted tool."""

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        """How often each call was made, by its arguments."""

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        self.made[str(arguments["n"])] += 1
        return {"content": [{"type": "text", "text": f"seen {arguments['n']}"}]}


class HarmlessTool(Tool):
    """The same, for a tool that only reads."""

    is_repeatable = True


class _Hosted(BasicTool):
    def __init__(self, context: RequestContext, catalogue: ModelCatalogue, tool: Tool) -> None:
        super().__init__(0)
        self._ids = context.ids
        self._calls = catalogue.tool_calls(tool, context)

    def functions(self) -> list[ChatTool]:
        return [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]

    def call(self, name: str, arguments: str) -> HostedCall:
        item = McpCall(
            id=self._ids("mcp"),
            status="in_progress",
            approval_request_id=None,
            arguments=arguments,
            error=None,
            name=name,
            output=None,
            server_label="svc",
        )
        return ToolCall(item, self._calls, 1000)


class Servers:
    """Servers of one database that run a response one after another."""

    moderation = ModerationSettings()

    def __init__(
        self,
        store: Store,
        tool: Tool | None = None,
        *,
        secret: str = "secret",
        limits: RunLimits = TESTS_BEGIN,
    ) -> None:
        self.store = store
        self.model = RoundModel()
        self.tool = tool or Tool()
        self.background = Background(
            store,
            Catalogue(self.model),
            self.responses_of,
            Sealing(secret),
            Keys(store.keys, store.usage, KeySettings()),
            limits,
        )
        self.responses = self.responses_of(Catalogue(self.model))

    async def submit(self, **changes: JSON) -> str:
        """Queue the response."""
        request = self.request(**changes)
        context = RequestContext(owner=ME, clock=lambda: 1000.0, ids=lambda prefix, size=LONG: ID)
        return (await self.background.submit(context, request, None)).id

    def request(self, **changes: JSON) -> CreateResponse:
        """Return the request for the response."""
        body = {"model": "up/m", "input": "Hi", "background": True, "tools": [TOOL]} | changes
        return bodies.create_response.decode(msgspec.json.encode(body), 1000)

    async def next(self) -> ClaimedRun | None:
        """Begin an execution, as the next server does; None after the end."""
        return await self.store.runs.claim((), RunLimits())

    async def claim(self) -> ClaimedRun:
        """Begin an execution of the response, which has not ended."""
        run = await self.next()
        assert run is not None
        return run

    async def go_on(self, run: ClaimedRun | None = None) -> None:
        """Run the response to its end."""
        await self.background.execute(Execution(run or await self.claim()))

    async def events(self, after: int = -1) -> list[JSONObject]:
        """Return the events in the log."""
        found: list[JSONObject] = []
        while (page := await self.store.runs.events_after(ID, after)) is not None and page.events:
            found += [msgspec.json.decode(event) for event in page.events]
            after = page.last_seq
        return found

    def responses_of(self, catalogue: ModelCatalogue) -> Responses:
        """Return the use cases of responses, with the hosted tool."""

        async def opened(context: RequestContext, request: CreateResponse) -> HostedTools:
            return HostedTools([_Hosted(context, catalogue, self.tool)])

        open_tools: OpenTools = opened
        moderator = Moderator(catalogue, self.moderation)
        return Responses(self.store, catalogue, open_tools, moderator=moderator)


class Failing:
    """The writes of an execution, one of which fails.

    Args:
        store: The database.
        at: The number of the write that fails.
        is_committed: Whether that write is committed all the same.
    """

    def __init__(self, store: Store, at: int, *, is_committed: bool) -> None:
        self.count = 0
        self._at = at
        self._is_committed = is_committed
        self._records = store.runs
        self._original = {name: getattr(store.runs, name) for name in ("write", "end", "rewind")}

    def __enter__(self) -> Self:
        for name, original in self._original.items():
            setattr(self._records, name, self._counted(original))
        return self

    def __exit__(self, *_: object) -> None:
        for name, original in self._original.items():
            setattr(self._records, name, original)

    def _counted(self, original: Callable[[object], Awaitable[object]]) -> Callable[[object], object]:
        async def write(argument: object) -> object:
            self.count += 1
            number = self.count
            if self.fails(number) and not (number == self._at and self._is_committed):
                raise self.error()
            result = await original(argument)
            if self.fails(number):
                raise self.error()
            return result

        return write

    def fails(self, number: int) -> bool:
        """Return whether a write fails."""
        return number == self._at

    def error(self) -> BaseException:
        """Return the error of the write that fails."""
        return StoreUnavailable("The database is not available.")


class Crashing(Failing):
    """The writes of an execution, until the process crashes at one: none follows."""

    def fails(self, number: int) -> bool:
        return number >= self._at

    def error(self) -> BaseException:
        return Crash()
