"""Conversion between a stream of chunks and a non-streaming chat completion.

With it, a recording of either kind serves a request of either kind, and a backend without streaming serves a
streaming client.
"""

from collections.abc import Iterable

import msgspec

from antiphon.errors import UpstreamBroken
from antiphon.wire.json import JSON, JSONObject

_SHARED = ("id", "created", "model", "service_tier", "system_fingerprint", "usage")
_MISSHAPEN = (msgspec.DecodeError, UnicodeError, RecursionError, TypeError, AttributeError, KeyError)
"""The errors for invalid JSON, or JSON without the API's structure."""
_object_decoder = msgspec.json.Decoder(JSONObject)


def fold_chunks(chunks: Iterable[bytes]) -> bytes:
    """Return the chat completion that the chunks (JSON texts) add up to.

    Texts and lists (log probabilities) are concatenated, and tool calls are merged by index. Every other
    field has its last value that isn't null.

    Raises:
        UpstreamBroken: The chunks are malformed or have no choices.
    """
    reply: JSONObject = {"id": None, "object": "chat.completion", "created": 0, "model": None, "choices": []}
    choices: dict[int, _Choice] = {}
    try:
        for text in chunks:
            chunk = _object_decoder.decode(text)
            reply.update((name, chunk[name]) for name in _SHARED if chunk.get(name) is not None)
            for choice in chunk.get("choices") or []:
                choices.setdefault(choice.get("index") or 0, _Choice()).add(choice)
        reply["choices"] = [{"index": index, **choices[index].result()} for index in sorted(choices)]
    except _MISSHAPEN as error:
        raise UpstreamBroken(f"The stream contains no chat completion: {error}") from None
    if not choices:
        raise UpstreamBroken("The stream contains no choices.")
    return msgspec.json.encode(reply)


def fold_text_chunks(chunks: Iterable[bytes]) -> bytes:
    """Return the text completion (`/v1/completions`) that the chunks (JSON texts) add up to.

    Raises:
        UpstreamBroken: A chunk is malformed.
    """
    reply: JSONObject = {}
    choices: dict[int, JSONObject] = {}
    try:
        for text in chunks:
            chunk = _object_decoder.decode(text)
            reply.update(
                (name, chunk[name]) for name in chunk if chunk[name] is not None or name not in reply
            )
            for choice in chunk.get("choices") or []:
                _merge(choices.setdefault(choice.get("index") or 0, {}), choice)
    except _MISSHAPEN as error:
        raise UpstreamBroken(f"The stream contains no text completion: {error}") from None
    return msgspec.json.encode({**reply, "choices": [choices[index] for index in sorted(choices)]})


def unfold_reply(text: bytes, *, include_usage: bool) -> list[bytes]:
    """Return a chat completion as chunks: message, finish reason, and requested usage.

    Raises:
        UpstreamBroken: The text isn't a chat completion.
    """
    try:
        reply = _object_decoder.decode(text)
        chunk = {**reply, "object": "chat.completion.chunk"}
        usage = chunk.pop("usage", None)
        chunks = [
            {**chunk, "choices": [part]}
            for choice in reply.get("choices") or []
            for part in _choice_parts(choice)
        ]
    except _MISSHAPEN as error:
        raise UpstreamBroken(f"The answer is not a chat completion: {error}") from None
    if include_usage and usage is not None:
        chunks.append({**chunk, "choices": [], "usage": usage})
    return [msgspec.json.encode(chunk) for chunk in chunks]


def is_whole(text: bytes) -> bool:
    """Return whether a JSON text is a chat completion, not a chunk and not an error."""
    try:
        choices = _object_decoder.decode(text).get("choices") or []
        return bool(choices) and all(choice.get("delta") is None for choice in choices)
    except _MISSHAPEN:
        return False


class _Choice:
    """A choice that is merged from its chunks."""

    def __init__(self) -> None:
        self._message: JSONObject = {"role": "assistant", "content": None, "refusal": None}
        self._calls: dict[int, JSONObject] = {}
        self._rest: JSONObject = {"logprobs": None, "finish_reason": None}

    def add(self, choice: JSONObject) -> None:
        delta = choice.get("delta") or {}
        _merge(self._message, {name: value for name, value in delta.items() if name != "tool_calls"})
        for call in delta.get("tool_calls") or []:
            self._add_call(call)
        _merge(self._rest, {name: choice.get(name) for name in self._rest})

    def result(self) -> JSONObject:
        if self._calls:
            self._message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        return {"message": self._message, **self._rest}

    def _add_call(self, delta: JSONObject) -> None:
        """Merge a delta into the call with its index; without it, an ID begins a call."""
        index = delta.get("index")
        if index is None:
            latest = max(self._calls, default=-1)
            index = latest if self._calls and not delta.get("id") else latest + 1
        function: JSONObject = {"type": "function", "function": {"arguments": ""}}
        custom: JSONObject = {"type": "custom", "custom": {"input": ""}}
        call = self._calls.setdefault(index, custom if "custom" in delta else function)
        _merge(call, {name: value for name, value in delta.items() if name != "index"})


_REPLACED = frozenset({"role", "id", "type", "name", "finish_reason"})
"""Identifying fields: a second value replaces the first instead of extending it."""


def _joined(name: str, value: JSON) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and name not in _REPLACED)


def _merge(target: JSONObject, delta: JSONObject) -> None:
    for name, value in delta.items():
        known: JSON = target.get(name)
        if value is None:
            target.setdefault(name, None)
        elif _joined(name, value) and type(known) is type(value):
            target[name] = known + value
        elif isinstance(value, dict) and isinstance(known, dict):
            _merge(known, value)
        else:
            target[name] = value


def _choice_parts(choice: JSONObject) -> list[JSON]:
    index = choice.get("index") or 0
    delta = {name: value for name, value in choice["message"].items() if value is not None}
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [{"index": position, **call} for position, call in enumerate(calls)]
    said = {"index": index, "delta": delta, "logprobs": choice.get("logprobs"), "finish_reason": None}
    return [said, {"index": index, "delta": {}, "finish_reason": choice.get("finish_reason")}]
