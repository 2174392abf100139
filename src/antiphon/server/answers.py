"""JSON answers and the error envelope."""

from collections.abc import Awaitable, Callable, Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from antiphon.errors import AntiphonError
from antiphon.wire.errors import ErrorBody, ErrorEnvelope

_encode = msgspec.json.Encoder().encode


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns a wire type as a JSON response."""
    return json_text(_encode(value), status, headers)


def json_text(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Returns JSON text as a response."""
    return Response(body, status, headers, media_type="application/json")


def error_answer(error: AntiphonError) -> Response:
    """Returns an error in its envelope."""
    return json_answer(ErrorEnvelope(error.body()), error.status, error.headers)


def nobody_there() -> Response:
    """Returns what the log shows for a request whose client went away."""
    return Response(status_code=499)


async def not_found(request: Request) -> Response:
    """Answers for paths that do not exist."""
    return _no_route(f"Invalid URL ({request.method} {request.url.path[:200]})", 404)


def not_allowed(methods: Iterable[str]) -> Callable[[Request], Awaitable[Response]]:
    """Returns what answers for a path that has these methods only."""

    async def answer(request: Request) -> Response:
        message = f"Not allowed to {request.method} on {request.url.path[:200]}."
        return _no_route(message, 405, {"Allow": ", ".join(sorted(methods))})

    return answer


def _no_route(message: str, status: int, headers: dict[str, str] | None = None) -> Response:
    body = ErrorBody(message, "invalid_request_error", None, None)
    return json_answer(ErrorEnvelope(body), status, headers)
