"""Text completions and moderations, proxied to the backend of their model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import msgspec

from antiphon.decode.proxied import require
from antiphon.engine.ports import ChatModel, Endpoint, ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.passthrough.chunks import ProxiedStream
from antiphon.service.responses.tokens import estimate_text_tokens
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

MODERATION_MODEL = "omni-moderation-latest"
"""Default model of moderations, as at api.openai.com."""

_SHOWN = ("flagged", "categories", "category_scores", "category_applied_input_types")
"""The fields of a result in the response of `/v1/moderations`."""

_encode = msgspec.json.Encoder().encode


class Completions:
    """The use cases of `/v1/completions` and `/v1/moderations`, routed like responses."""

    def __init__(self, catalogue: ModelCatalogue, moderator: Moderator | None = None) -> None:
        self._catalogue = catalogue
        self._moderator = moderator or Moderator(catalogue)

    async def moderate(self, body: JSONObject, context: RequestContext) -> JSONObject:
        """Return the result of a check of the settings, or of the backend; `model` is optional."""
        body = {"model": MODERATION_MODEL, **body}
        _check(body, "input")
        check = self._moderator.checks.find(body["model"])
        if check is None:
            return await self._ask("moderations", body, context)
        results = await self._moderator.results(check, body["input"], context)
        shown = [{key: each[key] for key in _SHOWN} for each in map(msgspec.to_builtins, results)]
        return {"id": context.ids("modr"), "model": check.name, "results": shown}

    async def complete(self, body: JSONObject, context: RequestContext) -> bytes:
        """Return the JSON text of a non-streaming completion."""
        _check(body, "prompt")
        return _encode(await self._ask("completions", body, context))

    async def stream(self, body: JSONObject, context: RequestContext) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of a streamed completion in batches.

        Where calls are recorded or replayed, the completion is one chunk.

        Raises:
            UpstreamError: The stream fails, contains an error, or ends before it is finished.
        """
        _check(body, "prompt")
        model = await self._catalogue.resolve(body["model"], context)
        if model.text_model is None:
            whole = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
            yield [_encode(await self._ask("completions", whole, context))]
            return
        request = {**body, "model": model.name}
        async with aclosing(self._streamed(model.text_model, request, model.id, context)) as batches:
            async for chunks in batches:
                yield chunks

    async def _streamed(
        self, model: ChatModel, body: JSONObject, model_id: str, context: RequestContext
    ) -> AsyncGenerator[list[bytes], None]:
        stream = ProxiedStream(model_id, model.stream(cast(ChatRequest, body)))
        try:
            async with aclosing(stream.chunks()) as batches:
                async for chunks in batches:
                    yield chunks
        finally:
            _spend(context, stream.usage, body, stream.count)

    async def _ask(self, endpoint: Endpoint, body: JSONObject, context: RequestContext) -> JSONObject:
        answer = await self._catalogue.ask(endpoint, body, context)
        _spend(context, answer.get("usage"), body, 0)
        return answer


def _check(body: JSONObject, content: str) -> None:
    """Check that `model` and the field `content` exist and have the right type.

    Raises:
        InvalidRequest: One of them is missing or has the wrong type.
    """
    require(body, "model", str, "a string")
    require(body, content, str | list, "a string or an array")


def _spend(context: RequestContext, usage: JSON, body: JSONObject, at_least: int) -> None:
    """Count the tokens that the backend reported, or an estimate."""
    if context.spend is not None:
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        guessed = at_least + estimate_text_tokens(_encode(body).decode())
        context.spend(total if isinstance(total, int) else guessed)
