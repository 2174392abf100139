"""What the engine needs of the world. Backends, players, recorders and tests provide it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Struct

from antiphon.engine.request_context import RequestContext
from antiphon.settings.schema import Capabilities
from antiphon.wire.chat import ChatRequest, ChatTool
from antiphon.wire.events import Event
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.models import ModelList, Provider


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

        Where `request` asks for no stream it is one text, a whole chat completion. `data: [DONE]`, comments
        and framing are left out. The model's own `model` name is already in `request`.
        """
        ...

    async def complete(self, request: ChatRequest) -> bytes:
        """Returns the JSON text of a whole chat completion (`stream` is absent or false)."""
        ...


CountTokens = Callable[[ChatRequest], Awaitable[int | None]]
"""Returns how many tokens a chat request is; None if the backend did not say."""

Endpoint = Literal["embeddings", "completions", "moderations"]
"""What a backend may have beside chat completions: the last part of the path, without its slash."""


class ResolvedModel(Struct, frozen=True):
    """A model id, resolved: where to send the call and under which name."""

    chat_model: ChatModel
    name: str
    """What goes into the `model` of the chat request."""
    id: str
    """The public id, as the list of models gives it."""
    text_model: ChatModel | None = None
    """What completes plain texts (`/v1/completions`) as they are made; None: only whole, by `ask`."""
    count_tokens: CountTokens | None = None
    """Counts as the backend does; None where it cannot, or must not be called."""


class ModelCatalogue(Protocol):
    """The models that this server can call."""

    async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Finds the model that a caller names; raises `NotFound` with the code `model_not_found`.

        The model is for the calls of one request, `call`.
        """
        ...

    async def ask(self, endpoint: Endpoint, request: JSONObject, context: RequestContext) -> JSONObject:
        """Returns the answer to another request than one for a chat; it has a `model`.

        It is recorded and replayed as well. Raises `NotFound` as `resolve` does, and `UpstreamError`.
        """
        ...

    def tool_calls(self, inner: "ToolCalls", context: RequestContext) -> "ToolCalls":
        """Returns what makes the tool calls of one request: `inner`, recorded, replayed or made to fail.

        In replay `inner` is never asked.
        """
        ...

    async def list_models(self) -> ModelList:
        """Returns every model's public id, sorted."""
        ...

    async def providers(self) -> list[Provider]:
        """Returns the backends, and whether they answer."""
        ...

    def notices(self) -> list[str]:
        """Returns what the operator should read at start-up, a line each."""
        ...

    async def close(self) -> None:
        """Closes the connections to backends."""
        ...


class ToolCalls(Protocol):
    """Tools that run here or on other servers: the seam at which their calls are recorded and replayed."""

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Runs the tool `name` of a provider (an MCP server's label, or our own name of a service).

        Returns what it gives as JSON; raises `UpstreamError` when it fails.
        """
        ...


class HostedCall(Protocol):
    """One call of a hosted tool: it becomes one output item, and the engine leads it through its life.

    The engine takes the events of `opening`, awaits `run`, takes the events of `closing`. Calls of one reply
    run at the same time; their items open and close one after another.
    """

    @property
    def item(self) -> Item:
        """The item as it stands, with all that was found.

        What the model is told is read from it (`engine/hosted.py`), in this response and in later ones: a
        search that failed has the error in its `results` (`hosted.error_results`). What the request does not
        `include` is hidden from the caller by the engine, in events too.
        """
        ...

    @property
    def ends_turn(self) -> bool:
        """Whether the response ends with this item, because the caller has to answer it (an approval)."""
        ...

    def opening(self, output_index: int) -> list[Event]:
        """Returns the item's first events: `output_item.added`, and that it is in progress."""
        ...

    async def run(self) -> None:
        """Does the work, within the tool's own limits of time and size.

        What goes wrong with the tool stands in the item, and the model is told. Raises `AntiphonError` only
        for what ends the response; `closing` is asked for all the same.
        """
        ...

    def closing(self, output_index: int) -> list[Event]:
        """Returns the item's last events: how it ended, and `output_item.done`."""
        ...

    def skip(self, output_index: int) -> list[Event]:
        """Returns all events of a call that is not run, because `max_tool_calls` is reached.

        The item's status remains an unfinished one (recorded: `searching`); by it the engine knows that the
        model must be told so.
        """
        ...


class HostedTool(Protocol):
    """A tool that the server runs itself, as one request declares it."""

    @property
    def position(self) -> int:
        """The tool's place in the request's `tools`."""
        ...

    def setup(self, items: list[Item]) -> HostedCall | None:
        """Returns what is to be done before the model is called, as an item that comes before all others.

        `items` is the context. None where there is nothing to do. Raises `InvalidRequest` for what is wrong
        with the request; nothing has been sent by then.
        """
        ...

    def functions(self) -> list[ChatTool]:
        """Returns what the model is offered; asked for when the set-up is done.

        A name that another function has already, or that no backend takes, goes out as another one; `call`
        gets the name that is given here.
        """
        ...

    def approved(self, items: list[Item]) -> list[HostedCall]:
        """Returns the calls that the caller has approved in `items` and that have not been made.

        Raises `InvalidRequest` like `setup`.
        """
        ...

    def call(self, name: str, arguments: str) -> HostedCall:
        """Begins a call that the model made: the name of one of the functions, and JSON as it wrote it."""
        ...

    async def close(self) -> None:
        """Closes the tool's connections."""
        ...


@dataclass(frozen=True)
class HostedTools:
    """The hosted tools of one request, and how often the model may be called on their account."""

    tools: Sequence[HostedTool] = ()
    max_rounds: int = 10
    """Model calls of one response; a reply that still calls tools then leaves it incomplete."""

    async def close(self) -> None:
        """Closes all tools."""
        for tool in self.tools:
            await tool.close()


NO_TOOLS = HostedTools()
"""For requests that declare none."""
