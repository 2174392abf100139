"""One call to the model of a response: its chunks become events, its tokens are counted."""

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self

from antiphon.engine.ports import ResolvedModel
from antiphon.engine.reply.assemble import Assembler
from antiphon.engine.reply.usage import spent
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError
from antiphon.wire.chat import ChatRequest
from antiphon.wire.events import Event


class ModelCall:
    """A model call for `async with`: leaving the block closes the connection and counts the tokens."""

    def __init__(
        self, model: ResolvedModel, request: ChatRequest, reply: Assembler, context: RequestContext
    ) -> None:
        self.reply = reply
        self.has_begun = False
        """Whether the reply has given events."""
        self._model = model
        self._request = request
        self._context = context
        self._count = 0
        self._last = b""

    async def __aenter__(self) -> Self:
        self._context.observer.model_called(self._model.id)
        self.reads: AsyncGenerator[list[bytes], None] = self._model.chat_model.stream(self._request)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.reads.aclose()
        if self._context.spend is not None:
            self._context.spend(spent(self.reply.usage, self._request, self._count, self._last))

    def feed(self, chunks: list[bytes]) -> tuple[list[Event], AntiphonError | None]:
        """Return the events of the chunks of one read, and the failure of the reply once it is broken."""
        self._count += len(chunks)
        if chunks:
            self._last = chunks[-1]
        events = self.reply.feed(chunks)
        if events:
            self.has_begun = True
        return events, self.reply.failure

    def finish(self) -> tuple[list[Event], AntiphonError | None]:
        """Return the events that end the reply, and its failure if it is not whole."""
        return self.reply.finish(), self.reply.failure
