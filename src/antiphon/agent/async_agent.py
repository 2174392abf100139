"""Agent over an asynchronous client."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import KW_ONLY, dataclass, field

from antiphon.agent.client import Client, is_async
from antiphon.agent.connection import ConnectionLost, async_events_of
from antiphon.agent.errors import WrongAgent
from antiphon.agent.events import AgentEvent, ApprovalRequest
from antiphon.agent.fields import text_field
from antiphon.agent.plan import AgentSettings, T
from antiphon.agent.turns.sessions import Unanswered
from antiphon.agent.turns.turn import Input, Turn, TurnRun, no_approval


@dataclass(frozen=True, eq=False)
class AsyncAgent(AgentSettings[T]):
    """Agent for any Responses server, over an asynchronous client.

        agent = AsyncAgent(AsyncOpenAI(), model="gpt-5", tools=[get_weather])
        print(await agent.run("Is it cold in Oslo?"))

    Coroutine functions run in the event loop, other functions in threads of their own, those of one response
    at the same time. The agent can run several turns at the same time, but only one of each session.
    """

    client: Client
    """Client such as `openai.AsyncOpenAI`."""
    _: KW_ONLY
    approve: Callable[[ApprovalRequest], bool | Awaitable[bool]] | None = None
    """Function that approves or denies calls of MCP tools that need an approval."""
    _unanswered: Unanswered = field(default_factory=Unanswered, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        if not is_async(self.client):
            raise WrongAgent("The client is not asynchronous. Use Agent.")
        super().__post_init__()

    async def create_session(self, name: str) -> str:
        """Return the id of a new session, which is a conversation of the server."""
        return text_field(await self.client.conversations.create(metadata={"name": name}), "id")

    async def run(self, input: Input, *, session: str | None = None) -> Turn[T]:
        """Run a turn, and return its result.

        Raises:
            TurnError: The turn failed.
        """
        turn = TurnRun(self, input, session)
        async for _event in self._events(turn):
            pass
        return turn.result()

    def stream(self, input: Input, *, session: str | None = None) -> AsyncGenerator[AgentEvent, None]:
        """Run a turn, and yield its events; the last one is `TurnCompleted` or `TurnFailed`.

        Closing the generator (see `contextlib.aclosing`), or cancelling its task, cancels the turn.
        """
        return self._events(TurnRun(self, input, session))

    async def _events(self, turn: TurnRun[T]) -> AsyncGenerator[AgentEvent, None]:
        # Here, because asyncio takes longer to import than this package.
        from antiphon.agent.functions.execution import execute

        try:
            yield turn.start(self._unanswered.take(turn.session_id))
            while (request := turn.next_request()) is not None:
                try:
                    async with aclosing(async_events_of(self.client.responses, request)) as events:
                        async for event in events:
                            for each in turn.feed(event):
                                yield each
                except ConnectionLost as lost:
                    for each in turn.fail(lost.failure):
                        yield each
                if turn.calls:
                    step = turn.start_tools()
                    yield step
                    responses = await execute(turn.calls, self.functions, self.tool_timeout)
                    yield turn.complete_tools(step, responses)
                for approval in turn.approval_requests:
                    if self.approve is None:
                        for each in turn.fail(no_approval(approval)):
                            yield each
                        break
                    approved = self.approve(approval)
                    turn.answer(approval, await approved if inspect.isawaitable(approved) else approved)
            yield turn.end()
        finally:
            self._unanswered.keep(turn.session_id, turn.unanswered())
