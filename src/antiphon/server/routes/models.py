"""`/v1/models`, `/v1/chat/completions` and `/v1/embeddings`: what is handed through to backends."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode.bodies import decode_json
from antiphon.decode.explain import kind_of
from antiphon.errors import InvalidRequest, ModelNotFound
from antiphon.server.edge.answers import json_answer, json_text, nobody_there
from antiphon.server.edge.requests import begin_stream, context_of, read_body, refuse_own
from antiphon.server.edge.sse import EventStream, proxied_frames
from antiphon.server.edge.state import services_of
from antiphon.server.http.disconnect import StoppedByDisconnect


async def chat_completions(request: Request) -> Response:
    """POST /v1/chat/completions"""
    body = decode_json(await read_body(request))
    if not isinstance(body, dict):
        raise InvalidRequest("Invalid body: expected an object.", code="invalid_type")
    streamed = body.get("stream")
    if streamed is not None and not isinstance(streamed, bool):
        raise InvalidRequest(
            f"Invalid type for 'stream': expected a boolean, but got {kind_of(streamed)} instead.",
            code="invalid_type",
            param="stream",
        )
    chat = services_of(request).chat
    context = context_of(request)
    if streamed:
        begin_stream(request)
    with StoppedByDisconnect(request.scope):
        if not streamed:
            return json_text(await chat.complete(body, context))
        batches = chat.stream(body, context)
        # The backend's own status is known with its first chunks: until then an error is an HTTP error.
        first = await anext(batches)
        return EventStream(proxied_frames(first, batches))
    return nobody_there()


async def embeddings(request: Request) -> Response:
    """POST /v1/embeddings"""
    body = decode_json(await read_body(request))
    if not isinstance(body, dict):
        raise InvalidRequest("Invalid body: expected an object.", code="invalid_type")
    made = services_of(request).embeddings
    context = context_of(request)
    with StoppedByDisconnect(request.scope):
        return json_answer(await made.create(body, context))
    return nobody_there()


async def list_models(request: Request) -> Response:
    """GET /v1/models"""
    refuse_own(request)
    return json_answer(await services_of(request).catalogue.list_models())


async def get_model(request: Request) -> Response:
    """GET /v1/models/{model}; ids hold slashes"""
    model_id = request.path_params["model"]
    models = await services_of(request).catalogue.list_models()
    by_id = {model.id: model for model in models.data}
    if model_id not in by_id:
        # A bare id stands for the one backend's model that is so called, as in requests.
        model_id = (await services_of(request).catalogue.resolve(model_id, context_of(request))).id
    if model_id not in by_id:
        raise ModelNotFound(f"The model '{model_id[:200]}' does not exist.", model_id)
    return json_answer(by_id[model_id])


routes = [
    Route("/v1/chat/completions", chat_completions, methods=["POST"]),
    Route("/v1/embeddings", embeddings, methods=["POST"]),
    Route("/v1/models", list_models, methods=["GET"]),
    Route("/v1/models/{model:path}", get_model, methods=["GET"]),
]
