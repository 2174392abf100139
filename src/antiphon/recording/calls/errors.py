"""Conversion between errors and their recorded form."""

from collections.abc import Mapping

from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.recording.calls.recorded import RecordedError
from antiphon.wire.json import JSONObject

_KINDS: Mapping[str, type[UpstreamError] | type[ContextLengthExceeded]] = {
    kind.__name__: kind
    for kind in (UpstreamTimeout, UpstreamBroken, UpstreamError, UpstreamUnreachable, ContextLengthExceeded)
}
"""Errors without an HTTP answer, by their recorded `type`."""
INJECTED = "fault "
"""Start of the messages of injected faults."""


def exception_of(error: RecordedError) -> AntiphonError:
    """Return the error of a recorded call, to be raised."""
    body: JSONObject = error.body if isinstance(error.body, dict) else {}
    message, code, param = (
        value if isinstance(value := body.get(name), str) else None for name in ("message", "code", "param")
    )
    message = message or error.message or "The recorded call failed without a message."
    if (kind := _KINDS.get(error.type)) is not None:
        return kind(message)
    if error.status_code is not None and 400 <= error.status_code < 600:
        return UpstreamRefused(
            message,
            upstream_status=error.status_code,
            code=code,
            param=param,
            headers={"retry-after": error.retry_after} if error.retry_after else None,
        )
    return UpstreamError(message)


def recorded_error_of(error: AntiphonError, *, is_search: bool = False) -> RecordedError | None:
    """Return the recorded form of an error.

    None if the error is unrelated to the call: no connection, or an error of this server. After a web search
    without a connection, the model continues with the error, so that one is recorded.
    """
    if isinstance(error, UpstreamRefused):
        body = {"message": error.message, "code": error.code, "param": error.param}
        retry_after = {name.lower(): value for name, value in error.headers.items()}.get("retry-after", "")
        return RecordedError(
            message=error.message, status_code=error.upstream_status, body=body, retry_after=retry_after
        )
    if (isinstance(error, UpstreamUnreachable) and not is_search) or type(error).__name__ not in _KINDS:
        return None
    return RecordedError(message=error.message, type=type(error).__name__)
