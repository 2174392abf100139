"""Routes of prompts, as in llama-stack, whose older clients update with POST."""

from starlette.requests import Request
from starlette.responses import Response

from antiphon.decode.bodies import BodyDecoder
from antiphon.errors import InvalidRequest
from antiphon.server.describe.operation import ApiRoute, Operation
from antiphon.server.edge.answers import json_answer
from antiphon.server.edge.requests import context_of, decoded_body, owner_of, path_id, query_text
from antiphon.server.edge.state import store_of
from antiphon.service.prompts import Prompts
from antiphon.wire.json import JSONObject
from antiphon.wire.prompts import CreatePrompt, Prompt, PromptList, SetDefaultVersion, UpdatePrompt

_MAX_DIGITS = 9

_CREATE_BODY = BodyDecoder(CreatePrompt)
_UPDATE_BODY = BodyDecoder(UpdatePrompt)
_DEFAULT_BODY = BodyDecoder(SetDefaultVersion)


async def create(request: Request) -> Response:
    """Create a prompt."""
    body = await decoded_body(request, _CREATE_BODY)
    return json_answer(await _prompts(request).create(context_of(request), body))


async def list_prompts(request: Request) -> Response:
    """List the prompts in their default versions."""
    return json_answer(await _prompts(request).list(owner_of(request)))


async def get(request: Request) -> Response:
    """Get a version of a prompt."""
    version = _version(request)
    return json_answer(await _prompts(request).get(owner_of(request), _id(request), version))


async def update(request: Request) -> Response:
    """Add a version of a prompt."""
    body = await decoded_body(request, _UPDATE_BODY)
    return json_answer(await _prompts(request).update(owner_of(request), _id(request), body))


async def delete(request: Request) -> Response:
    """Delete a prompt with all of its versions."""
    await _prompts(request).delete(owner_of(request), _id(request))
    return Response(status_code=204)


async def versions(request: Request) -> Response:
    """List the versions of a prompt."""
    return json_answer(await _prompts(request).versions(owner_of(request), _id(request)))


async def set_default_version(request: Request) -> Response:
    """Set the default version of a prompt."""
    body = await decoded_body(request, _DEFAULT_BODY)
    prompts, owner = _prompts(request), owner_of(request)
    return json_answer(await prompts.set_default(owner, _id(request), body.version))


_PROMPT = "/v1/prompts/{prompt_id}"
_UPDATE = Operation("Add a version of a prompt", Prompt, UpdatePrompt)
_SET_DEFAULT = Operation("Set the default version of a prompt", Prompt, SetDefaultVersion)
_VERSION: JSONObject = {"version": {"type": "integer", "minimum": 1}}

routes = [
    ApiRoute("POST", "/v1/prompts", create, Operation("Create a prompt", Prompt, CreatePrompt)),
    ApiRoute(
        "GET",
        "/v1/prompts",
        list_prompts,
        Operation("List prompts, each in its default version", PromptList),
    ),
    ApiRoute("GET", _PROMPT, get, Operation("Get a prompt", Prompt, query=_VERSION)),
    ApiRoute("POST", _PROMPT, update, _UPDATE),
    ApiRoute("PUT", _PROMPT, update, _UPDATE),
    ApiRoute("DELETE", _PROMPT, delete, Operation("Delete a prompt with all versions")),
    ApiRoute("GET", _PROMPT + "/versions", versions, Operation("List the versions of a prompt", PromptList)),
    ApiRoute("POST", _PROMPT + "/set-default-version", set_default_version, _SET_DEFAULT),
    ApiRoute("PUT", _PROMPT + "/set-default-version", set_default_version, _SET_DEFAULT),
]


def _prompts(request: Request) -> Prompts:
    return Prompts(store_of(request))


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
