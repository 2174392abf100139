"""Hash by which llama-stack finds a recording, and the name of its file.

The algorithm is that of llama-stack's api_recorder: SHA-256 of the request as JSON with sorted keys, with
volatile text replaced. Files of older algorithms have other names. They are stale: llama-stack itself doesn't
find them.
"""

import hashlib
import json
import re
from urllib.parse import urlsplit

import msgspec

from antiphon.wire.json import JSON, JSONObject

_UUID = "-".join(f"[a-f0-9]{{{digits}}}" for digits in (8, 4, 4, 4, 12))
_VOLATILE_TEXT = (
    ("score:", re.compile(r"score:\s*[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"), "score: __NORMALIZED__"),
    ("attributes:", re.compile(r",?\s*attributes:\s*\{[^}]*\}"), ""),
    ("document_id:", re.compile(rf"document_id:\s*{_UUID}"), "document_id: __NORMALIZED__"),
    ("<|", re.compile(rf"<\|{_UUID}\|>"), "<|__NORMALIZED__|>"),
)
"""A string that is fast to search and absent in most texts, a pattern, and the replacement."""
_SIGNS = (b"e-", *(word.encode() for word, _, _ in _VOLATILE_TEXT))
_DIGITS = re.compile(rb"\.[\d\x80-\xff]{4}")
"""Digits of a long decimal. JSON without them and without the signs has no volatile text."""
_FOUR_DIGITS = re.compile(r"\.\d{4}")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{4,}")
_encode = json.JSONEncoder(sort_keys=True).encode
_MODEL_LISTS = ("/api/tags", "/v1/models", "/v1/openai/v1/models")
_OPENAI = "https://api.openai.com/v1/"
_OPENAI_TWICE = "https://api.openai.com/v1/v1/"
"""Its address in llama-stack's recordings, whose base URL and paths both have the `/v1`."""


def llama_stack_url(url: str) -> str:
    """Return the address of a call as llama-stack records it, with `/v1/v1` at api.openai.com."""
    return url if url.startswith(_OPENAI_TWICE) else url.replace(_OPENAI, _OPENAI_TWICE)


def real_url(url: str) -> str:
    """Return the address of a call that llama-stack recorded, with one `/v1` at api.openai.com."""
    return url.replace(_OPENAI_TWICE, _OPENAI)


def request_hash(method: str, url: str, body: JSON, test_id: str | None) -> str:
    """Return the hash of a request to a model.

    Only the path of the URL counts, except that requests to Bedrock are hashed without `stream_options`.
    """
    address = urlsplit(url)
    if isinstance(body, dict):
        bedrock = "bedrock" in address.netloc
        body = {
            name: _normalized_member(name, member)
            for name, member in body.items()
            if not (bedrock and name == "stream_options")
        }
    else:
        body = _normalized(body)
    request: JSONObject = {"method": method.upper(), "endpoint": address.path, "body": body}
    if address.path not in _MODEL_LISTS:
        request["test_id"] = test_id
    return _hash(request)


def as_streaming_request(body: JSONObject) -> JSONObject:
    """Return a chat request in the form that llama-stack's Responses API sends.

    It requests a stream from the model even for a non-streaming response.
    """
    return {**body, "stream": True, "stream_options": {"include_usage": True}}


def tool_hash(provider: str, tool_name: str, kwargs: JSONObject) -> str:
    """Return the hash of a tool call, without the test id and with volatile text."""
    return _hash({"provider": provider, "tool_name": tool_name, "kwargs": kwargs})


def _hash(value: JSONObject) -> str:
    return hashlib.sha256(_encode(value).encode()).hexdigest()


def _normalized_member(name: str, member: JSON) -> JSON:
    """Return a member of the body with volatile text replaced."""
    if name in ("extra_body", "extra_query") and isinstance(member, dict):
        member = {key: value for key, value in member.items() if key != "project_id"}
    text = msgspec.json.encode(member)
    volatile = any(sign in text for sign in _SIGNS) or _DIGITS.search(text)
    return _normalized(member) if volatile else member


def _normalized(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _normalized(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_normalized(member) for member in value]
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, str):
        for word, pattern, replacement in _VOLATILE_TEXT:
            if word in value:
                value = pattern.sub(replacement, value)
        if _FOUR_DIGITS.search(value):
            value = _LONG_DECIMAL.sub(lambda number: f"{float(number[0]):.5f}", value)
    return value
