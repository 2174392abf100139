"""Steps of a turn: their ids, their events and their results."""

import os
from dataclasses import dataclass, field

from antiphon.agent.events import (
    StepCompleted,
    StepDelta,
    StepMetadata,
    StepProgress,
    StepResult,
    StepStarted,
    StepType,
)


def _new_turn_id() -> str:
    return f"turn_{os.urandom(16).hex()}"


@dataclass
class Steps:
    """Steps of one turn, in the order in which they ended."""

    turn_id: str = field(default_factory=_new_turn_id)
    results: list[StepResult] = field(default_factory=list)
    started: int = 0

    def start(self, step_type: StepType, metadata: StepMetadata | None = None) -> StepStarted:
        """Start a step."""
        step_id = f"{self.turn_id}_step_{self.started}"
        self.started += 1
        return StepStarted(step_id=step_id, step_type=step_type, turn_id=self.turn_id, metadata=metadata)

    def progress(self, step: StepStarted, delta: StepDelta) -> StepProgress:
        """Return the progress of a step."""
        return StepProgress(step_id=step.step_id, step_type=step.step_type, turn_id=self.turn_id, delta=delta)

    def complete(self, step: StepStarted, result: StepResult) -> StepCompleted:
        """End a step."""
        self.results.append(result)
        return StepCompleted(
            step_id=step.step_id, step_type=step.step_type, turn_id=self.turn_id, result=result
        )
