"""Interfaces that the engine depends on.

Backends, players, recorders and tests implement them.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from antiphon.engine.request_context import RequestContext
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest, ChatTool
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.models import BackendHealth, ModelList, Provider
from antiphon.wire.moderation import Moderation


class ChatModel(Protocol):
    """One chat model: the seam for recording, replaying and failing model calls.

    Both methods raise `UpstreamError`, and `RecordingNotFound` in replay. Closing the generator, or
    cancelling the task that reads it, closes the connection to the backend.
    """

    @property
    def capabilities(self) -> Capabilities:
        """The features that the backend of the model supports."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the JSON texts of complete chunks, in one batch per network read.

        Without `stream: true` in `request`, the only text is a chat completion. `data: [DONE]`, comments and
        framing are omitted. `request` already has the backend's name for the model.
        """
        ...

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the JSON text of a chat completion; `stream` is absent or false."""
        ...


CountTokens = Callable[[ChatRequest], Awaitable[int | None]]
"""Returns the number of tokens in a chat request; None if the backend did not report it."""

JudgeUrl = Callable[[str, str], Awaitable[None]]
"""Judges a URL of a request, at a path, before the backend fetches it.

It raises `InvalidRequest` for a URL that the backend must not fetch.
"""

Endpoint = Literal["embeddings", "completions", "moderations"]
"""Endpoints of backends other than chat completions: the last segment of the path."""


class ResolvedModel(Struct, frozen=True):
    """A resolved model id: the model, and its names."""

    chat_model: ChatModel
    """Sends the model calls."""
    name: str
    """The backend's name for the model, which chat requests have as `model`."""
    id: str
    """The public id in the list of models."""
    text_model: ChatModel | None = None
    """Streams text completions (`/v1/completions`); None if only `ask` is available, without a stream."""
    count_tokens: CountTokens | None = None
    """Counts tokens with the backend; None if the backend can't count, or must not be called."""
    judge_url: JudgeUrl | None = None
    """Judges URLs that the backend would fetch; None if it may fetch any, or isn't called."""
    interrupted: Callable[[], list[Item]] | None = None
    """Returns what earlier attempts of the next call left: incomplete items that no prompt has.

    None if no call can have been interrupted.
    """
    moderation: Callable[[], Moderation] | None = None
    """Returns the verdicts on the request so far; None if nothing judges it."""


class ModelCatalogue(Protocol):
    """The models that this server can call."""

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model that a request names, for the calls of this request only.

        Raises:
            NotFound: No backend has the model (`model_not_found`).
        """
        ...

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Return the backend's response to a request that isn't a chat request.

        Like chat requests, these requests have a `model`, and are recorded and replayed.

        Raises:
            NotFound: No backend has the model (`model_not_found`).
            UpstreamError: The backend failed.
            RecordingNotFound: Replay has no recording of the request.
        """
        ...

    def tool_calls(self, inner: "ToolCalls", context: RequestContext) -> "ToolCalls":
        """Return the tool calls of one request: `inner` with recording, replay and faults.

        Replay calls `inner` only if the operator permits the calls of tools.
        """
        ...

    async def list_models(self) -> ModelList:
        """Return the public ids of all models, sorted."""
        ...

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the public id of the embedding model for a request that names none.

        None unless exactly one model computes embeddings. In replay, it is the model whose embeddings are
        recorded in the scope of the request.
        """
        ...

    async def providers(self) -> list[Provider]:
        """Return the backends with their health."""
        ...

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        """Return the recent health of the backends; new checks take at most `seconds`."""
        ...

    def calls_in_progress(self) -> int:
        """Return the number of calls of backends that are in progress."""
        ...

    def notices(self) -> list[str]:
        """Return the notices for the operator at start-up, one per line."""
        ...

    async def close(self) -> None:
        """Close the connections to backends."""
        ...


class WrappedCatalogue:
    """A `ModelCatalogue` that passes every call on; a wrapper of another one overrides what it changes."""

    def __init__(self, inner: ModelCatalogue) -> None:
        self._inner = inner

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model."""
        return await self._inner.resolve(model_id, context)

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Return the backend's response to a request that isn't a chat request."""
        return await self._inner.ask(endpoint, request, context)

    def tool_calls(self, inner: "ToolCalls", context: RequestContext) -> "ToolCalls":
        """Return the tool calls of one request."""
        return self._inner.tool_calls(inner, context)

    async def list_models(self) -> ModelList:
        """Return the public ids of all models."""
        return await self._inner.list_models()

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the public id of the embedding model for a request that names none."""
        return await self._inner.embedding_model(context)

    async def providers(self) -> list[Provider]:
        """Return the backends with their health."""
        return await self._inner.providers()

    async def backend_health(self, seconds: float) -> list[BackendHealth]:
        """Return the health of the backends."""
        return await self._inner.backend_health(seconds)

    def calls_in_progress(self) -> int:
        """Return the number of calls of backends that are in progress."""
        return self._inner.calls_in_progress()

    def notices(self) -> list[str]:
        """Return the notices for the operator at start-up."""
        return self._inner.notices()

    async def close(self) -> None:
        """Close the connections to backends."""
        await self._inner.close()


