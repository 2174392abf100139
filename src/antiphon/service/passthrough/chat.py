"""Chat completions, proxied to the backend that has the model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import msgspec
from msgspec import Struct

from antiphon.decode.explain import kind_of
from antiphon.engine.ports import ModelCatalogue, ResolvedModel
from antiphon.engine.reply.errors import error_inside
from antiphon.engine.reply.usage import spent
from antiphon.engine.reply.whole import unfold_reply
from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, UpstreamBroken
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.json import JSON, JSONObject


class _SeenChoice(Struct):
    finish_reason: str | None = None
    message: JSONObject | None = None


class _Seen(Struct):
    """The fields of a chunk that show its usage and whether the stream is complete."""

    choices: list[_SeenChoice] | None = None
    error: JSON = None
    usage: JSON = None


_decode = msgspec.json.Decoder(_Seen).decode


class ChatCompletions:
    """The use cases of `/v1/chat/completions`, routed like responses."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def complete(self, body: JSONObject, context: RequestContext) -> bytes:
        """Return the JSON text of a non-streaming completion.

        Raises:
            InvalidRequest: `model` or `messages` is missing or has the wrong type.
            NotFound: No backend has the model.
            UpstreamError: The backend failed.
        """
        model, request = await self._routed(body, context)
        answer = await model.chat_model.complete(request)
        if context.spend is not None:
            context.spend(spent(_usage(_seen(answer)), request, 1, answer))
        return answer

    async def stream(self, body: JSONObject, context: RequestContext) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of a streamed completion in batches.

        A non-streaming response of the backend is split into chunks.

        Raises:
            InvalidRequest: `model` or `messages` is missing or has the wrong type.
            NotFound: No backend has the model.
            UpstreamError: The backend failed, or its stream contains an error or is incomplete.
        """
        model, request = await self._routed(body, context)
        finished, count, usage = False, 0, None
        try:
            async with aclosing(model.chat_model.stream(request)) as batches:
                async for chunks in batches:
                    count += len(chunks)
                    for position, chunk in enumerate(chunks):
                        seen = _seen(chunk)
                        usage = _usage(seen) or usage
                        if seen.error:
                            if chunks[:position]:
                                yield chunks[:position]
                            raise error_inside(model.id, seen.error)
                        finished = finished or any(choice.finish_reason for choice in seen.choices or ())
                        if any(choice.message is not None for choice in seen.choices or ()):
                            options = body.get("stream_options")
                            wants_usage = isinstance(options, dict) and options.get("include_usage") is True
                            chunks = unfold_reply(chunk, include_usage=wants_usage)
                    yield chunks
        finally:
            if context.spend is not None:
                context.spend(spent(usage, request, count))
        if not finished:
            raise UpstreamBroken(f"{model.id}: the reply ended without a finish_reason")

    async def _routed(self, body: JSONObject, context: RequestContext) -> tuple[ResolvedModel, ChatRequest]:
        for param, kind, noun in (("model", str, "a string"), ("messages", list, "an array")):
            value = body.get(param)
            if value is None:
                raise InvalidRequest(
                    f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
                )
            if not isinstance(value, kind):
                raise InvalidRequest(
                    f"Invalid type for '{param}': expected {noun}, but got {kind_of(value)} instead.",
                    code="invalid_type",
                    param=param,
                )
        model = await self._catalogue.resolve(body["model"], context)
        # The backend validates the other fields; they may be more than those of `ChatRequest`.
        return model, cast(ChatRequest, {**body, "model": model.name})


def _seen(chunk: bytes) -> _Seen:
    """Return the fields of a chunk; an invalid one has none and is sent unchanged."""
    try:
        return _decode(chunk)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _Seen()


def _usage(seen: _Seen) -> ChatUsage | None:
    if seen.usage is None:
        return None
    try:
        return msgspec.convert(seen.usage, ChatUsage)
    except msgspec.ValidationError:
        return None
