"""Recorded calls as text for a terminal: lines of a list, and conversations."""

from collections.abc import Iterator, Sequence

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.nearest import common_start, printable
from antiphon.wire.json import JSON, JSONObject

_LINE_EXCERPT = 50
"""Characters of the last message in a line of a list."""
_MAX_JSON = 600
"""Characters of a JSON value, such as a schema or an embedding."""


def line(call: RecordedCall) -> str:
    """Return a call in one line: name, scope, kind, model, last message, form, size."""
    text = " ".join(_last_input(call).split())
    text = text if len(text) <= _LINE_EXCERPT else f"{text[:_LINE_EXCERPT]}…"
    form = "failed" if call.error else "streamed" if call.streamed else "non-streaming"
    size = sum(len(memoryview(part)) for part in call.parts) + len(msgspec.json.encode(call.request))
    columns = [call.name, call.scope, call.kind, _model(call), f'"{text}"', form, f"{size} bytes"]
    return "  ".join(printable(column) for column in columns)


def conversation(calls: Sequence[RecordedCall]) -> str:
    """Return the calls with their messages; those of an earlier call are only counted."""
    printed: list[tuple[str, list[bytes]]] = []
    blocks = []
    for call in calls:
        encoded = [msgspec.json.encode(message) for message in _messages(call)]
        counts = [(name, common_start(encoded, earlier)) for name, earlier in printed]
        name, kept = max(counts, key=lambda each: each[1], default=("", 0))
        printed.append((call.name, encoded))
        lines = [f"{call.name}  {call.scope}  {call.kind} {_model(call)}"]
        if kept:
            lines.append(f"  (the first {kept} of {len(encoded)} messages are those of {name})")
        blocks.append("\n".join([*map(printable, lines), *(f"  {each}" for each in _body(call, kept))]))
    return "\n\n".join(blocks)


def _body(call: RecordedCall, kept: int) -> Iterator[str]:
    if call.kind == "chat":
        for message in _messages(call)[kept:]:
            yield from _message(message, "")
        tools = call.request.get("tools")
        if isinstance(tools, list) and tools:
            yield from _text("tools", ", ".join(_tool_name(tool) for tool in tools))
    else:
        yield from _text("request", _json(call.request))
    yield from _answer(call)


def _answer(call: RecordedCall) -> Iterator[str]:
    if call.error is not None:
        status = f" {call.error.status_code}" if call.error.status_code else ""
        yield from _text(f"→ error{status}", call.error.message)
    elif call.kind == "chat":
        try:
            reply = msgspec.json.decode(fold_chunks(call.payloads()) if call.streamed else call.parts[0])
            for choice in reply["choices"]:
                yield from _message(choice["message"], "→ ")
                yield from _text("  finish_reason", str(choice.get("finish_reason")))
        except (UpstreamBroken, msgspec.DecodeError, LookupError, TypeError, AttributeError):
            parts = [bytes(part).decode(errors="replace") for part in call.parts]
            yield from _text("→", f"not a chat completion: {_json(parts)}")
    else:
        yield from _text("→", _json([_decoded(part) for part in call.payloads()]))


def _message(message: JSON, arrow: str) -> Iterator[str]:
    if not isinstance(message, dict):
        yield from _text(f"{arrow}?", _json(message))
        return
    role = f"{arrow}{message.get('role', '?')}"
    for name in ("reasoning", "reasoning_content", "refusal"):
        if isinstance(message.get(name), str) and message[name]:
            yield from _text(f"{role} ({name})", message[name])
    if (text := _content(message.get("content"))) or not message.get("tool_calls"):
        yield from _text(role, text)
    for call in message.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield from _text(f"{role} calls", f"{function.get('name')}({function.get('arguments')})")
        else:
            yield from _text(f"{role} calls", _json(call))


def _tool_name(tool: JSON) -> str:
    function = tool.get("function") if isinstance(tool, dict) else None
    return str(function.get("name")) if isinstance(function, dict) else _json(tool)


def _content(content: JSON) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    parts = content if isinstance(content, list) else [content]
    return "\n".join(
        part["text"] if isinstance(part, dict) and isinstance(part.get("text"), str) else _json(part)
        for part in parts
    )


def _text(label: str, text: str) -> Iterator[str]:
    """Yield the lines of a text after its label, without control characters."""
    first, *rest = text.split("\n")
    yield printable(f"{label}: {first}").rstrip()
    yield from (f"  {printable(each)}".rstrip() for each in rest)


def _last_input(call: RecordedCall) -> str:
    messages = _messages(call)
    if call.kind != "chat" or not messages:
        return _json(call.request.get("input") or call.request.get("prompt") or call.request)
    last: JSONObject = messages[-1] if isinstance(messages[-1], dict) else {}
    return _content(last.get("content"))


def _messages(call: RecordedCall) -> list[JSON]:
    messages = call.request.get("messages")
    return messages if isinstance(messages, list) else []


def _model(call: RecordedCall) -> str:
    return call.address.tool_name if call.kind == "tool" else str(call.request.get("model", "-"))


def _json(value: JSON) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_JSON else f"{text[:_MAX_JSON]}…"


def _decoded(text: bytes) -> JSON:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text.decode(errors="replace")
