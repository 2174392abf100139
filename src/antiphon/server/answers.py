"""JSON answers and the error envelope."""

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from antiphon.errors import AntiphonError, InternalError
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


async def on_error(request: Request, error: Exception) -> Response:
    """Answers with an error of the tree; the request log names it."""
    assert isinstance(error, AntiphonError)
    request.state.error = error
    return error_answer(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answers for routes that do not exist and methods that they do not have."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == 404:
        message = f"Invalid URL ({request.method} {request.url.path[:200]})"
    elif error.status_code == 405:
        message = f"Not allowed to {request.method} on {request.url.path[:200]}."
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    else:
        message = str(error.detail)
    body = ErrorBody(message, "invalid_request_error", None, None)
    return json_answer(ErrorEnvelope(body), error.status_code, headers)


def _methods(request: Request) -> set[str]:
    """What a path can be asked for; Starlette tells the methods of its first route alone."""
    path = request.scope["path"]
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    return {each for route in routes if route.path_regex.match(path) for each in route.methods or ()}


async def on_disconnect(request: Request, error: Exception) -> Response:
    """Ends the request of a client that went away before its body was whole."""
    return nobody_there()


async def on_fault(request: Request, error: Exception) -> Response:
    """Answers for faults of this server; the server logs the traceback."""
    return error_answer(InternalError())
