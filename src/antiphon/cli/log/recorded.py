"""Recorded calls as a run, for a comparison."""

from collections.abc import Iterable, Sequence

import msgspec

from antiphon.engine.reply.whole import fold_chunks
from antiphon.errors import UpstreamBroken
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.service.log.compare import ComparedRun
from antiphon.service.log.timeline import StepView
from antiphon.wire.json import JSON, JSONObject


def run_of_recordings(name: str, calls: Iterable[RecordedCall]) -> ComparedRun:
    """Return recorded model and tool calls for a comparison, in their order."""
    steps = [
        _recorded(number, call)
        for number, call in enumerate((each for each in calls if each.kind in ("chat", "tool")), 1)
    ]
    return ComparedRun(name=name, head={}, steps=steps)


def _recorded(number: int, call: RecordedCall) -> StepView:
    if call.kind == "tool":
        address = call.address
        return StepView(
            number=number,
            kind="tool",
            name=f"{address.provider}.{address.tool_name}" if address.provider else address.tool_name,
            at=0.0,
            seconds=0.0,
            arguments=_json(call.request),
            result=_error_of(call) or "\n".join(bytes(part).decode() for part in call.parts),
            failed=call.error is not None,
        )
    reply = _reply(call)
    messages = call.request.get("messages")
    return StepView(
        number=number,
        kind="model",
        name=str(call.request.get("model", "")),
        at=0.0,
        seconds=0.0,
        arguments=_json(_last(messages)),
        reasoning=str(reply.get("reasoning_content") or reply.get("reasoning") or ""),
        text=str(reply.get("content") or ""),
        calls=[_call(each) for each in reply.get("tool_calls") or ()],
        result=_error_of(call),
        failed=call.error is not None,
    )


def _reply(call: RecordedCall) -> JSONObject:
    """Return the message of a recorded reply; empty for one that is broken."""
    try:
        whole = msgspec.json.decode(fold_chunks(call.payloads()) if call.streamed else call.parts[0])
        message = whole["choices"][0]["message"]
    except (UpstreamBroken, msgspec.DecodeError, LookupError, TypeError):
        return {}
    return message if isinstance(message, dict) else {}


def _last(messages: JSON) -> JSON:
    return messages[-1] if isinstance(messages, Sequence) and messages else None


def _call(call: JSON) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        return _json(call)
    return f"{function.get('name')}({function.get('arguments')})"


def _error_of(call: RecordedCall) -> str:
    return "" if call.error is None else call.error.message


def _json(value: JSON) -> str:
    return msgspec.json.encode(value).decode()
