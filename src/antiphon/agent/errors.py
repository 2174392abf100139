"""Errors of agents.

AgentError
├── WrongAgent     wrong argument of an agent, such as a tool without type hints
└── TurnError      failed turn; its event is `TurnFailed`
"""

from collections.abc import Sequence

from antiphon.agent.events import StepResult


class AgentError(Exception):
    """Error of an agent."""


class WrongAgent(AgentError):
    """Wrong argument of an agent."""


class TurnError(AgentError):
    """Failed turn, with the steps that it had by then.

    The cause of a lost connection is the client's own exception.
    """

    def __init__(
        self, message: str, code: str, steps: Sequence[StepResult], response_ids: Sequence[str]
    ) -> None:
        super().__init__(message)
        self.code = code
        """Code of the server's error, or of the agent's."""
        self.steps = steps
        self.response_ids = response_ids