class ToolCalls(Protocol):
    """Local and remote tools: the seam for recording and replaying their calls."""

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Run a tool, and return its result.

        Args:
            provider: The label of an MCP server, or Antiphon's name for a service.
            name: The name of the tool.
            arguments: The arguments of the call.

        Raises:
            UpstreamError: The tool failed.
            RecordingNotFound: Replay has no recording of the call.
        """
        ...


@runtime_checkable
class Repeatable(Protocol):
    """Calls of `ToolCalls` that change nothing, so that an interrupted one can be made again."""

    is_repeatable: Literal[True]
    """Marks the calls."""


class HostedCall(Protocol):
    """One call of a hosted tool, which becomes one output item.

    The engine emits the events of `opening`, awaits `run`, and emits the events of `closing`. The calls of
    one reply run concurrently; their items open and close one after another.
    """

    @property
    def item(self) -> Item:
        """The item in its current state, with all results.

        `hosted.items` derives the model's view from it, in this response and in later ones. A failed search
        therefore has its error in `results` (`hosted.items.error_results`). The engine hides fields without
        an `include` from the client, also in events.
        """
        ...

    @property
    def ends_turn(self) -> bool:
        """Whether the response ends because the client must answer this approval item."""
        ...

    @property
    def following(self) -> Sequence[Item]:
        """The output items after `item`, whose events `closing` returns."""
        ...

    def opening(self, output_index: int) -> list[Event]:
        """Return the item's first events: `output_item.added` and `in_progress`."""
        ...

    async def run(self) -> None:
        """Run the call within the tool's limits of time and size.

        The item stores errors of the tool, and the model receives them.

        Raises:
            AntiphonError: The response must end; the engine still emits the events of `closing`.
        """
        ...

    def closing(self, output_index: int) -> list[Event]:
        """Return the item's last events: its outcome and `output_item.done`."""
        ...

    def skip(self, output_index: int) -> list[Event]:
        """Return all events of a call that `max_tool_calls` prevents from running.

        The item keeps an unfinished status, as at api.openai.com (`searching`). From this status the engine
        derives the message for the model.
        """
        ...


class StreamedCall(HostedCall, Protocol):
    """A `HostedCall` whose item begins while the model still writes the arguments.

    After `begin`, `opening` returns only the events that follow the arguments.
    """

    def begin(self, output_index: int) -> list[Event]:
        """Return the item's first events."""
        ...

    def feed(self, arguments: str, output_index: int) -> list[Event]:
        """Return the events for the next part of the arguments."""
        ...

    def end(self, output_index: int, *, is_cut: bool) -> list[Event]:
        """Return the events at the end of the arguments, which a limit may have cut off."""
        ...

    def abandon(self) -> Item:
        """Return the incomplete item of a call that never runs, because the response has ended."""
        ...


class HostedTool(Protocol):
    """A tool that the server runs itself, for one request that declares it."""

    @property
    def position(self) -> int:
        """The index of the tool in the request's `tools`."""
        ...

    def setup(self, items: list[Item]) -> HostedCall | None:
        """Return the call to make before the first model call; None if none is needed.

        Its item is the first of the output. Nothing has been sent before this method returns.

        Args:
            items: The context.

        Raises:
            InvalidRequest: The declaration of the tool is invalid.
        """
        ...

    async def prepare(self, items: list[Item]) -> None:
        """Look up what the tool needs, before `setup` and before anything is sent.

        Args:
            items: The context.

        Raises:
            InvalidRequest: The declaration of the tool is invalid.
            NotFound: It names something that does not exist.
        """
        ...

    def functions(self) -> list[ChatTool]:
        """Return the functions for the model, after the set-up.

        The engine renames functions whose names are taken or invalid for backends. `call` receives the names
        that this method returns.
        """
        ...

    def approved(self, items: list[Item]) -> list[HostedCall]:
        """Return the calls that the client approved in `items` and that have not run.

        Raises:
            InvalidRequest: The declaration of the tool is invalid.
        """
        ...

    def call(self, name: str, arguments: str) -> HostedCall:
        """Return a new call by the model.

        Args:
            name: The name of one of `functions`.
            arguments: The JSON text from the model, which may be invalid.
        """
        ...

    def begin(self, name: str) -> StreamedCall | None:
        """Return a new call whose arguments follow; None if the tool needs them whole."""
        ...

    async def close(self) -> None:
        """Close the connections of the tool."""
        ...


@dataclass(frozen=True)
class HostedTools:
    """The hosted tools of one request, and the limit of model calls."""

    tools: Sequence[HostedTool] = ()
    """The tools, in the order of the request."""
    max_rounds: int = 10
    """Maximum model calls of one response, which is incomplete if the last reply still calls tools."""

    async def prepare(self, items: list[Item]) -> None:
        """Prepare all tools; see `HostedTool.prepare`."""
        for tool in self.tools:
            await tool.prepare(items)

    async def close(self) -> None:
        """Close the connections of all tools."""
        for tool in self.tools:
            await tool.close()


NO_TOOLS = HostedTools()
"""The hosted tools of requests that declare none."""
