"""Routes of batches."""

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.server.describe.operation import PAGE, ApiRoute, Operation
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, decoded_body, key_name, owner_of, page_query, path_id
from antiphon.server.edge.state import services_of
from antiphon.wire.batches import Batch, CreateBatch
from antiphon.wire.lists import Page

_CREATE_BODY = BodyDecoder(CreateBatch)


async def create(request: Request) -> Response:
    """Create a batch."""
    body = await decoded_body(request, _CREATE_BODY)
    batches = services_of(request).batches
    return json_answer(await batches.create(context_of(request), body, key_name(request)))


async def page(request: Request) -> Response:
    """List batches."""
    return json_answer(await services_of(request).batches.page(owner_of(request), page_query(request)))


async def get(request: Request) -> Response:
    """Get a batch."""
    return json_answer(
        await services_of(request).batches.get(owner_of(request), path_id(request, "batch_id"))
    )


async def cancel(request: Request) -> Response:
    """Cancel a batch."""
    return json_answer(
        await services_of(request).batches.cancel(owner_of(request), path_id(request, "batch_id"))
    )


_BATCHES = "/v1/batches"
_BATCH = _BATCHES + "/{batch_id}"

routes = [
    ApiRoute("POST", _BATCHES, create, Operation("Create a batch", Batch, CreateBatch)),
    ApiRoute("GET", _BATCHES, page, Operation("List batches", Page[Batch], query=PAGE)),
    ApiRoute("GET", _BATCH, get, Operation("Get a batch", Batch)),
    ApiRoute("POST", _BATCH + "/cancel", cancel, Operation("Cancel a batch", Batch)),
]
