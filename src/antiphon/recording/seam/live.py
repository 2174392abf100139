"""The mode `live`: backends and tools answer, and nothing is recorded."""

from antiphon.engine.ports import ModelCatalogue, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.modes import EndpointModel


class LiveMode:
    """A `CallMode` that calls backends and tools."""

    def __init__(self, backends: ModelCatalogue, faults: Faults) -> None:
        self._backends = backends
        self._faults = faults

    async def model(self, model_id: str, context: RequestContext) -> ResolvedModel:
        """Return the backend's model."""
        return self._faults.wrap_model(await self._backends.resolve(model_id, context), context)

    async def endpoint_model(self, model_id: str, context: RequestContext) -> EndpointModel:
        """Return the backend's model."""
        return EndpointModel.of_backend(await self._backends.resolve(model_id, context))

    async def embedding_model(self, context: RequestContext) -> str | None:
        """Return the only embedding model of the backends."""
        return await self._backends.embedding_model(context)

    def tools(self, inner: ToolCalls, context: RequestContext, model: EndpointModel) -> ToolCalls:
        """Return the real calls."""
        return self._faults.wrap_tools(inner, context, model.names)
