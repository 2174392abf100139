"""Interface of the modes: the handling of model and tool calls of one request."""

from dataclasses import dataclass
from typing import Protocol

from antiphon.engine.ports import ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext


@dataclass(frozen=True)
class EndpointModel:
    """The model of a request to another endpoint than chat completions."""

    names: tuple[str, ...]
    """Names by which fault rules can refer to the model."""
    resolved: ResolvedModel | None
    """The backend's model; None if only recordings can answer."""

    @classmethod
    def of_backend(cls, model: ResolvedModel) -> "EndpointModel":
        """Return the model of a backend."""
        return cls((model.name, model.id), model)

    @classmethod
    def of_recordings(cls, model_id: str) -> "EndpointModel":
        """Return a model that no backend has, by the id that the request names."""
        return cls((model_id, model_id.partition("/")[2]), None)


NO_MODEL = EndpointModel((), None)
"""For the calls of tools, which have no model."""


class CallMode(Protocol):
    """One handling of model and tool calls, for all requests in this mode.

    Modes are made of each other: `RecordMode` records calls of `LiveMode`, and `RecordMissingMode` chooses
    between `ReplayMode` and `RecordMode`. Faults are injected by `LiveMode` and `ReplayMode` alone, where
    each call starts. A new mode is a module, and an entry of the table in `catalogue.py`.
    """

    async def model(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the model that answers the chat requests of one request.

        Raises:
            NotFound: There is no such model.
            InvalidRequest: A fault rule of the request is wrong.
        """
        ...

    async def endpoint_model(self, model_id: str, context: RequestContext) -> EndpointModel:
        """Return the model that answers a request to another endpoint.

        Raises:
            NotFound: There is no such model.
        """
        ...

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the embedding model for a request that names none, if there is exactly one."""
        ...

    def tools(self, inner: ToolCalls, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return the tool calls of one request; `inner` makes real calls.

        Requests to other endpoints than chat completions are tool calls with a `model`.

        Raises:
            InvalidRequest: A fault rule of the request is wrong.
        """
        ...
