"""What the engine needs of the world. Backends, players, recorders and tests provide it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from antiphon.config import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.models import ModelList


class ChatModel(Protocol):
    """One chat model: the seam at which model calls are made, recorded, replayed or made to fail.

    Both methods raise `UpstreamError` (or `RecordingNotFound` in replay). Closing the generator, or
    cancelling the task that reads it, closes the connection to the backend.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the backend behind the model understands."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yields what each network read brought: the JSON texts of whole chunks, in order.

        `data: [DONE]`, comments and framing are left out. The model's own `model` name is already in
        `request`.
        """
        ...

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the JSON text of a whole chat completion (`stream` is absent or false)."""
        ...


@dataclass(frozen=True)
class ResolvedModel:
    """A model id, resolved: where to send the call and under which name."""

    chat_model: ChatModel
    name: str
    """What goes into the `model` of the chat request."""
    id: str
    """The public id, as the list of models gives it."""


class ModelCatalogue(Protocol):
    """The models that this server can call."""

    async def resolve(self, model_id: str) -> ResolvedModel:
        """Finds the model that a caller names; raises `NotFound` with the code `model_not_found`."""
        ...

    async def list_models(self) -> ModelList:
        """Returns every model's public id, sorted."""
        ...

    def notices(self) -> list[str]:
        """Returns what the operator should read at start-up, a line each."""
        ...

    async def close(self) -> None:
        """Closes the connections to backends."""
        ...


class Clock(Protocol):
    """Tells the time in seconds since 1970."""

    def __call__(self) -> float: ...


class Ids(Protocol):
    """Makes a fresh id that begins with `prefix` and an underscore."""

    def __call__(self, prefix: str, /) -> str: ...
