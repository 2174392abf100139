"""Routes of webhook endpoints."""

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.server.describe.operation import PAGE, ApiRoute, Operation
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, decoded_body, owner_of, page_query, path_id
from antiphon.server.edge.state import services_of
from antiphon.service.webhooks.webhooks import Webhooks
from antiphon.wire.lists import Page
from antiphon.wire.webhooks import (
    CreateWebhookEndpoint,
    DeletedWebhookEndpoint,
    RotateSecret,
    SendTest,
    UpdateWebhookEndpoint,
    WebhookEndpoint,
    WebhookEventTypes,
    WebhookTest,
)

_CREATE_BODY = BodyDecoder(CreateWebhookEndpoint)
_UPDATE_BODY = BodyDecoder(UpdateWebhookEndpoint)
_ROTATE_BODY = BodyDecoder(RotateSecret)
_TEST_BODY = BodyDecoder(SendTest)


async def create(request: Request) -> Response:
    """Create a webhook endpoint."""
    body = await decoded_body(request, _CREATE_BODY)
    return json_answer(await _webhooks(request).create(context_of(request), body))


async def page(request: Request) -> Response:
    """List webhook endpoints."""
    return json_answer(await _webhooks(request).page(owner_of(request), page_query(request)))


async def get(request: Request) -> Response:
    """Get a webhook endpoint."""
    return json_answer(await _webhooks(request).get(owner_of(request), _id(request)))


async def update(request: Request) -> Response:
    """Change a webhook endpoint."""
    body = await decoded_body(request, _UPDATE_BODY)
    return json_answer(await _webhooks(request).update(context_of(request), _id(request), body))


async def delete(request: Request) -> Response:
    """Delete a webhook endpoint."""
    return json_answer(await _webhooks(request).delete(owner_of(request), _id(request)))


async def rotate_secret(request: Request) -> Response:
    """Replace the secret of a webhook endpoint."""
    body = await decoded_body(request, _ROTATE_BODY, default=b"{}")
    return json_answer(await _webhooks(request).rotate(context_of(request), _id(request), body))


async def test(request: Request) -> Response:
    """Send a sample event to a webhook endpoint."""
    body = await decoded_body(request, _TEST_BODY)
    return json_answer(await _webhooks(request).test(owner_of(request), _id(request), body))


async def event_types(request: Request) -> Response:
    """List the types of webhook events."""
    return json_answer(_webhooks(request).event_types())


_ENDPOINTS = "/v1/webhook_endpoints"
_ENDPOINT = _ENDPOINTS + "/{webhook_endpoint_id}"

routes = [
    ApiRoute(
        "POST",
        _ENDPOINTS,
        create,
        Operation("Create a webhook endpoint", WebhookEndpoint, CreateWebhookEndpoint),
    ),
    ApiRoute("GET", _ENDPOINTS, page, Operation("List webhook endpoints", Page[WebhookEndpoint], query=PAGE)),
    ApiRoute("GET", _ENDPOINT, get, Operation("Get a webhook endpoint", WebhookEndpoint)),
    ApiRoute(
        "POST",
        _ENDPOINT,
        update,
        Operation("Change a webhook endpoint", WebhookEndpoint, UpdateWebhookEndpoint),
    ),
    ApiRoute("DELETE", _ENDPOINT, delete, Operation("Delete a webhook endpoint", DeletedWebhookEndpoint)),
    ApiRoute(
        "POST",
        _ENDPOINT + "/rotate_secret",
        rotate_secret,
        Operation("Replace the secret of a webhook endpoint", WebhookEndpoint, RotateSecret),
    ),
    ApiRoute(
        "POST", _ENDPOINT + "/test", test, Operation("Send a sample webhook event", WebhookTest, SendTest)
    ),
    ApiRoute(
        "GET",
        "/v1/webhook_event_types",
        event_types,
        Operation("List the types of webhook events", WebhookEventTypes),
    ),
]


def _webhooks(request: Request) -> Webhooks:
    return services_of(request).webhooks


def _id(request: Request) -> str:
    return path_id(request, "webhook_endpoint_id")
