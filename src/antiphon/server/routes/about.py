"""Routes about the server itself: health, version, providers, routes, OpenAPI."""

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from antiphon import __version__
from antiphon.errors import NotFound
from antiphon.server.describe.operation import ANY_OBJECT, ApiRoute, Operation, object_with
from antiphon.server.edge.answers import json_answer, json_text
from antiphon.server.edge.authentication import METRICS_PATH, is_known
from antiphon.server.edge.requests import path_id, refuse_own
from antiphon.server.edge.routing import Application
from antiphon.server.edge.state import server_state, services_of
from antiphon.service.readiness import without_messages
from antiphon.wire.json import JSONObject
from antiphon.wire.models import Health, Provider, ProviderList, Readiness, RouteInfo, RouteList, Version

_OWN = ("responses", "conversations", "prompts", "files", "vector_io", "tool_runtime")
"""llama-stack's names for the parts of the API that this server implements."""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of Prometheus' text format."""
_NOTHING = object_with(data={"type": "array", "maxItems": 0})


async def health(request: Request) -> Response:
    """Return that the process lives, whatever it depends on."""
    return json_answer(Health("OK"))


async def ready(request: Request) -> Response:
    """Return whether the server can do its work, with status 503 if it can't."""
    found = await services_of(request).readiness.check()
    if not await is_known(request):
        found = without_messages(found)
    return json_answer(found, 200 if found.status == "OK" else 503, {"cache-control": "no-store"})


async def version(request: Request) -> Response:
    """Return the server's version."""
    return json_answer(Version(__version__))


async def providers(request: Request) -> Response:
    """List the providers of the API's parts."""
    return json_answer(ProviderList(data=await _providers(request)))


async def get_provider(request: Request) -> Response:
    """Get a provider."""
    provider_id = path_id(request, "provider_id")
    for provider in await _providers(request):
        if provider.provider_id == provider_id:
            return json_answer(provider)
    raise NotFound(f"Provider with id '{provider_id}' not found.")


async def nothing(request: Request) -> Response:
    """List nothing: clients of llama-stack ask for kinds of objects that this server doesn't have."""
    return json_answer({"data": []})


async def routes_of_api(request: Request) -> Response:
    """List the routes."""
    from antiphon.server.describe.openapi import operations_of

    described = operations_of(request.app.routes)
    return json_answer(RouteList(data=[RouteInfo(route=path, method=method) for method, path in described]))


async def openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return json_text(msgspec.json.encode(_document(request)))


async def docs(request: Request) -> Response:
    """Return the OpenAPI document as a page for people."""
    from antiphon.server.describe.docs_page import POLICY, docs_page

    headers = {"content-security-policy": POLICY, "x-content-type-options": "nosniff"}
    return HTMLResponse(docs_page(_document(request)), headers=headers)


async def metrics(request: Request) -> Response:
    """Return the metrics in Prometheus' text format."""
    read = server_state(request).metrics
    if read is None:
        raise NotFound("Metrics are off. Set ANTIPHON_METRICS=true, and restart the server.")
    return Response(await read(), headers={"content-type": METRICS_TYPE, "cache-control": "no-store"})


routes = [
    ApiRoute("GET", "/v1/health", health, Operation("Check that the process lives", Health)),
    ApiRoute("GET", "/v1/ready", ready, Operation("Check the database and the backends", Readiness)),
    ApiRoute("GET", "/v1/version", version, Operation("Get the server's version", Version)),
    ApiRoute(
        "GET", "/v1/providers", providers, Operation("List the providers of the API's parts", ProviderList)
    ),
    ApiRoute("GET", "/v1/providers/{provider_id}", get_provider, Operation("Get a provider", Provider)),
    *(
        ApiRoute("GET", path, nothing, Operation("Get an empty list, for clients of llama-stack", _NOTHING))
        for path in ("/v1/tools", "/v1/toolgroups", "/v1/shields", "/v1/scoring-functions")
    ),
    ApiRoute("GET", "/v1/inspect/routes", routes_of_api, Operation("List the routes", RouteList)),
    ApiRoute("GET", "/v1/openapi.json", openapi, Operation("Get this description (OpenAPI 3.1)", ANY_OBJECT)),
    Route("/docs", docs, methods=["GET"]),
    Route(METRICS_PATH, metrics, methods=["GET"]),
]


async def _providers(request: Request) -> list[Provider]:
    refuse_own(request)
    catalogue = services_of(request).catalogue
    own = [Provider(api=api, provider_id=f"antiphon-{api}", provider_type="inline::antiphon") for api in _OWN]
    return [*await catalogue.providers(), *own]


def _document(request: Request) -> JSONObject:
    """Return the OpenAPI document, which is built once."""
    from antiphon.server.describe.openapi import describe

    app: Application = request.app
    if app.description is None:
        app.description = describe(app.routes)
    return app.description
