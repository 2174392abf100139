"""Routes of models."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode import bodies
from antiphon.dialects.anthropic.models import messages_model, models_page
from antiphon.errors import InvalidRequest, ModelNotFound
from antiphon.server.describe.operation import ApiRoute, Operation
from antiphon.server.edge.answers import is_for_messages, json_answer, not_allowed, request_id_header
from antiphon.server.edge.requests import (
    context_of,
    decoded_body,
    dialect,
    owner_of,
    page_query,
    query_text,
    refuse_own,
)
from antiphon.server.edge.state import services_of
from antiphon.wire.models import Model, ModelList, ModelResource, RegisterModel, ResourceList

_REGISTER_BODY = bodies.BodyDecoder(RegisterModel)


async def list_models(request: Request) -> Response:
    """List models."""
    refuse_own(request)
    services = services_of(request)
    if is_for_messages(request.scope):
        return await _messages_page(request)
    if dialect(request).registers_models:
        return json_answer(ResourceList(data=await services.models.list(owner_of(request))))
    return json_answer(await services.catalogue.list_models())


async def register(request: Request) -> Response:
    """Register a model, for clients of llama-stack of 2025 only."""
    if not dialect(request).registers_models:
        return not_allowed(request, ("GET", "HEAD"))
    body = await decoded_body(request, _REGISTER_BODY)
    return json_answer(await services_of(request).models.register(context_of(request), body))


async def get_model(request: Request) -> Response:
    """Get a model, whose ID may contain slashes."""
    model_id, services, wanted = request.path_params["model"], services_of(request), dialect(request)
    if wanted.registers_models:
        models: Sequence[Model] = await services.models.list(owner_of(request))
    else:
        models = (await services.catalogue.list_models()).data
    by_id = {model.id: model for model in models}
    if model_id not in by_id:
        # As in other requests, a name without its backend is enough if only one backend has such a model.
        model_id = (await services.catalogue.resolve(model_id, context_of(request))).id
    if model_id not in by_id:
        raise ModelNotFound(f"The model '{model_id[:200]}' does not exist.", model_id)
    model = by_id[model_id]
    if is_for_messages(request.scope):
        return json_answer(messages_model(model), headers=request_id_header())
    if wanted.describes_resource and not isinstance(model, ModelResource):
        model = ModelResource.of(model)
    return json_answer(model)


async def delete_model(request: Request) -> Response:
    """Refuse to delete a model, which belongs to its backend."""
    refuse_own(request)
    model = (
        await services_of(request).catalogue.resolve(request.path_params["model"], context_of(request))
    ).id
    raise InvalidRequest(
        f"The model '{model[:200]}' cannot be deleted, because it belongs to a backend. Remove it from the "
        "backend, or the backend from the settings.",
        code="model_not_deletable",
        param="model",
    )


async def _messages_page(request: Request) -> Response:
    models = (await services_of(request).catalogue.list_models()).data
    limit = page_query(request, most=1000).limit
    after, before = query_text(request, "after_id"), query_text(request, "before_id")
    return json_answer(models_page(models, limit, after, before), headers=request_id_header())


routes = [
    ApiRoute("GET", "/v1/models", list_models, Operation("List models", ModelList)),
    ApiRoute(
        "POST",
        "/v1/models",
        register,
        Operation("Register a model, for clients of llama-stack of 2025", ModelResource, RegisterModel),
    ),
    ApiRoute(
        "GET", "/v1/models/{model:path}", get_model, Operation("Get a model; IDs may contain slashes", Model)
    ),
    Route("/v1/models/{model:path}", delete_model, methods=["DELETE"]),
]
