"""Recorded requests in the engine, with a model whose replies are derived from the recording."""

from collections import deque
from collections.abc import AsyncGenerator, Callable
from itertools import count

import msgspec

from antiphon.decode.bodies import create_response
from antiphon.engine.hosted.items import for_client
from antiphon.engine.loop import Loop
from antiphon.engine.ports import HostedTool, HostedTools, ResolvedModel
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import new_response
from antiphon.engine.sealed import Sealed
from antiphon.errors import AntiphonError
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.content import InputText
from antiphon.wire.events import Terminal
from antiphon.wire.items import (
    CompactionTrigger,
    FunctionCall,
    FunctionCallOutput,
    Item,
    ItemReference,
    Message,
)
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tools import FunctionTool, NamespaceTool, Tool
from tests.support.immediate import at_once

NOW = 1767368377.25


class ScriptedModel:
    """A chat model that gives its replies in turn, or fails.

    The chunks of a reply come each in its own network read, or all in one.
    """

    capabilities = Capabilities()

    def __init__(
        self, *replies: list[bytes], error: AntiphonError | None = None, in_one_read: bool = False
    ) -> None:
        self._replies = deque(replies)
        self._error = error
        self._in_one_read = in_one_read

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        if self._error is not None:
            raise self._error
        reply = self._replies.popleft()
        for chunks in [reply] if self._in_one_read else [[chunk] for chunk in reply]:
            yield chunks

    async def complete(self, request: ChatRequest) -> bytes:
        raise AssertionError("the loop calls stream alone")


class DataSeal:
    """Seal that shows the backend's encrypted data as it is, so that both sides can be compared."""

    def seal(self, owner: str, content: bytes) -> str:
        details = msgspec.json.decode(content).get("details") or [{"data": ""}]
        data: str = details[0].get("data", "")
        return data

    def open(self, owner: str, sealed: str) -> bytes | None:
        return None


OpenTools = Callable[[list[Tool], RequestContext], list[HostedTool]]


class Run:
    """One response: the events and, if it failed, the error."""

    def __init__(self, body: JSON, model: ScriptedModel, open_tools: OpenTools | None = None) -> None:
        request = create_response.decode(msgspec.json.encode(body))
        numbers = count()
        context = RequestContext(
            clock=lambda: NOW,
            ids=lambda prefix, size=0: f"{prefix}_{next(numbers):050x}",
            seal=DataSeal(),
        )
        hosted = open_tools(request.tools or [], context) if open_tools else []
        given = request if open_tools else _without_hosted_tools(request)
        resolved = ResolvedModel(chat_model=model, name="recorded", id="openai/recorded")
        self._loop = Loop(
            given,
            new_response(request, f"resp_{next(numbers):050x}", int(NOW)),
            PromptState(given, conversation(request), resolved, Sealed(context.seal, resolved.name)),
            context,
            HostedTools(hosted),
        )
        at_once(self._loop.prepare())
        self.events: list[JSONObject] = []

    @property
    def failure(self) -> AntiphonError | None:
        return self._loop.failure

    async def play(self) -> None:
        """Collect the events as they are on the wire."""
        async for events in self._loop.events():
            last = events[-1]
            if isinstance(last, Terminal):
                last.response.output = [for_client(item, self._loop.include) for item in last.response.output]
            self.events += [msgspec.json.decode(msgspec.json.encode(event)) for event in events]


def conversation(request: CreateResponse) -> list[Item]:
    """Return the items of a request, after the earlier calls that they answer."""
    if not isinstance(request.input, list):
        return [Message(role="user", content=[InputText(request.input or "")])]
    items = [item for item in request.input if not isinstance(item, CompactionTrigger | ItemReference)]
    assert len(items) == len(request.input)
    calls = {item.call_id for item in items if isinstance(item, FunctionCall)}
    answered = [str(i.call_id) for i in items if isinstance(i, FunctionCallOutput) and i.call_id not in calls]
    earlier = [FunctionCall(call_id=call_id, name="earlier", arguments="{}") for call_id in answered]
    return [*earlier, *items]


def _without_hosted_tools(request: CreateResponse) -> CreateResponse:
    """Remove hosted tools that the model of a recording doesn't use; the response still shows them."""
    tools = [tool for tool in request.tools or () if isinstance(tool, FunctionTool | NamespaceTool)]
    return msgspec.structs.replace(request, tools=tools)
