"""Routes of stored chat completions."""

import re

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.proxied import decode_object
from antiphon.server.describe.operation import ANY_OBJECT, PAGE, TEXT, ApiRoute, Operation, object_with
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import (
    owner_of,
    page_query,
    path_id,
    query_text,
    read_body,
)
from antiphon.server.edge.state import server_state, services_of
from antiphon.service.passthrough.stored import StoredCompletions
from antiphon.wire.json import JSONObject
from antiphon.wire.lists import Page

_METADATA = re.compile(r"metadata\[(.{1,64})\]", re.DOTALL)


async def page(request: Request) -> Response:
    """List stored chat completions."""
    query, model = page_query(request, order="asc"), query_text(request, "model")
    metadata = {
        found[1]: value
        for name, value in request.query_params.multi_items()
        if (found := _METADATA.fullmatch(name))
    }
    return json_answer(await _stored(request).page(owner_of(request), query, model, metadata))


async def get(request: Request) -> Response:
    """Get a stored chat completion."""
    return json_answer(await _stored(request).get(owner_of(request), _id(request)))


async def update(request: Request) -> Response:
    """Change the metadata of a stored chat completion."""
    body = decode_object(await read_body(request), server_state(request).max_items)
    return json_answer(await _stored(request).update(owner_of(request), _id(request), body.get("metadata")))


async def delete(request: Request) -> Response:
    """Delete a stored chat completion."""
    return json_answer(await _stored(request).delete(owner_of(request), _id(request)))


async def messages(request: Request) -> Response:
    """List the messages that a stored chat completion answers."""
    query = page_query(request, order="asc")
    return json_answer(await _stored(request).messages(owner_of(request), _id(request), query))


_COMPLETIONS = "/v1/chat/completions"
_COMPLETION = _COMPLETIONS + "/{completion_id}"
_CHANGES = object_with(metadata={"type": ["object", "null"], "additionalProperties": {"type": "string"}})

routes = [
    ApiRoute(
        "GET",
        _COMPLETIONS,
        page,
        Operation("List stored chat completions", Page[JSONObject], query=PAGE | {"model": TEXT}),
    ),
    ApiRoute("GET", _COMPLETION, get, Operation("Get a stored chat completion", ANY_OBJECT)),
    ApiRoute(
        "POST",
        _COMPLETION,
        update,
        Operation("Change the metadata of a stored chat completion", ANY_OBJECT, _CHANGES),
    ),
    ApiRoute("DELETE", _COMPLETION, delete, Operation("Delete a stored chat completion", ANY_OBJECT)),
    ApiRoute(
        "GET",
        _COMPLETION + "/messages",
        messages,
        Operation("List the messages that a stored chat completion answers", Page[JSONObject], query=PAGE),
    ),
]


def _stored(request: Request) -> StoredCompletions:
    return services_of(request).proxied.chat.stored


def _id(request: Request) -> str:
    return path_id(request, "completion_id")
