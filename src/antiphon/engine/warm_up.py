"""Responses that only take their context in, for others to continue: `generate: false` over a WebSocket.

Codex CLI opens every connection with one, and continues it with what the user says. api.openai.com answers
with no output and counts none; no model is called here, so nothing is counted at all.
"""

from collections.abc import AsyncGenerator

from antiphon.engine.loop import Loop
from antiphon.engine.reply.usage import usage_of
from antiphon.wire.chat import ChatUsage
from antiphon.wire.events import Event
from antiphon.wire.responses import CreateResponse, ResponseCreateEvent


def is_warm_up(request: CreateResponse) -> bool:
    """Whether a request asks for no output."""
    return isinstance(request, ResponseCreateEvent) and request.generate is False


class WarmUp(Loop):
    """A loop that calls no model and no tool, and completes."""

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yields the first events, then the terminal one."""
        yield self._begun()
        self._usage = usage_of(ChatUsage())
        yield self._numbered(self._end())
