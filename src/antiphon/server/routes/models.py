"""Routes of models."""

from starlette.requests import Request
from starlette.responses import Response

from antiphon.errors import ModelNotFound
from antiphon.server.describe.operation import ApiRoute, Operation
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, refuse_own
from antiphon.server.edge.state import services_of
from antiphon.wire.models import Model, ModelList


async def list_models(request: Request) -> Response:
    """List models."""
    refuse_own(request)
    return json_answer(await services_of(request).catalogue.list_models())


async def get_model(request: Request) -> Response:
    """Get a model, whose ID may contain slashes."""
    model_id = request.path_params["model"]
    models = await services_of(request).catalogue.list_models()
    by_id = {model.id: model for model in models.data}
    if model_id not in by_id:
        # As in other requests, a name without its backend is enough if only one backend has such a model.
        model_id = (await services_of(request).catalogue.resolve(model_id, context_of(request))).id
    if model_id not in by_id:
        raise ModelNotFound(f"The model '{model_id[:200]}' does not exist.", model_id)
    return json_answer(by_id[model_id])


routes = [
    ApiRoute("GET", "/v1/models", list_models, Operation("List models", ModelList)),
    ApiRoute(
        "GET", "/v1/models/{model:path}", get_model, Operation("Get a model; IDs may contain slashes", Model)
    ),
]
