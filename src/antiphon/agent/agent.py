"""Agent over a client that blocks."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, field

from antiphon.agent.client import Client, is_async
from antiphon.agent.connection import ConnectionLost, events_of
from antiphon.agent.errors import WrongAgent
from antiphon.agent.events import AgentEvent, ApprovalRequest, ToolResponse
from antiphon.agent.fields import text_field
from antiphon.agent.plan import AgentSettings, T
from antiphon.agent.turns.sessions import Unanswered
from antiphon.agent.turns.turn import Input, Turn, TurnRun, no_approval


@dataclass(frozen=True, eq=False)
class Agent(AgentSettings[T]):
    """Agent for any Responses server.

        agent = Agent(OpenAI(), model="gpt-5", tools=[get_weather])
        print(agent.run("Is it cold in Oslo?"))

    Functions run in threads of their own, those of one response at the same time. The agent can run several
    turns at the same time, but only one of each session.
    """

    client: Client
    """Client such as `openai.OpenAI`."""
    _: KW_ONLY
    approve: Callable[[ApprovalRequest], bool] | None = None
    """Function that approves or denies calls of MCP tools that need an approval."""
    _unanswered: Unanswered = field(default_factory=Unanswered, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings."""
        if is_async(self.client):
            raise WrongAgent("The client is asynchronous. Use AsyncAgent.")
        super().__post_init__()

    def create_session(self, name: str) -> str:
        """Return the id of a new session, which is a conversation of the server."""
        return text_field(self.client.conversations.create(metadata={"name": name}), "id")

    def run(self, input: Input, *, session: str | None = None) -> Turn[T]:
        """Run a turn, and return its result.

        Raises:
            TurnError: The turn failed.
        """
        turn = TurnRun(self, input, session)
        for _event in self._events(turn):
            pass
        return turn.result()

    def stream(self, input: Input, *, session: str | None = None) -> Generator[AgentEvent, None, None]:
        """Run a turn, and yield its events; the last one is `TurnCompleted` or `TurnFailed`.

        Closing the iterator cancels the turn.
        """
        return self._events(TurnRun(self, input, session))

    def _events(self, turn: TurnRun[T]) -> Generator[AgentEvent, None, None]:
        try:
            yield turn.start(self._unanswered.take(turn.session_id))
            while (request := turn.next_request()) is not None:
                try:
                    with closing(events_of(self.client.responses, request)) as events:
                        for event in events:
                            yield from turn.feed(event)
                except ConnectionLost as lost:
                    yield from turn.fail(lost.failure)
                if turn.calls:
                    step = turn.start_tools()
                    yield step
                    yield turn.complete_tools(step, self._execute(turn))
                for approval in turn.approval_requests:
                    if self.approve is None:
                        yield from turn.fail(no_approval(approval))
                        break
                    turn.answer(approval, self.approve(approval))
            yield turn.end()
        finally:
            self._unanswered.keep(turn.session_id, turn.unanswered())

    def _execute(self, turn: TurnRun[T]) -> list[ToolResponse]:
        # Here, because asyncio takes longer to import than this package.
        import asyncio

        from antiphon.agent.functions.execution import execute
        from antiphon.agent.functions.threads import in_thread

        # In a thread, because this one can have an event loop of its own.
        execution = execute(turn.calls, self.functions, self.tool_timeout)
        return in_thread(lambda: asyncio.run(execution)).result().get()
