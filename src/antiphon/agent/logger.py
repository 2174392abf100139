"""Events of a turn as text for a terminal, in the form of llama-stack's logger."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

from antiphon.agent.events import (
    AgentEvent,
    InferenceStepResult,
    StepCompleted,
    StepProgress,
    StepStarted,
    TextDelta,
    ToolExecutionStepResult,
    TurnFailed,
)

_MAX_OUTPUT = 100
"""Number of characters of a tool's output."""
_CONTROLS = [*range(0x20), 0x7F, *range(0x80, 0xA0)]
_VISIBLE = {code: f"\\x{code:02x}" for code in _CONTROLS if chr(code) not in "\n\t"}
"""Control characters, with which a model could change what the terminal shows."""


class AgentEventLogger:
    """Logger of a turn.

    for text in AgentEventLogger().log(agent.stream("Hi")):
        print(text, end="", flush=True)
    """

    def log(self, events: Iterable[AgentEvent]) -> Iterator[str]:
        """Yield the text of each event that has any."""
        for event in events:
            if text := _text(event):
                yield text.translate(_VISIBLE)

    async def log_async(self, events: AsyncIterable[AgentEvent]) -> AsyncIterator[str]:
        """Yield the text of each event of an `AsyncAgent` that has any."""
        async for event in events:
            if text := _text(event):
                yield text.translate(_VISIBLE)


def _text(event: AgentEvent) -> str:
    if isinstance(event, StepStarted):
        return _start(event)
    if isinstance(event, StepProgress):
        return event.delta.text if isinstance(event.delta, TextDelta) else ""
    if isinstance(event, StepCompleted):
        result = event.result
        return _inference(result) if isinstance(result, InferenceStepResult) else _execution(result)
    if isinstance(event, TurnFailed):
        return f"\n❌ Turn failed: {event.error_message}\n"
    return ""


def _start(event: StepStarted) -> str:
    if event.metadata is None:
        return "🤔 "
    if event.metadata["server_side"]:
        return f"\n🔍 Using {event.metadata['tool_name']}"
    return "\n🔧 Executing tools...\n"


def _inference(result: InferenceStepResult) -> str:
    if result.function_calls:
        return "".join(f"\n📞 Calling {call.tool_name}({call.arguments})" for call in result.function_calls)
    return "\n" if result.stop_reason == "end_of_turn" else ""


def _execution(result: ToolExecutionStepResult) -> str:
    lines = []
    for response in result.tool_responses:
        content = response["content"]
        if isinstance(content, str):
            shown = content if len(content) <= _MAX_OUTPUT else f"{content[:_MAX_OUTPUT]}..."
            lines.append(f"  → {response['tool_name']}: {shown}\n")
        else:
            mark, outcome = ("❌", "failed") if response["is_error"] else ("✅", "completed")
            lines.append(f"\n{mark} {response['tool_name']} {outcome}\n")
    return "".join(lines)
