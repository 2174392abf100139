"""Routes of Anthropic's Messages API."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.dialects.anthropic.errors import failed
from antiphon.dialects.anthropic.events import MessageEncoder, WholeMessage
from antiphon.dialects.anthropic.requests import count_request, message_request, shown_thinking
from antiphon.engine.slices import in_thread
from antiphon.ids import current_request
from antiphon.server.describe.operation import ApiRoute, Operation
from antiphon.server.edge.answers import MESSAGES, json_answer, nobody_there, request_id_header
from antiphon.server.edge.requests import begin_stream, context_of, decoded_body, owner_of
from antiphon.server.edge.sse import EventStream, Frames, event_frames
from antiphon.server.edge.state import services_of
from antiphon.server.http.exchange import StoppedByDisconnect
from antiphon.service.responses.run import Run
from antiphon.wire.messages import (
    AssistantMessage,
    CountMessageTokens,
    CreateMessage,
    MessageEvent,
    MessagesError,
    MessageTokens,
)

_CREATE = BodyDecoder(CreateMessage)
_COUNT = BodyDecoder(CountMessageTokens)


async def create(request: Request) -> Response:
    """Create a message, which is a response that isn't stored."""
    body, is_readable = await decoded_body(request, _CREATE), _readable(request)
    asked = await in_thread(lambda: message_request(body, is_readable))
    if body.stream:
        await begin_stream(request)
    run = await services_of(request).responses.create(context_of(request), asked)
    encoder = MessageEncoder(shown_thinking(body), body.stop_sequences or ())
    if body.stream:
        stream = EventStream(_frames(run, encoder))
        stream.headers.update(request_id_header())
        return stream
    whole = WholeMessage()
    async with run:
        with StoppedByDisconnect(request.scope):
            async with aclosing(_events(run, encoder)) as batches:
                async for events in batches:
                    whole.add(events)
            if run.loop.failure is not None:
                raise run.loop.failure
            return json_answer(whole.message, headers=request_id_header())
    return nobody_there()


async def count_tokens(request: Request) -> Response:
    """Count the tokens of a message's input."""
    body, is_readable = await decoded_body(request, _COUNT), _readable(request)
    asked = await in_thread(lambda: count_request(body, is_readable))
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        counted = await services_of(request).responses.count_input_tokens(context, asked)
        return json_answer(MessageTokens(counted.input_tokens), headers=request_id_header())
    return nobody_there()


routes = [
    ApiRoute(
        "POST",
        MESSAGES,
        create,
        Operation(
            "Create a message, as in Anthropic's API",
            AssistantMessage,
            CreateMessage,
            events=MessageEvent,
            errors=MessagesError,
        ),
    ),
    ApiRoute(
        "POST",
        MESSAGES + "/count_tokens",
        count_tokens,
        Operation(
            "Count the tokens of a message's input, as in Anthropic's API",
            MessageTokens,
            CountMessageTokens,
            errors=MessagesError,
        ),
    ),
]


def _readable(request: Request) -> Callable[[str], bool]:
    """Return a function that returns whether the server can decrypt a signature for the client."""
    seal, owner = services_of(request).sealing, owner_of(request)
    return lambda sealed: seal is not None and seal.open(owner, sealed) is not None


async def _events(run: Run, encoder: MessageEncoder) -> AsyncGenerator[list[MessageEvent], None]:
    """Yield the events of a message in batches.

    Raises:
        AntiphonError: The response failed before the message began.
    """
    async with aclosing(run.events()) as batches:
        async for events in batches:
            shown = encoder.encode(events)
            failure = None if run.final is None else run.loop.failure
            if failure is not None:
                if not encoder.has_begun:
                    raise failure
                shown.append(failed(failure, current_request.get()))
            if shown:
                yield shown


async def _frames(run: Run, encoder: MessageEncoder) -> AsyncGenerator[Frames, None]:
    async with run, aclosing(_events(run, encoder)) as batches:
        async for events in batches:
            yield event_frames(events, is_last=run.final is not None, ends_with_done=False)
