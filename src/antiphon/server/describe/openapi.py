"""OpenAPI 3.1 document, built from the routes and the wire types."""

import re
from collections.abc import Iterable, Sequence

import msgspec
from starlette.routing import BaseRoute

from antiphon import __version__
from antiphon.server.describe.operation import ApiRoute, Operation, SocketFrames
from antiphon.wire.json import JSON, JSONObject

_REFERENCE = "#/components/schemas/{name}"
_PAGE = re.compile(r"\bPage_[\w.]+")


def operations_of(routes: Sequence[BaseRoute]) -> dict[tuple[str, str], Operation]:
    """Return the operations of the API by method and path; pages and WebSockets have none."""
    return {
        (route.method, route.path_format): route.operation for route in routes if isinstance(route, ApiRoute)
    }


def describe(routes: Sequence[BaseRoute]) -> JSONObject:
    """Return the OpenAPI document."""
    described = operations_of(routes)
    schemas = _Schemas(described.values())
    paths: JSONObject = {}
    for (method, path), operation in described.items():
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Antiphon",
            "version": __version__,
            "description": "OpenAI's Responses and Conversations APIs, and related endpoints.",
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """JSON schemas of all types in operations."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        named = [
            each for op in operations for each in (op.answer, op.body, op.events, op.errors, *_frames(op))
        ]
        self._types = [each for each in named if each and not isinstance(each, dict)]
        made, components = msgspec.json.schema_components(self._types, ref_template=_REFERENCE)
        text = msgspec.json.encode([list(made), components]).decode()
        # msgspec puts the names of all item types into the name of a page of items.
        self._made, self.components = msgspec.json.decode(_PAGE.sub(lambda match: _page_name(match[0]), text))

    def of(self, wanted: object) -> JSONObject:
        """Return the schema of a type, or a schema itself."""
        if isinstance(wanted, dict):
            return wanted
        schema: JSONObject = self._made[self._types.index(wanted)]
        return schema


def _page_name(name: str) -> str:
    """Return a short name, such as `FilePage` for `Page_antiphon.wire.files.File_`."""
    types = name.removeprefix("Page_").rstrip("_").split("___")
    return "ItemPage" if len(types) > 1 else f"{types[0].rpartition('.')[2]}Page"


def _operation(method: str, path: str, operation: Operation, schemas: _Schemas) -> JSONObject:
    said: JSONObject = {
        "operationId": "_".join([method.lower(), *re.findall(r"\w+", path.removeprefix("/v1"))]),
        "summary": operation.summary,
        "tags": [path.split("/")[2].partition(".")[0]],
        "responses": {
            **_success(operation, schemas),
            "default": {
                "description": "An error",
                "content": _json(schemas.of(operation.errors)),
            },
        },
    }
    parameters = [_parameter(name, "path", {"type": "string"}) for name in re.findall(r"\{(\w+)\}", path)]
    parameters += [_parameter(name, "query", schema) for name, schema in operation.query.items()]
    if parameters:
        said["parameters"] = parameters
    if operation.frames is not None:
        said["x-websocket"] = _websocket(operation.frames, schemas)
    if operation.body is not None:
        schema = schemas.of(operation.body)
        content = {"multipart/form-data": {"schema": schema}} if operation.is_form else _json(schema)
        said["requestBody"] = {"required": True, "content": content}
    return said


def _frames(operation: Operation) -> tuple[object, ...]:
    frames = operation.frames
    return () if frames is None else (*frames.client, *frames.server)


def _websocket(frames: SocketFrames, schemas: _Schemas) -> JSONObject:
    """Return the schemas of the frames, for which OpenAPI has no place of its own."""
    lane: JSONObject = {"properties": {"stream_id": {"type": "string"}}}
    return {
        "client": {"anyOf": [schemas.of(each) for each in frames.client]},
        "server": {"anyOf": [schemas.of(each) for each in frames.server], **lane},
    }


def _success(operation: Operation, schemas: _Schemas) -> JSONObject:
    if operation.is_file:
        return {"200": {"description": "The file", "content": {"application/octet-stream": {}}}}
    if operation.answer is None:
        return {"204": {"description": "Done"}}
    content = _json(schemas.of(operation.answer))
    if operation.events is not None:
        # The schema of the JSON in each `data:` line.
        content["text/event-stream"] = {"schema": schemas.of(operation.events)}
    return {"200": {"description": "Done", "content": content}}


def _json(schema: JSON) -> JSONObject:
    return {"application/json": {"schema": schema}}


def _parameter(name: str, place: str, schema: JSONObject) -> JSONObject:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
