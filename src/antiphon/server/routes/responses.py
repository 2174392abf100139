"""Routes of responses."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode import bodies
from antiphon.dialects.llama_stack import OPENAI
from antiphon.dialects.llama_stack_wire import with_defaults
from antiphon.errors import InvalidRequest
from antiphon.server.describe.operation import INCLUDE, PAGE, TEXT, ApiRoute, Operation
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
    owner_of,
    page_query,
    path_id,
    query_text,
)
from antiphon.server.edge.sse import EventStream, Frames, event_frames
from antiphon.server.edge.state import services_of
from antiphon.server.http.exchange import StoppedByDisconnect
from antiphon.service.responses.run import Run
from antiphon.wire.compaction import CompactedResponse, CompactResponse
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSONObject
from antiphon.wire.lists import Page
from antiphon.wire.responses import CountInputTokens, CreateResponse, DeletedResponse, InputTokens
from antiphon.wire.responses import Response as ResponseObject


async def create(request: Request) -> Response:
    """Create a response."""
    body, wanted = await decoded_body(request, bodies.create_response), dialect(request)
    if wanted is not OPENAI:
        body = with_defaults(body, wanted)
    if body.stream:
        begin_stream(request)
    run = await services_of(request).responses.create(context_of(request), body)
    if body.stream:
        return EventStream(_frames(request, run))
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
    """List responses, as other self-hosted servers do."""
    query, model = page_query(request), query_text(request, "model")
    include = include_of(request)
    return json_answer(await services_of(request).responses.list(owner_of(request), query, model, include))


async def get(request: Request) -> Response:
    """Get a response."""
    include = include_of(request)
    if boolean(request, "stream"):
        raise InvalidRequest(
            "Unsupported parameter: 'stream' is supported for background responses only.",
            code="unsupported_parameter",
            param="stream",
        )
    response_id = path_id(request, "response_id")
    return json_answer(await services_of(request).responses.get(owner_of(request), response_id, include))


async def delete(request: Request) -> Response:
    """Delete a response."""
    return json_answer(
        await services_of(request).responses.delete(owner_of(request), path_id(request, "response_id"))
    )


async def cancel(request: Request) -> Response:
    """Reject the cancellation of a response, which needs a background response."""
    await services_of(request).responses.cancel(owner_of(request), path_id(request, "response_id"))


async def input_items(request: Request) -> Response:
    """List the input items of a response."""
    response_id, query = path_id(request, "response_id"), page_query(request)
    include = include_of(request)
    return json_answer(
        await services_of(request).responses.input_items(owner_of(request), response_id, query, include)
    )


_RESPONSES = "/v1/responses"
_RESPONSE = _RESPONSES + "/{response_id}"
_STREAM: JSONObject = {"stream": {"type": "boolean", "default": False}}

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
        Operation("List responses", Page[ResponseObject], query=PAGE | {"model": TEXT} | INCLUDE),
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
            shown = events if is_openai else in_dialect(request, events, run)
            yield event_frames(shown, is_last=run.final is not None, ends_with_done=ends_with_done)
