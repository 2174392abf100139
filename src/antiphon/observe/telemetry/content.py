"""Messages of model calls as traces show them, if the operator switches content on."""

from typing import cast

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.observe.telemetry.calls import ModelCall
from antiphon.wire.json import JSON, JSONObject

MAX_TEXT = 8 * 1024
"""Characters of a text in a trace; the rest is cut off."""
_MAX_MESSAGES = 100
_MAX_PARTS = 50


def input_messages(call: ModelCall) -> str:
    """Return the last messages to the model as JSON."""
    messages = cast(list[JSONObject], call.request.get("messages", []))
    return _encode([_message(message) for message in messages[-_MAX_MESSAGES:]])


def output_messages(call: ModelCall) -> str | None:
    """Return the reply of the model as JSON; None if it has none."""
    try:
        only = msgspec.json.decode(call.reply[0]) if len(call.reply) == 1 else {}
        is_whole = any("message" in choice for choice in only.get("choices") or ())
        reply = only if is_whole else msgspec.json.decode(fold_chunks(call.reply))
    except (UpstreamBroken, msgspec.DecodeError, AttributeError, TypeError):
        return None
    choices = reply["choices"]
    return _encode(
        [
            {**_message(choice.get("message") or {}), "finish_reason": choice.get("finish_reason") or ""}
            for choice in choices
        ]
    )


def cut(value: JSON) -> JSON:
    """Return a value with its long texts cut off."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "..."
    if isinstance(value, list):
        return [cut(each) for each in value[:_MAX_MESSAGES]]
    if isinstance(value, dict):
        return {name: cut(each) for name, each in list(value.items())[:_MAX_MESSAGES]}
    return value


def encode(value: JSON) -> str:
    """Return a value as JSON, with its long texts cut off."""
    return _encode(cut(value))


def _encode(value: JSON) -> str:
    return msgspec.json.encode(value).decode()


def _message(message: JSONObject) -> JSONObject:
    role = message.get("role") or "assistant"
    content: JSON = message.get("content")
    if role == "tool":
        answer = {"type": "tool_call_response", "id": message.get("tool_call_id"), "response": cut(content)}
        return {"role": role, "parts": [answer]}
    parts: list[JSON] = []
    if reasoning := message.get("reasoning_content") or message.get("reasoning"):
        parts.append({"type": "reasoning", "content": cut(reasoning)})
    if isinstance(content, str) and content:
        parts.append({"type": "text", "content": cut(content)})
    elif isinstance(content, list):
        parts += [_part(part) for part in content[:_MAX_PARTS]]
    for call in (message.get("tool_calls") or [])[:_MAX_PARTS]:
        function = call.get("function") or {}
        parts.append(
            {
                "type": "tool_call",
                "id": call.get("id"),
                "name": function.get("name"),
                "arguments": cut(function.get("arguments")),
            }
        )
    return {"role": role, "parts": parts}


def _part(part: JSONObject) -> JSONObject:
    if part.get("type") == "text":
        return {"type": "text", "content": cut(part.get("text"))}
    # Images and files are large, and no viewer shows them.
    return {"type": str(part.get("type"))}
