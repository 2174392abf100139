"""`/v1/completions` and `/v1/moderations`: what else is handed through to backends that have it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode.bodies import decode_json
from antiphon.decode.explain import kind_of
from antiphon.errors import InvalidRequest
from antiphon.server.edge.answers import json_answer, nobody_there
from antiphon.server.edge.requests import begin_stream, context_of, read_body
from antiphon.server.edge.sse import EventStream, proxied_frames
from antiphon.server.edge.state import services_of
from antiphon.server.http.disconnect import StoppedByDisconnect
from antiphon.wire.json import JSONObject


async def completions(request: Request) -> Response:
    """POST /v1/completions"""
    body = await _body(request)
    streamed = body.get("stream")
    if streamed is not None and not isinstance(streamed, bool):
        raise InvalidRequest(
            f"Invalid type for 'stream': expected a boolean, but got {kind_of(streamed)} instead.",
            code="invalid_type",
            param="stream",
        )
    made, context = services_of(request).completions, context_of(request)
    if streamed:
        begin_stream(request)
    with StoppedByDisconnect(request.scope):
        if not streamed:
            return json_answer(await made.complete(body, context))
        batches = made.stream(body, context)
        # As for chats: until the first chunks are there, an error is an HTTP error.
        first = await anext(batches)
        return EventStream(proxied_frames(first, batches))
    return nobody_there()


async def moderations(request: Request) -> Response:
    """POST /v1/moderations"""
    body = await _body(request)
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await services_of(request).completions.moderate(body, context))
    return nobody_there()


routes = [
    Route("/v1/completions", completions, methods=["POST"]),
    Route("/v1/moderations", moderations, methods=["POST"]),
]


async def _body(request: Request) -> JSONObject:
    body = decode_json(await read_body(request))
    if not isinstance(body, dict):
        raise InvalidRequest("Invalid body: expected an object.", code="invalid_type")
    return body
