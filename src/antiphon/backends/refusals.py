"""Turns what a backend says when it refuses into an error that names the backend and keeps its words."""

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
from antiphon.settings.schema import BackendSettings
from antiphon.wire.json import JSON

_MAX_WORDS = 2000
_MAX_EXCERPT = 300


class Refusal(Struct, frozen=True):
    """What a backend said, in OpenAI's terms."""

    message: str
    code: str | None = None
    param: str | None = None
    type: str | None = None


def refused(backend: BackendSettings, status: int, headers: Mapping[str, str], body: bytes) -> AntiphonError:
    """Returns the error for an answer with a status of 300 or more.

    The names of `headers` are in lower case; `body` may be cut short.
    """
    if status < 400:
        return UpstreamBroken(
            speaks(backend, f"it redirects (HTTP {status}); base_url must be where the API itself is")
        )
    said = read_refusal(body) or Refusal(_without_words(status, body))
    if status not in NEVER_ABOUT_CONTEXT and _is_about_context(said):
        return _context(backend, said)
    code, param = said.code, said.param
    if status == 404 and code is None and re.search(r"model\b.*\b(not found|not exist)", said.message, re.I):
        code, param = "model_not_found", "model"
    kept = {"Retry-After": headers["retry-after"]} if "retry-after" in headers else None
    message = speaks(backend, said.message)
    return UpstreamRefused(message, upstream_status=status, code=code, param=param, headers=kept)


def failed_inside(backend: BackendSettings, error: JSON) -> AntiphonError:
    """Returns the error for an `error` object inside an answer with the status 200."""
    said = _from_json({"error": error}) or Refusal("it reports an error and does not say which")
    return (
        _context(backend, said) if _is_about_context(said) else UpstreamBroken(speaks(backend, said.message))
    )


def speaks(backend: BackendSettings, text: str) -> str:
    """Returns `text` with the backend's name before it, bounded, and without the backend's key."""
    if backend.api_key is not None and backend.api_key.reveal():
        text = text.replace(backend.api_key.reveal(), "***")
    return f"{backend.name}: {text[:_MAX_WORDS]}"


def excerpt(body: bytes) -> str:
    """Returns the beginning of `body` as one line of plain text; tags of HTML are left out."""
    text = body[: 40 * _MAX_EXCERPT].decode(errors="replace")
    text = re.sub(r"(?is)<(style|script)\b.*?</\1\s*>|<[^>]*>", " ", text)
    return " ".join(text.split())[:_MAX_EXCERPT]


def read_refusal(body: bytes) -> Refusal | None:
    """Finds the message in an error body in any of the usual forms; None where there is none."""
    try:
        return _from_json(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _from_json(said: JSON) -> Refusal | None:
    """OpenAI's envelope; `error`, `message` or `detail` as text; FastAPI's list of what is wrong."""
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
    """Codes are kept where they are OpenAI's kind; vLLM and llama.cpp put the HTTP status there."""
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
