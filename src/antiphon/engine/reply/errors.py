"""The error objects that backends put into a stream, in OpenAI's form or another's."""

import re

import msgspec

from antiphon.errors import AntiphonError, ContextLengthExceeded, UpstreamBroken, UpstreamRefused
from antiphon.wire.json import JSON

_RATE_LIMITS = ("insufficient_quota", "rate_limit_error", "rate_limit_exceeded")
NEVER_ABOUT_CONTEXT = frozenset({401, 403, 404, 429})
"""Statuses that are not about the input's length, whatever the words say."""
_CONTEXT_MESSAGE = (
    "Your input exceeds the context window of this model. Please adjust your input and try again."
)
"""What api.openai.com says (recorded); the backend's own words are added."""
_CONTEXT_CODES = ("context_length_exceeded", "exceed_context_size_error")
# OpenAI and vLLM; vLLM's decoder; llama.cpp; Ollama; LM Studio (two versions); others that copy them.
_CONTEXT_WORDS = re.compile(
    r"maximum context length|maximum model length|available context size"
    r"|exceed\w* (?:the |your )?(?:model's )?(?:max(?:imum)? )?context (?:length|window|size)"
    r"|(?:context length of|context length is) only|(?:greater|longer) than the (?:model's )?context length"
    r"|context (?:length|window|size) (?:has been |was )?exceeded|prompt is too long",
    re.IGNORECASE,
)


def is_about_context(words: str, *codes: JSON) -> bool:
    """Whether a backend says, in its own words or by a code, that the input is too long for the model."""
    return any(code in _CONTEXT_CODES for code in codes) or _CONTEXT_WORDS.search(words) is not None


def context_exceeded(said: str) -> ContextLengthExceeded:
    """Returns the error for an input that is too long; `said` is who refused it and in which words."""
    return ContextLengthExceeded(f"{_CONTEXT_MESSAGE} ({said})")


def error_inside(source: str, error: JSON) -> AntiphonError:
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
    """An HTTP status of an error, as a number or in digits."""
    if isinstance(number, str) and len(number) == 3 and number.isdecimal():
        number = int(number)
    return number if isinstance(number, int) and 400 <= number < 600 else None
