"""Conversion of error objects in a backend's stream, in OpenAI's and other forms."""

import re

import msgspec

from antiphon.errors import AntiphonError, ContextLengthExceeded, UpstreamBroken, UpstreamRefused
from antiphon.wire.chat import Chunk
from antiphon.wire.json import JSON

_RATE_LIMITS = ("insufficient_quota", "rate_limit_error", "rate_limit_exceeded")
NEVER_ABOUT_CONTEXT = frozenset({401, 403, 404, 429})
"""Statuses that never mean that the input is too long, even if the message does."""
_CONTEXT_MESSAGE = (
    "Your input exceeds the context window of this model. Please adjust your input and try again."
)
"""The message of api.openai.com (recorded); the backend's own message is appended."""
_CONTEXT_CODES = ("context_length_exceeded", "exceed_context_size_error")
# Messages of OpenAI and vLLM; vLLM's decoder; llama.cpp; Ollama; LM Studio (two versions); similar servers.
_CONTEXT_WORDS = re.compile(
    r"maximum context length|maximum model length|available context size"
    r"|exceed\w* (?:the |your )?(?:model's )?(?:max(?:imum)? )?context (?:length|window|size)"
    r"|(?:context length of|context length is) only|(?:greater|longer) than the (?:model's )?context length"
    r"|context (?:length|window|size) (?:has been |was )?exceeded|prompt is too long",
    re.IGNORECASE,
)


def is_about_context(words: str, *codes: JSON) -> bool:
    """Return whether a backend's message or code means that the input is too long."""
    return any(code in _CONTEXT_CODES for code in codes) or _CONTEXT_WORDS.search(words) is not None


def context_exceeded(said: str) -> ContextLengthExceeded:
    """Return the error for an input that is too long.

    Args:
        said: The name and message of the backend.
    """
    return ContextLengthExceeded(f"{_CONTEXT_MESSAGE} ({said})")


def error_inside(source: str, error: JSON) -> AntiphonError:
    """Return the error for the `error` of a chunk that `source` sent.

    OpenRouter and vLLM put the HTTP status into `code`, and LiteLLM puts it there as a string.
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
    if code in _RATE_LIMITS or body.get("type") in _RATE_LIMITS:
        status = 429
    if status not in NEVER_ABOUT_CONTEXT and is_about_context(words, code, body.get("type")):
        return context_exceeded(message)
    return (
        UpstreamBroken(message)
        if status is None
        else UpstreamRefused(message, upstream_status=status, code=code)
    )


def _status(number: JSON) -> int | None:
    """Return an HTTP error status from a number or its digits, or None."""
    if isinstance(number, str) and len(number) == 3 and number.isdecimal():
        number = int(number)
    return number if isinstance(number, int) and 400 <= number < 600 else None


def as_error(chunk: Chunk) -> JSON:
    """Return the error in a chunk that is itself an error object, as in older servers."""
    return {"message": chunk.message, "code": chunk.code}


def excerpt(payload: bytes) -> str:
    """Return the beginning of a chunk, for a message."""
    text = payload[:120].decode("utf-8", "replace")
    return text + "..." if len(payload) > 120 else text
