"""Routes of responses."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode import bodies
from antiphon.dialects.llama_stack import OPENAI
from antiphon.dialects.llama_stack_wire import with_defaults
from antiphon.observe.record import Fetched
from antiphon.server.describe.operation import INCLUDE, PAGE, TEXT, ApiRoute, Operation, SocketFrames
from antiphon.server.edge.answers import json_answer, nobody_there
from antiphon.server.edge.dialects import in_dialect
from antiphon.server.edge.requests import (
    begin_stream,
    boolean,
    context_of,
    decoded_body,
    dialect,
    has_openai_events,
    include_of,
    integer,
    key_name,
    owner_of,
    page_query,
    path_id,
    query_text,
)
from antiphon.server.edge.sse import EventStream, Frames, event_frames, stored_frames
from antiphon.server.edge.state import headers_of, record_of, services_of
from antiphon.server.http.exchange import StoppedByDisconnect
from antiphon.server.websocket.errors import UpgradeRequired
from antiphon.service.responses.background import Events
from antiphon.service.responses.run import Run
from antiphon.wire.compaction import CompactedResponse, CompactResponse
from antiphon.wire.errors import ErrorFrame
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSONObject
from antiphon.wire.lists import Page
from antiphon.wire.responses import (
    CountInputTokens,
    CreateResponse,
    DeletedResponse,
    InputTokens,
    ResponseCreateEvent,
)
from antiphon.wire.responses import Response as ResponseObject
from antiphon.wire.steering import ResponseSteerEvent, SteerEvent


async def create(request: Request) -> Response:
    """Create a response."""
    body, wanted = await decoded_body(request, bodies.create_response), dialect(request)
    if wanted is not OPENAI:
        body = with_defaults(body, wanted)
    if body.background:
        return await _create_in_background(request, body)
    if body.stream:
        await begin_stream(request)
    run = await services_of(request).responses.create(context_of(request), body)
    if body.stream:
        resumable = services_of(request).resumable
        log = None if resumable is None else resumable.keep(run, owner_of(request))
        return EventStream(_frames(request, run), None if log is None else log.linger)
    async with run:
        with StoppedByDisconnect(request.scope):
            return json_answer(await run.response())
    return nobody_there()


async def count_input_tokens(request: Request) -> Response:
    """Count the tokens of an input."""
    body = await decoded_body(request, bodies.count_input_tokens)
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await services_of(request).responses.count_input_tokens(context, body))
    return nobody_there()


async def compact(request: Request) -> Response:
    """Compact a context."""
    body = await decoded_body(request, bodies.compact_response)
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await services_of(request).responses.compact(context, body))
    return nobody_there()


async def list_responses(request: Request) -> Response:
    """List responses, as other self-hosted servers do; reject a WebSocket that isn't one any more."""
    if _HANDSHAKE in headers_of(request.scope):
        raise UpgradeRequired
    query, model = page_query(request), query_text(request, "model")
    include = include_of(request)
    return json_answer(await services_of(request).responses.list(owner_of(request), query, model, include))


async def get(request: Request) -> Response:
    """Get a response."""
    include = include_of(request)
    response_id = path_id(request, "response_id")
    if boolean(request, "stream"):
        await begin_stream(request)
        after = integer(request, "starting_after", default=-1)
        record_of(request).fetched = Fetched(response_id, cursor=None if after < 0 else after)
        events = await services_of(request).background.follow(owner_of(request), response_id, after)
        return EventStream(_stored_frames(request, response_id, events))
    response = await services_of(request).responses.get(owner_of(request), response_id, include)
    record_of(request).fetched = Fetched(response_id, response.status)
    return json_answer(response)


async def delete(request: Request) -> Response:
    """Delete a response."""
    return json_answer(
        await services_of(request).responses.delete(owner_of(request), path_id(request, "response_id"))
    )


async def cancel(request: Request) -> Response:
    """Cancel a background response."""
    return json_answer(
        await services_of(request).background.cancel(owner_of(request), path_id(request, "response_id"))
    )


async def input_items(request: Request) -> Response:
    """List the input items of a response."""
    response_id, query = path_id(request, "response_id"), page_query(request)
    include = include_of(request)
    return json_answer(
        await services_of(request).responses.input_items(owner_of(request), response_id, query, include)
    )


_event_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_decode_event = _event_decoder.decode

_HANDSHAKE = b"sec-websocket-key"
"""Header of every opening handshake, which proxies pass on even if they remove the upgrade."""
_RESPONSES = "/v1/responses"
_RESPONSE = _RESPONSES + "/{response_id}"
_STREAM: JSONObject = {
    "stream": {"type": "boolean", "default": False},
    "starting_after": {"type": "integer", "minimum": 0},
}

routes = [
    ApiRoute(
        "POST",
        _RESPONSES,
        create,
        Operation("Create a response", ResponseObject, CreateResponse, events=Event),
    ),
    ApiRoute(
        "GET",
        _RESPONSES,
        list_responses,
        Operation(
            "List responses, or open a WebSocket",
            Page[ResponseObject],
            query=PAGE | {"model": TEXT} | INCLUDE,
            frames=SocketFrames((ResponseCreateEvent, ResponseSteerEvent), (Event, SteerEvent, ErrorFrame)),
        ),
    ),
    ApiRoute(
        "POST",
        _RESPONSES + "/compact",
        compact,
        Operation("Compact a context", CompactedResponse, CompactResponse),
    ),
    ApiRoute(
        "POST",
        _RESPONSES + "/input_tokens",
        count_input_tokens,
        Operation("Count the tokens of an input", InputTokens, CountInputTokens),
    ),
    ApiRoute("GET", _RESPONSE, get, Operation("Get a response", ResponseObject, query=INCLUDE | _STREAM)),
    ApiRoute("DELETE", _RESPONSE, delete, Operation("Delete a response", DeletedResponse)),
    ApiRoute(
        "POST", _RESPONSE + "/cancel", cancel, Operation("Cancel a background response", ResponseObject)
    ),
    ApiRoute(
        "GET",
        _RESPONSE + "/input_items",
        input_items,
        Operation("List the input of a response", Page[Item], query=PAGE | INCLUDE),
    ),
]


async def _frames(request: Request, run: Run) -> AsyncGenerator[Frames, None]:
    is_openai, ends_with_done = has_openai_events(request), dialect(request).ends_with_done
    async with run, aclosing(run.events()) as batches:
        async for events in batches:
            shown = events if is_openai else in_dialect(request, events, run.loop.response.id)
            yield event_frames(shown, is_last=run.final is not None, ends_with_done=ends_with_done)


async def _create_in_background(request: Request, body: CreateResponse) -> Response:
    if body.stream:
        await begin_stream(request)
    background = services_of(request).background
    response = await background.submit(context_of(request), body, key_name(request))
    if not body.stream:
        return json_answer(response)
    events = services_of(request).background.events(response.id, -1)
    return EventStream(_stored_frames(request, response.id, events))


async def _stored_frames(
    request: Request, response_id: str, stored: AsyncGenerator[Events, None]
) -> AsyncGenerator[Frames, None]:
    is_openai, ends_with_done = has_openai_events(request), dialect(request).ends_with_done
    async with aclosing(stored) as pages:
        async for page in pages:
            if is_openai:
                yield stored_frames(page.events, is_last=page.is_last)
            else:
                shown = in_dialect(request, [_decode_event(event) for event in page.events], response_id)
                yield event_frames(shown, is_last=page.is_last, ends_with_done=ends_with_done)
