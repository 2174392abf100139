"""JSON responses and the error envelope."""

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from antiphon.dialects.anthropic.errors import messages_error, messages_status
from antiphon.errors import AntiphonError
from antiphon.ids import current_request
from antiphon.server.edge.state import headers_of
from antiphon.wire.errors import ErrorBody, ErrorEnvelope

_encode = msgspec.json.Encoder().encode

_ELSEWHERE = frozenset(
    {
        "agents",
        "assistants",
        "audio",
        "chatkit",
        "decisions",
        "evals",
        "fine_tuning",
        "live",
        "organization",
        "projects",
        "realtime",
        "safety",
        "skills",
        "threads",
        "vaults",
        "videos",
        "voices",
    }
)
"""First parts of the paths of OpenAI's API that this server does not have."""
MESSAGES = "/v1/messages"
"""Path of Anthropic's Messages API."""
ANTHROPIC_VERSION = b"anthropic-version"
_BOTH = "/v1/models"
"""Start of the paths that both APIs have."""


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response with a wire type as its body."""
    return json_text(_encode(value), status, headers)


def json_text(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response with encoded JSON as its body."""
    return JsonText(body, status, headers or {})


class JsonText(Response):
    """Encoded JSON as a response."""

    # Starlette's constructor, which allows other types of bodies and headers, takes 2 us longer.

    def __init__(self, body: bytes, status: int, headers: dict[str, str]) -> None:
        self.status_code = status
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        for name, value in headers.items():
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))


def error_answer(error: AntiphonError, scope: Scope) -> Response:
    """Return an error in the envelope that the client of the request expects."""
    return _refusal(error.body(), error.status, error.headers, scope)


def is_for_messages(scope: Scope) -> bool:
    """Return whether a request is for Anthropic's API: its path, or one of both APIs with its header."""
    path: str = scope["path"]
    if path.startswith(_BOTH):
        return ANTHROPIC_VERSION in headers_of(scope)
    return path == MESSAGES or path.startswith(MESSAGES + "/")


def request_id_header() -> dict[str, str]:
    """Return the header with the ID of the request that clients of Anthropic's API read."""
    request_id = current_request.get()
    return {} if request_id is None else {"request-id": request_id}


def nobody_there() -> Response:
    """Return the response to log for a request whose client disconnected."""
    return Response(status_code=499)


def not_found(request: Request, path_in_api: str | None = None) -> Response:
    """Return the error for a path that does not exist.

    Args:
        request: The request.
        path_in_api: Path that the client probably means.
    """
    message = f"Invalid URL ({request.method} {request.url.path[:200]})"
    _, version, name = [*request.url.path.split("/", 3), "", ""][:3]
    if version == "v1" and name in _ELSEWHERE:
        message = f"{message}. Antiphon does not have OpenAI's endpoints below /v1/{name}."
    if path_in_api is not None:
        message += f". The base URL ends with /v1, so that the path is {path_in_api[:200]}."
    return _no_route(message, 404, request)


def not_allowed(request: Request, methods: Iterable[str]) -> Response:
    """Return the error for a path that has only these methods."""
    message = f"Not allowed to {request.method} on {request.url.path[:200]}."
    return _no_route(message, 405, request, {"Allow": ", ".join(sorted(methods))})


def _no_route(message: str, status: int, request: Request, headers: dict[str, str] | None = None) -> Response:
    body = ErrorBody(message, "invalid_request_error", None, None)
    return _refusal(body, status, headers or {}, request.scope)


def _refusal(body: ErrorBody, status: int, headers: dict[str, str], scope: Scope) -> Response:
    if is_for_messages(scope):
        error = messages_error(body, status, current_request.get())
        return json_answer(error, messages_status(status), headers | request_id_header())
    return json_answer(_envelope(body), status, headers)


def _envelope(body: ErrorBody) -> ErrorEnvelope:
    request_id = current_request.get()
    return ErrorEnvelope(body) if request_id is None else ErrorEnvelope(body, request_id)
