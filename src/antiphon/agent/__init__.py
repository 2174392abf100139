"""Client-side agent: turns and steps over any Responses server.

    from antiphon.agent import Agent

    agent = Agent(OpenAI(), model="gpt-5", tools=[get_weather])
    print(agent.run("Is it cold in Oslo?"))

The package needs a client such as openai-python's, and no code of the server.
"""

from antiphon.agent.agent import Agent
from antiphon.agent.async_agent import AsyncAgent
from antiphon.agent.errors import AgentError, TurnError, WrongAgent
from antiphon.agent.events import (
    AgentEvent,
    ApprovalRequest,
    InferenceStepResult,
    StepCompleted,
    StepMetadata,
    StepProgress,
    StepResult,
    StepStarted,
    TextDelta,
    ToolCall,
    ToolCallCompletedDelta,
    ToolCallDelta,
    ToolCallIssuedDelta,
    ToolExecutionStepResult,
    ToolResponse,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
)
from antiphon.agent.logger import AgentEventLogger
from antiphon.agent.turns.turn import Turn

__all__ = [
    "Agent",
    "AgentError",
    "AgentEvent",
    "AgentEventLogger",
    "ApprovalRequest",
    "AsyncAgent",
    "InferenceStepResult",
    "StepCompleted",
    "StepMetadata",
    "StepProgress",
    "StepResult",
    "StepStarted",
    "TextDelta",
    "ToolCall",
    "ToolCallCompletedDelta",
    "ToolCallDelta",
    "ToolCallIssuedDelta",
    "ToolExecutionStepResult",
    "ToolResponse",
    "Turn",
    "TurnCompleted",
    "TurnError",
    "TurnFailed",
    "TurnStarted",
    "WrongAgent",
]
