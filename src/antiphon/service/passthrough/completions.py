"""Text completions and moderations, proxied to the backend that has the model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import msgspec
from msgspec import Struct

from antiphon.decode.explain import kind_of
from antiphon.engine.ports import ChatModel, Endpoint, ModelCatalogue
from antiphon.engine.reply.errors import error_inside
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, UpstreamBroken
from antiphon.service.responses.tokens import estimate_text_tokens
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

MODERATION_MODEL = "omni-moderation-latest"
"""OpenAI's default model: https://platform.openai.com/docs/api-reference/moderations/create."""


class _SeenChoice(Struct):
    finish_reason: str | None = None


class _Seen(Struct):
    """The fields of a chunk that show its usage and whether the stream is complete."""

    choices: list[_SeenChoice] | None = None
    error: JSON = None
    usage: JSON = None


_decode = msgspec.json.Decoder(_Seen).decode
_encode = msgspec.json.Encoder().encode


class Completions:
    """The use cases of `/v1/completions` and `/v1/moderations`.

    Routing and errors are those of chat completions. Every method raises `InvalidRequest` for a missing or
    mistyped field, `NotFound` if no backend has the model, and `UpstreamError` if the backend fails.
    """

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def moderate(self, body: JSONObject, context: RequestContext) -> JSONObject:
        """Return the backend's response to a moderation request; `model` is optional."""
        body = {"model": MODERATION_MODEL, **body}
        _check(body, "input")
        return await self._ask("moderations", body, context)

    async def complete(self, body: JSONObject, context: RequestContext) -> JSONObject:
        """Return a non-streaming completion."""
        _check(body, "prompt")
        return await self._ask("completions", body, context)

    async def stream(self, body: JSONObject, context: RequestContext) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of a streamed completion in batches.

        Where calls are recorded or replayed, the completion is one chunk.

        Raises:
            UpstreamError: The backend failed, or its stream contains an error or is incomplete.
        """
        _check(body, "prompt")
        model = await self._catalogue.resolve(body["model"], context)
        if model.text_model is None:
            whole = {name: value for name, value in body.items() if name not in ("stream", "stream_options")}
            yield [_encode(await self._ask("completions", whole, context))]
            return
        async with aclosing(
            self._streamed(model.text_model, {**body, "model": model.name}, model.id, context)
        ) as batches:
            async for chunks in batches:
                yield chunks

    async def _streamed(
        self, model: ChatModel, body: JSONObject, model_id: str, context: RequestContext
    ) -> AsyncGenerator[list[bytes], None]:
        spent, finished = 0, False
        usage: JSON = None
        try:
            async with aclosing(model.stream(cast(ChatRequest, body))) as batches:
                async for chunks in batches:
                    for position, chunk in enumerate(chunks):
                        seen = _seen(chunk)
                        usage = seen.usage or usage
                        if seen.error:
                            if chunks[:position]:
                                yield chunks[:position]
                            raise error_inside(model_id, seen.error)
                        finished = finished or any(each.finish_reason for each in seen.choices or ())
                    spent += len(chunks)
                    yield chunks
        finally:
            _spend(context, usage, body, spent)
        if not finished:
            raise UpstreamBroken(f"{model_id}: the reply ended without a finish_reason")

    async def _ask(self, endpoint: Endpoint, body: JSONObject, context: RequestContext) -> JSONObject:
        answer = await self._catalogue.ask(endpoint, body, context)
        _spend(context, answer.get("usage"), body, 0)
        return answer


def _check(body: JSONObject, content: str) -> None:
    """Check that `model` and the field `content` exist and have the right type.

    Raises:
        InvalidRequest: One of them is missing or has the wrong type.
    """
    for param, kinds, noun in (("model", str, "a string"), (content, str | list, "a string or an array")):
        value = body.get(param)
        if value is None:
            raise InvalidRequest(
                f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
            )
        if not isinstance(value, kinds):
            raise InvalidRequest(
                f"Invalid type for '{param}': expected {noun}, but got {kind_of(value)} instead.",
                code="invalid_type",
                param=param,
            )


def _seen(chunk: bytes) -> _Seen:
    """Return the fields of a chunk; an invalid one has none and is sent unchanged."""
    try:
        return _decode(chunk)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _Seen()


def _spend(context: RequestContext, usage: JSON, body: JSONObject, at_least: int) -> None:
    """Count the reported tokens, or an estimate without a report."""
    if context.spend is not None:
        total = usage.get("total_tokens") if isinstance(usage, dict) else None
        guessed = at_least + estimate_text_tokens(_encode(body).decode())
        context.spend(total if isinstance(total, int) else guessed)
