"""Conversion of a backend's error responses into errors that keep its message."""

import re
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from msgspec import Struct

from antiphon.engine.reply.errors import NEVER_ABOUT_CONTEXT, context_exceeded, is_about_context
from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    UpstreamBroken,
    UpstreamRefused,
)
from antiphon.settings.backends import BackendSettings
from antiphon.wire.json import JSON

_MAX_WORDS = 2000
_INPUT = r"(?:images?|audio|videos?|files?|vision|multimodal|tools?|embeddings?)"
# Messages of llama.cpp and similar servers about a request that the model cannot serve, sent with status 500.
_UNSUPPORTED = re.compile(
    rf"\b{_INPUT}\b.{{0,40}}\bnot (?:yet )?supported\b|\b(?:not support|unsupported)\b.{{0,40}}\b{_INPUT}\b",
    re.IGNORECASE,
)
_MAX_EXCERPT = 300


class Refusal(Struct, frozen=True):
    """A backend's error in OpenAI's form."""

    message: str
    """The backend's message."""
    code: str | None = None
    """OpenAI's error code, if the backend sent one."""
    param: str | None = None
    """The request parameter at fault."""
    type: str | None = None
    """OpenAI's error type."""


def refused(backend: BackendSettings, status: int, headers: Mapping[str, str], body: bytes) -> AntiphonError:
    """Return the error for a response with a status of 300 or more.

    Args:
        backend: The backend that responded.
        status: The HTTP status.
        headers: The response headers, with lower-case names.
        body: The response body, which may be truncated.
    """
    if status < 400:
        return UpstreamBroken(
            speaks(backend, f"it redirects (HTTP {status}); set base_url to the URL of the API itself")
        )
    said = read_refusal(body) or Refusal(_without_words(status, body))
    if status not in NEVER_ABOUT_CONTEXT and _is_about_context(said):
        return _context(backend, said)
    code, param = said.code, said.param
    if status == 404 and code is None and re.search(r"model\b.*\b(not found|not exist)", said.message, re.I):
        code, param = "model_not_found", "model"
    if status == 501:
        # llama.cpp responds so to an endpoint that its model doesn't support.
        status, code, param = 400, "model_not_supported", "model"
    elif status == 500 and _UNSUPPORTED.search(said.message):
        status = 400
    kept = {"Retry-After": headers["retry-after"]} if "retry-after" in headers else None
    message = speaks(backend, said.message)
    return UpstreamRefused(message, upstream_status=status, code=code, param=param, headers=kept)


def failed_inside(backend: BackendSettings, error: JSON) -> AntiphonError:
    """Return the error for an `error` object in a response with status 200."""
    said = _from_json({"error": error}) or Refusal("it returned an error without a message")
    return (
        _context(backend, said) if _is_about_context(said) else UpstreamBroken(speaks(backend, said.message))
    )


def speaks(backend: BackendSettings, text: str) -> str:
    """Return the truncated `text` after the backend's name, without its secrets."""
    if backend.api_key is not None:
        text = backend.api_key.masked(text)
    for value in backend.headers.values():
        text = value.masked(text)
    return f"{backend.name}: {text[:_MAX_WORDS]}"


def excerpt(body: bytes) -> str:
    """Return the beginning of `body` as one line of plain text without HTML tags."""
    text = body[: 40 * _MAX_EXCERPT].decode(errors="replace")
    text = re.sub(r"(?is)<(style|script)\b.*?</\1\s*>|<[^>]*>", " ", text)
    return " ".join(text.split())[:_MAX_EXCERPT]


def read_refusal(body: bytes) -> Refusal | None:
    """Return the error in a body of any common form, or None."""
    try:
        return _from_json(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _from_json(said: JSON) -> Refusal | None:
    """Return the error in decoded JSON.

    Supported are OpenAI's envelope, a string in `error`, `message` or `detail`, and FastAPI's list of
    validation errors.
    """
    if isinstance(said, list) and said:
        said = said[0]
    if not isinstance(said, dict):
        return None
    error = said.get("error", said.get("detail"))
    if isinstance(error, str) and error:
        return Refusal(error)
    if isinstance(error, list):
        return Refusal("; ".join(map(_validation_error, error))) if error else None
    source = error if isinstance(error, dict) else said
    message = source.get("message")
    if not isinstance(message, str) or not message:
        return None
    return Refusal(message, *(_text(source.get(key)) for key in ("code", "param", "type")))


def _validation_error(entry: JSON) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    return f"{'.'.join(map(str, entry.get('loc') or ()))}: {entry.get('msg', '')}"


def _text(value: JSON) -> str | None:
    """Return a string value; drop the HTTP status that vLLM and llama.cpp use as code."""
    return value if isinstance(value, str) and value else None


def _without_words(status: int, body: bytes) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    said = excerpt(body)
    return f"HTTP {status} {phrase}".rstrip() + (f": {said}" if said else "")


def _is_about_context(said: Refusal) -> bool:
    return is_about_context(said.message, said.code, said.type)


def _context(backend: BackendSettings, said: Refusal) -> ContextLengthExceeded:
    return context_exceeded(speaks(backend, said.message))
