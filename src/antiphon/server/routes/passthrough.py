"""Routes of the endpoints that are proxied to backends."""

from collections.abc import AsyncGenerator
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.proxied import decode_object, is_streamed
from antiphon.engine.request_context import RequestContext
from antiphon.server.describe.operation import ANY_OBJECT, ApiRoute, Operation, object_with
from antiphon.server.edge.answers import json_answer, json_text, nobody_there
from antiphon.server.edge.requests import begin_stream, context_of, dialect, read_body
from antiphon.server.edge.sse import EventStream, proxied_frames
from antiphon.server.edge.state import server_state, services_of
from antiphon.server.http.exchange import StoppedByDisconnect
from antiphon.wire.json import JSONObject


class _Completions(Protocol):
    """Use cases of an endpoint that streams on request."""

    async def complete(self, body: JSONObject, context: RequestContext) -> bytes:
        """Return the JSON text of a whole completion."""
        ...

    def stream(self, body: JSONObject, context: RequestContext) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of a streamed completion in batches."""
        ...


async def chat_completions(request: Request) -> Response:
    """Create a chat completion."""
    return await _complete(request, services_of(request).proxied.chat)


async def completions(request: Request) -> Response:
    """Create a text completion."""
    return await _complete(request, services_of(request).proxied.completions)


async def embeddings(request: Request) -> Response:
    """Create embeddings."""
    body = decode_object(await read_body(request), server_state(request).max_items)
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await services_of(request).proxied.embeddings.create(body, context))
    return nobody_there()


async def moderations(request: Request) -> Response:
    """Classify a text."""
    body = decode_object(await read_body(request), server_state(request).max_items)
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await services_of(request).proxied.completions.moderate(body, context))
    return nobody_there()


_TEXT: JSONObject = {"type": "string"}
_CHAT = object_with(model=_TEXT, messages={"type": "array"})
_EMBEDDINGS = object_with(model=_TEXT, input={"type": ["string", "array"]})
_COMPLETIONS = object_with(model=_TEXT, prompt={"type": ["string", "array"]})
_MODERATIONS = object_with(input={"type": ["string", "array"]})

routes = [
    ApiRoute(
        "POST",
        "/v1/chat/completions",
        chat_completions,
        Operation("Create a chat completion", ANY_OBJECT, _CHAT, events=ANY_OBJECT),
    ),
    ApiRoute(
        "POST",
        "/v1/completions",
        completions,
        Operation("Complete a text", ANY_OBJECT, _COMPLETIONS, events=ANY_OBJECT),
    ),
    ApiRoute("POST", "/v1/embeddings", embeddings, Operation("Create embeddings", ANY_OBJECT, _EMBEDDINGS)),
    ApiRoute("POST", "/v1/moderations", moderations, Operation("Classify a text", ANY_OBJECT, _MODERATIONS)),
]


async def _complete(request: Request, use_cases: _Completions) -> Response:
    body = decode_object(await read_body(request), server_state(request).max_items)
    streamed = is_streamed(body)
    context = context_of(request)
    if streamed:
        await begin_stream(request)
    with StoppedByDisconnect(request.scope):
        if not streamed:
            return json_text(await use_cases.complete(body, context))
        batches = use_cases.stream(body, context)
        # The backend's status arrives with its first chunks: until then an error is an HTTP error.
        first = await anext(batches)
        ends_with_done = dialect(request).ends_with_done
        return EventStream(proxied_frames(first, batches, ends_with_done=ends_with_done))
    return nobody_there()
