"""Routes with their descriptions for the OpenAPI document."""

from collections.abc import Awaitable, Callable

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.wire.errors import ErrorEnvelope
from antiphon.wire.json import JSONObject

TEXT: JSONObject = {"type": "string", "maxLength": 256}
"""Schema of an ID or a name in the query."""
INCLUDE: JSONObject = {"include": {"type": "array", "items": {"type": "string"}}}
"""The query parameter `include`."""
PAGE: JSONObject = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "order": {"enum": ["asc", "desc"], "default": "desc"},
    "after": TEXT,
}
"""The query parameters of a list."""
ANY_OBJECT: JSONObject = {"type": "object"}
"""Schema of a body that this server doesn't define."""


class SocketFrames(Struct, frozen=True):
    """Types of the frames of a WebSocket."""

    client: tuple[object, ...]
    """Frames that the client sends."""
    server: tuple[object, ...]
    """Frames that the server sends, each with the `stream_id` of its lane."""


class Operation(Struct, frozen=True):
    """Description of one method of one path.

    A type is a wire type, or a JSON schema if another program defines the API.
    """

    summary: str
    """Description in a few words."""
    answer: object = None
    """Type of the response; None for a response with status 204 and no body."""
    body: object = None
    """Type of the request body."""
    query: JSONObject = {}
    """Schemas of the query parameters by name."""
    events: object = None
    """Type of the events, if the body can request a stream."""
    frames: SocketFrames | None = None
    """Types of the frames, if the path is also that of a WebSocket."""
    errors: object = ErrorEnvelope
    """Type of the body of an error."""
    is_form: bool = False
    """Whether the request body is a form with a file."""
    is_file: bool = False
    """Whether the response is a file."""


class ApiRoute(Route):
    """A route of the API, with its description.

    Args:
        method: HTTP method.
        path: Path, with the names of its parameters in braces.
        endpoint: Function that answers the request.
        operation: Description for the OpenAPI document.
    """

    def __init__(
        self,
        method: str,
        path: str,
        endpoint: Callable[[Request], Awaitable[Response]],
        operation: Operation,
    ) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.method = method
        self.operation = operation


def object_with(**required: JSONObject) -> JSONObject:
    """Return the schema of an object in which the server checks only these keys."""
    return {"type": "object", "required": list(required), "properties": required}
