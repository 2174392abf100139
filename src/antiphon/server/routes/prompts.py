"""Routes of prompts, as in llama-stack, whose older clients update with POST."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.decode import bodies
from antiphon.errors import InvalidRequest
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, owner_of, path_id, query_text, read_body
from antiphon.server.edge.state import services_of

_MAX_DIGITS = 9


async def create(request: Request) -> Response:
    """Create a prompt."""
    body = bodies.create_prompt.decode(await read_body(request))
    return json_answer(await services_of(request).prompts.create(context_of(request), body))


async def list_prompts(request: Request) -> Response:
    """List the prompts in their default versions."""
    return json_answer(await services_of(request).prompts.list(owner_of(request)))


async def get(request: Request) -> Response:
    """Get a version of a prompt."""
    version = _version(request)
    return json_answer(await services_of(request).prompts.get(owner_of(request), _id(request), version))


async def update(request: Request) -> Response:
    """Add a version of a prompt."""
    body = bodies.update_prompt.decode(await read_body(request))
    return json_answer(await services_of(request).prompts.update(owner_of(request), _id(request), body))


async def delete(request: Request) -> Response:
    """Delete a prompt with all of its versions."""
    await services_of(request).prompts.delete(owner_of(request), _id(request))
    return Response(status_code=204)


async def versions(request: Request) -> Response:
    """List the versions of a prompt."""
    return json_answer(await services_of(request).prompts.versions(owner_of(request), _id(request)))


async def set_default_version(request: Request) -> Response:
    """Set the default version of a prompt."""
    body = bodies.set_default_version.decode(await read_body(request))
    prompts, owner = services_of(request).prompts, owner_of(request)
    return json_answer(await prompts.set_default(owner, _id(request), body.version))


routes = [
    Route("/v1/prompts", create, methods=["POST"]),
    Route("/v1/prompts", list_prompts, methods=["GET"]),
    Route("/v1/prompts/{prompt_id}", get, methods=["GET"]),
    Route("/v1/prompts/{prompt_id}", update, methods=["PUT", "POST"]),
    Route("/v1/prompts/{prompt_id}", delete, methods=["DELETE"]),
    Route("/v1/prompts/{prompt_id}/versions", versions, methods=["GET"]),
    Route("/v1/prompts/{prompt_id}/set-default-version", set_default_version, methods=["PUT", "POST"]),
]


def _id(request: Request) -> str:
    return path_id(request, "prompt_id")


def _version(request: Request) -> int | None:
    text = query_text(request, "version")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS):
        raise InvalidRequest(
            "Invalid type for 'version': expected an integer, but got a string instead.",
            code="invalid_type",
            param="version",
        )
    return int(text)
