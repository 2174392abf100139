"""The error objects that backends put into a stream, in OpenAI's form or another's."""

import msgspec

from antiphon.errors import UpstreamBroken, UpstreamError, UpstreamRefused
from antiphon.wire.json import JSON

_RATE_LIMITS = ("insufficient_quota", "rate_limit_error", "rate_limit_exceeded")


def error_inside(source: str, error: JSON) -> UpstreamError:
    """Reads the `error` of a chunk that `source` sent.

    OpenRouter and vLLM put the HTTP status that it stands for into `code`, LiteLLM as a string.
    """
    body = error if isinstance(error, dict) else {"message": error}
    said = body.get("message") or body.get("detail") or error
    words = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    message = f"{source}: {words[:2000]}"
    code, status = body.get("code"), None
    for number in (code, body.get("status")):
        status = status or _status(number)
    if not isinstance(code, str) or _status(code):
        code = None
    if body.get("type") == "insufficient_quota":
        code = "insufficient_quota"
    if code == "context_length_exceeded":
        return UpstreamRefused(message, upstream_status=400, code=code, param="input")
    if code in _RATE_LIMITS or body.get("type") in _RATE_LIMITS:
        status = 429
    return (
        UpstreamBroken(message)
        if status is None
        else UpstreamRefused(message, upstream_status=status, code=code)
    )


def _status(number: JSON) -> int | None:
    """An HTTP status of an error, as a number or in digits."""
    if isinstance(number, str) and len(number) == 3 and number.isdecimal():
        number = int(number)
    return number if isinstance(number, int) and 400 <= number < 600 else None
