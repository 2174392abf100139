"""The exact hash by which llama-stack finds a recording; a recording's file bears it as its name.

The rule is that of llama-stack's api_recorder: SHA-256 of the request as JSON with sorted keys, after the
text that differs from run to run has been replaced. Files made under older rules bear names that this one
does not give: they are stale, and llama-stack itself would not find them.
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
"""What is replaced, with a word that is quick to look for: most texts have none of it."""
_SIGNS = (b"e-", *(word.encode() for word, _, _ in _VOLATILE_TEXT))
_DIGITS = re.compile(rb"\.[\d\x80-\xff]{4}")
"""A JSON text in which anything is to be replaced has one of the signs, or such digits (Unicode has more)."""
_FOUR_DIGITS = re.compile(r"\.\d{4}")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{4,}")
_encode = json.JSONEncoder(sort_keys=True).encode
_MODEL_LISTS = ("/api/tags", "/v1/models", "/v1/openai/v1/models")


def request_hash(method: str, url: str, body: JSON, test_id: str | None) -> str:
    """Returns the hash of a request to a model.

    Of the URL only the path counts, except that Bedrock's requests are hashed without `stream_options`.
    """
    address = urlsplit(url)
    if isinstance(body, dict):
        bedrock = "bedrock" in address.netloc
        body = {
            name: _settled_member(name, member)
            for name, member in body.items()
            if not (bedrock and name == "stream_options")
        }
    else:
        body = _settled(body)
    request: JSONObject = {"method": method.upper(), "endpoint": address.path, "body": body}
    if address.path not in _MODEL_LISTS:
        request["test_id"] = test_id
    return _hash(request)


def asked_as_stream(body: JSONObject) -> JSONObject:
    """Returns a request for a chat as llama-stack's Responses word it.

    They ask the model for a stream, whatever their own caller asks for.
    """
    return {**body, "stream": True, "stream_options": {"include_usage": True}}


def tool_hash(provider: str, tool_name: str, kwargs: JSONObject) -> str:
    """Returns the hash of a tool call; the test does not count, and no text is replaced."""
    return _hash({"provider": provider, "tool_name": tool_name, "kwargs": kwargs})


def _hash(value: JSONObject) -> str:
    return hashlib.sha256(_encode(value).encode()).hexdigest()


def _settled_member(name: str, member: JSON) -> JSON:
    """Replaces what differs from run to run in a member of the body; most hold nothing of the kind."""
    if name in ("extra_body", "extra_query") and isinstance(member, dict):
        member = {key: value for key, value in member.items() if key != "project_id"}
    text = msgspec.json.encode(member)
    volatile = any(sign in text for sign in _SIGNS) or _DIGITS.search(text)
    return _settled(member) if volatile else member


def _settled(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {name: _settled(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_settled(member) for member in value]
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, str):
        for word, pattern, replacement in _VOLATILE_TEXT:
            if word in value:
                value = pattern.sub(replacement, value)
        if _FOUR_DIGITS.search(value):
            value = _LONG_DECIMAL.sub(lambda number: f"{float(number[0]):.5f}", value)
    return value
