"""A recorded call as a person reads it in a terminal: one line of a list, or the whole conversation."""

from collections.abc import Iterator, Sequence

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.matching.nearest import printable
from antiphon.wire.json import JSON, JSONObject

_WORDS = 50
"""Characters of what was asked that a line of a list shows."""
_VALUE = 600
"""Characters that are shown of a value which is no text: a schema, an embedding."""


def line(call: RecordedCall) -> str:
    """Returns the call in one line: name, scope, kind, model, what was asked last, streamed or not, size."""
    words = " ".join(_asked(call).split())
    words = words if len(words) <= _WORDS else f"{words[:_WORDS]}…"
    way = "failed" if call.error else "streamed" if call.streamed else "whole"
    size = sum(len(memoryview(part)) for part in call.parts) + len(msgspec.json.encode(call.request))
    columns = [call.name, call.scope, call.kind, _model(call), f'"{words}"', way, f"{size} bytes"]
    return "  ".join(printable(column) for column in columns)


def conversation(calls: Sequence[RecordedCall]) -> str:
    """Returns the calls with what was said in each; messages that an earlier call shows are only counted."""
    shown: list[tuple[str, list[bytes]]] = []
    blocks = []
    for call in calls:
        encoded = [msgspec.json.encode(message) for message in _messages(call)]
        counts = [(name, _common(encoded, earlier)) for name, earlier in shown]
        name, kept = max(counts, key=lambda each: each[1], default=("", 0))
        shown.append((call.name, encoded))
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
        yield from _text("asked", _json(call.request))
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
                yield from _text("  ended", str(choice.get("finish_reason")))
        except (UpstreamBroken, msgspec.DecodeError, LookupError, TypeError, AttributeError):
            yield from _text(
                "→",
                f"no chat completion: {_json([bytes(part).decode(errors='replace') for part in call.parts])}",
            )
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
    """Lines of a text behind its label, with nothing that a terminal would obey."""
    first, *rest = text.split("\n")
    yield printable(f"{label}: {first}").rstrip()
    yield from (f"  {printable(each)}".rstrip() for each in rest)


def _asked(call: RecordedCall) -> str:
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


def _common(mine: list[bytes], theirs: list[bytes]) -> int:
    count = 0
    for one, other in zip(mine, theirs, strict=False):
        if one != other:
            break
        count += 1
    return count


def _json(value: JSON) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _VALUE else f"{text[:_VALUE]}…"


def _decoded(text: bytes) -> JSON:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text.decode(errors="replace")
