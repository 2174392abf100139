"""Agents of both kinds behind one interface, so that a test covers both."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict, Unpack

from openai import AsyncOpenAI, OpenAI

from antiphon.agent import Agent, AgentEvent, ApprovalRequest, AsyncAgent, Turn
from antiphon.agent.functions.tools import Tool
from antiphon.agent.turns.turn import Input
from antiphon.wire.json import JSONObject

Kind = Literal["sync", "async"]
KINDS: tuple[Kind, ...] = ("sync", "async")


class Settings(TypedDict, total=False):
    """Settings of an agent besides its model."""

    instructions: str
    tools: Sequence[Tool]
    approve: Callable[[ApprovalRequest], bool]
    request: JSONObject
    max_responses: int
    tool_timeout: float


@dataclass
class Runner:
    """Agent of one kind."""

    kind: Kind
    open_client: Callable[[], OpenAI]
    open_async_client: Callable[[], AsyncOpenAI]
    model: str = "m"
    settings: Settings = field(default_factory=Settings)

    def with_settings(self, **settings: Unpack[Settings]) -> "Runner":
        """Return a runner with further settings."""
        return Runner(
            self.kind, self.open_client, self.open_async_client, self.model, {**self.settings, **settings}
        )

    def stream(self, *inputs: Input, session: str | None = None) -> list[list[AgentEvent]]:
        """Return the events of one turn for each input, in a new session with this name if it has one."""
        if self.kind == "sync":
            with self.open_client() as client:
                agent = Agent(client, model=self.model, **self.settings)
                place = None if session is None else agent.create_session(session)
                return [list(agent.stream(each, session=place)) for each in inputs]
        return asyncio.run(self._stream(inputs, session))

    async def _stream(self, inputs: Sequence[Input], session: str | None) -> list[list[AgentEvent]]:
        async with self.open_async_client() as client:
            agent = AsyncAgent(client, model=self.model, **self.settings)
            place = None if session is None else await agent.create_session(session)
            return [[event async for event in agent.stream(each, session=place)] for each in inputs]

    def run(self, given: Input) -> Turn[None]:
        """Return the result of a turn."""
        if self.kind == "sync":
            with self.open_client() as client:
                return Agent(client, model=self.model, **self.settings).run(given)

        async def run() -> Turn[None]:
            async with self.open_async_client() as client:
                return await AsyncAgent(client, model=self.model, **self.settings).run(given)

        return asyncio.run(run())
