"""Checks of the events of a turn."""

from collections.abc import Sequence

from antiphon.agent import (
    AgentEvent,
    InferenceStepResult,
    StepCompleted,
    StepProgress,
    StepStarted,
    TextDelta,
    ToolExecutionStepResult,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
)


def check(events: Sequence[AgentEvent]) -> TurnCompleted | TurnFailed:
    """Assert that each step that starts completes, and that one terminal event ends the turn; return it."""
    first, *steps, last = events
    assert isinstance(first, TurnStarted)
    assert isinstance(last, TurnCompleted | TurnFailed)
    assert (last.turn_id, last.session_id) == (first.turn_id, first.session_id)
    begun: dict[str, StepStarted] = {}
    opened: set[str] = set()
    text: dict[str, str] = {}
    for event in steps:
        assert isinstance(event, StepStarted | StepProgress | StepCompleted)
        assert event.turn_id == first.turn_id
        if isinstance(event, StepStarted):
            assert event.step_id not in begun
            begun[event.step_id] = event
            opened.add(event.step_id)
            continue
        assert event.step_id in opened
        assert event.step_type == begun[event.step_id].step_type
        if isinstance(event, StepProgress):
            if isinstance(event.delta, TextDelta):
                text[event.step_id] = text.get(event.step_id, "") + event.delta.text
            continue
        opened.remove(event.step_id)
        assert event.result.step_id == event.step_id
        if isinstance(event.result, InferenceStepResult):
            assert event.step_type == "inference"
            assert event.result.text_content == text.get(event.step_id, "")
        else:
            assert event.step_type == "tool_execution"
            assert len(event.result.tool_calls) == len(event.result.tool_responses)
    assert not opened
    if isinstance(last, TurnCompleted):
        assert last.num_steps == len(begun)
    return last


def inferences(events: Sequence[AgentEvent]) -> list[InferenceStepResult]:
    """Return the results of the inference steps."""
    results = [event.result for event in events if isinstance(event, StepCompleted)]
    return [result for result in results if isinstance(result, InferenceStepResult)]


def executions(events: Sequence[AgentEvent]) -> list[ToolExecutionStepResult]:
    """Return the results of the tool execution steps."""
    results = [event.result for event in events if isinstance(event, StepCompleted)]
    return [result for result in results if isinstance(result, ToolExecutionStepResult)]


def text_of(events: Sequence[AgentEvent]) -> str:
    """Return the text of all deltas."""
    deltas = [event.delta for event in events if isinstance(event, StepProgress)]
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def shape(events: Sequence[AgentEvent]) -> list[str]:
    """Return the steps in the order of their starts: `inference`, or the names of the tools."""
    started = [event for event in events if isinstance(event, StepStarted)]
    return [event.metadata["tool_name"] if event.metadata else event.step_type for event in started]
