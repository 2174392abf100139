"""Chat completions, handed through to the backend that has the model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from antiphon.engine.ports import Call, ModelCatalogue, ResolvedModel
from antiphon.errors import InvalidRequest, UpstreamBroken
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSONObject


class ChatCompletions:
    """The use cases of `/v1/chat/completions`: same routing and same errors as for responses."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def complete(self, body: JSONObject, call: Call) -> bytes:
        """Returns the JSON text of a whole completion."""
        model, request = await self._routed(body, call)
        return await model.chat_model.complete(request)

    async def stream(self, body: JSONObject, call: Call) -> AsyncGenerator[list[bytes], None]:
        """Yields the chunks of a streamed completion in batches; `UpstreamBroken` if there are none."""
        model, request = await self._routed(body, call)
        empty = True
        async with aclosing(model.chat_model.stream(request)) as batches:
            async for chunks in batches:
                empty = False
                yield chunks
        if empty:
            raise UpstreamBroken(f"{model.id}: the stream was empty")

    async def _routed(self, body: JSONObject, call: Call) -> tuple[ResolvedModel, ChatRequest]:
        for param, kind, noun in (("model", str, "a string"), ("messages", list, "an array")):
            value = body.get(param)
            if value is None:
                raise InvalidRequest(
                    f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
                )
            if not isinstance(value, kind):
                raise InvalidRequest(
                    f"Invalid type for '{param}': expected {noun}.", code="invalid_type", param=param
                )
        model = await self._catalogue.resolve(body["model"], call)
        # What else the body holds is for the backend to judge: a typed request is a subset of it.
        return model, cast(ChatRequest, {**body, "model": model.name})
