"""`/v1/responses`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode import bodies
from antiphon.errors import InvalidRequest
from antiphon.server.edge.answers import json_answer, nobody_there
from antiphon.server.edge.dialects import is_llama_stack, named
from antiphon.server.edge.requests import (
    begin_stream,
    boolean,
    call_of,
    include_of,
    owner_of,
    page_query,
    path_id,
    query_text,
    read_body,
)
from antiphon.server.edge.sse import DONE, EventStream, event_frames
from antiphon.server.http.disconnect import StoppedByDisconnect
from antiphon.service.responses.responses import Responses
from antiphon.service.responses.run import Run


async def create(request: Request) -> Response:
    """POST /v1/responses"""
    body = bodies.create_response.decode(await read_body(request))
    if body.stream:
        begin_stream(request)
    run = await _responses(request).create(owner_of(request), body, call_of(request))
    request.scope["state"]["run"] = run
    if body.stream:
        return EventStream(_frames(request, run))
    with StoppedByDisconnect(request.scope):
        return json_answer(await run.response())
    return nobody_there()


async def count_input_tokens(request: Request) -> Response:
    """POST /v1/responses/input_tokens"""
    body = bodies.count_input_tokens.decode(await read_body(request))
    call = call_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await _responses(request).count_input_tokens(owner_of(request), body, call))
    return nobody_there()


async def compact(request: Request) -> Response:
    """POST /v1/responses/compact"""
    body = bodies.compact_response.decode(await read_body(request))
    call = call_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await _responses(request).compact(owner_of(request), body, call))
    return nobody_there()


async def list_responses(request: Request) -> Response:
    """GET /v1/responses, which other self-hosted servers have too"""
    query, model = page_query(request), query_text(request, "model")
    include = include_of(request)
    return json_answer(await _responses(request).list(owner_of(request), query, model, include))


async def get(request: Request) -> Response:
    """GET /v1/responses/{response_id}"""
    include = include_of(request)
    if boolean(request, "stream"):
        raise InvalidRequest(
            "Unsupported parameter: 'stream' is supported for background responses only.",
            code="unsupported_parameter",
            param="stream",
        )
    response_id = path_id(request, "response_id")
    return json_answer(await _responses(request).get(owner_of(request), response_id, include))


async def delete(request: Request) -> Response:
    """DELETE /v1/responses/{response_id}"""
    return json_answer(await _responses(request).delete(owner_of(request), path_id(request, "response_id")))


async def cancel(request: Request) -> Response:
    """POST /v1/responses/{response_id}/cancel"""
    await _responses(request).cancel(owner_of(request), path_id(request, "response_id"))


async def input_items(request: Request) -> Response:
    """GET /v1/responses/{response_id}/input_items"""
    response_id, query = path_id(request, "response_id"), page_query(request)
    include = include_of(request)
    return json_answer(await _responses(request).input_items(owner_of(request), response_id, query, include))


routes = [
    Route("/v1/responses", create, methods=["POST"]),
    Route("/v1/responses", list_responses, methods=["GET"]),
    Route("/v1/responses/compact", compact, methods=["POST"]),
    Route("/v1/responses/input_tokens", count_input_tokens, methods=["POST"]),
    Route("/v1/responses/{response_id}", get, methods=["GET"]),
    Route("/v1/responses/{response_id}", delete, methods=["DELETE"]),
    Route("/v1/responses/{response_id}/cancel", cancel, methods=["POST"]),
    Route("/v1/responses/{response_id}/input_items", input_items, methods=["GET"]),
]


def _responses(request: Request) -> Responses:
    responses: Responses = request.app.state.responses
    return responses


async def _frames(request: Request, run: Run) -> AsyncGenerator[bytes | bytearray, None]:
    response_id = run.loop.response.id if is_llama_stack(request) else None
    async with aclosing(run.events()) as batches:
        async for events in batches:
            frames = event_frames(named(request, events), response_id)
            yield frames + DONE if run.final is not None else frames
