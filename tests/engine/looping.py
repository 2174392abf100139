"""The loop with a scripted model."""

from collections.abc import AsyncGenerator, Iterable

import msgspec

from antiphon.decode.bodies import create_response, response_create_event
from antiphon.engine.loop import Loop
from antiphon.engine.ports import ResolvedModel
from antiphon.engine.prompt_state import PromptState
from antiphon.engine.request_context import RequestContext, Seal
from antiphon.engine.response import new_response
from antiphon.engine.sealed import Sealed
from antiphon.errors import AntiphonError
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.items import Item, Message
from antiphon.wire.json import JSONObject
from tests.engine.replies import as_wire, counted_ids
from tests.support.immediate import at_once
from tests.support.schemas import check_event, check_response

NOW = 1_800_000_000.5


class ScriptedModel:
    """Chat model that sends its batches and then fails if it has an error."""

    def __init__(
        self,
        batches: Iterable[list[bytes]],
        error: AntiphonError | None = None,
        capabilities: Capabilities | None = None,
    ) -> None:
        self.capabilities = capabilities or Capabilities(think_tags=False)
        self.requests: list[ChatRequest] = []
        self.closed = 0
        self._batches = list(batches)
        self._error = error

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        self.requests.append(request)
        try:
            for batch in self._batches:
                yield batch
            if self._error is not None:
                raise self._error
        finally:
            self.closed += 1

    async def complete(self, request: ChatRequest) -> bytes:
        raise AssertionError("the loop calls stream alone")


def loop(
    model: ScriptedModel,
    body: JSONObject | None = None,
    items: list[Item] | None = None,
    seal: Seal | None = None,
) -> Loop:
    """Return the loop for a request body; its whole context is `items`."""
    given = {"model": "backend/model", "input": "Hi"} | (body or {})
    decoder = response_create_event if "type" in given else create_response
    request = decoder.decode(msgspec.json.encode(given))
    prompt = PromptState(
        request,
        items or [Message(role="user", content="Hi")],
        ResolvedModel(chat_model=model, name="model", id="backend/model"),
        Sealed(seal, "model"),
    )
    context = RequestContext(clock=lambda: NOW, ids=counted_ids(), seal=seal)
    made = Loop(request, new_response(request, "resp_1", int(NOW)), prompt, context)
    at_once(made.prepare())
    return made


async def collect(made: Loop) -> list[JSONObject]:
    """Return the events as they are on the wire, each checked against OpenAI's description."""
    events: list[JSONObject] = []
    async for batch in made.events():
        assert batch, "an empty batch tells nothing"
        events += as_wire(batch)
    for event in events:
        check_event(event)
        if "response" in event:
            check_response(event["response"])
    return events


async def run(model: ScriptedModel, body: JSONObject | None = None) -> list[JSONObject]:
    """Create one response and return its events."""
    return await collect(loop(model, body))
