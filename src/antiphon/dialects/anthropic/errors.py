"""Errors in the form of Anthropic's APIs. Pure."""

from antiphon.errors import AntiphonError
from antiphon.wire.errors import ErrorBody
from antiphon.wire.messages import MessagesError, MessagesErrorBody

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
"""Types of errors by status; other statuses below 500 are of invalid requests."""
_STATUSES = {503: 529}
"""Statuses that Anthropic has in place of others."""
_TOO_LONG = "context_length_exceeded"


def messages_status(status: int) -> int:
    """Return the status of an error for clients of Anthropic's APIs."""
    return _STATUSES.get(status, status)


def messages_error(body: ErrorBody, status: int, request_id: str | None = None) -> MessagesError:
    """Return an error for clients of Anthropic's APIs.

    Args:
        body: The error.
        status: Its HTTP status in OpenAI's API.
        request_id: The ID of the request; None outside of a request.
    """
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = MessagesError(error=MessagesErrorBody(kind, _message(body)))
    if request_id is not None:
        error.request_id = request_id
    return error


def _message(body: ErrorBody) -> str:
    """Return the message of an error, with the place for which the envelope has no key."""
    if body.code == _TOO_LONG:
        return f"prompt is too long: {body.message}"  # Clients that read these words compact their context.
    is_said = body.param is None or body.param in body.message
    return body.message if is_said else f"{body.param}: {body.message}"


def failed(failure: AntiphonError, request_id: str | None) -> MessagesError:
    """Return the last event of a stream that fails."""
    return messages_error(failure.body(), failure.status, request_id)
