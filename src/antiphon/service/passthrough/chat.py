"""Chat completions, proxied to the backend of their model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import cast

import msgspec

from antiphon.decode.proxied import require
from antiphon.engine.ports import ModelCatalogue, ResolvedModel
from antiphon.engine.reply.usage import spent
from antiphon.engine.reply.whole import unfold_reply
from antiphon.engine.request_context import RequestContext
from antiphon.net.urls import urls_in
from antiphon.service.passthrough.chunks import ProxiedStream, decode_chunk
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.json import JSON, JSONObject


class ChatCompletions:
    """The use cases of `/v1/chat/completions`, routed like responses."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def complete(self, body: JSONObject, context: RequestContext) -> bytes:
        """Return the JSON text of a non-streaming completion."""
        model, request = await self._routed(body, context)
        answer = await model.chat_model.complete(request)
        if context.spend is not None:
            context.spend(spent(_usage(decode_chunk(answer).usage), request, 1, answer))
        return answer

    async def stream(self, body: JSONObject, context: RequestContext) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of a streamed completion in batches.

        A non-streaming response of the backend is split into chunks.

        Raises:
            UpstreamError: The stream fails, contains an error, or ends before it is finished.
        """
        model, request = await self._routed(body, context)
        options = body.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        stream = ProxiedStream(model.id, model.chat_model.stream(request))
        try:
            async with aclosing(stream.chunks(partial(unfold_reply, include_usage=include_usage))) as batches:
                async for chunks in batches:
                    yield chunks
        finally:
            if context.spend is not None:
                context.spend(spent(_usage(stream.usage), request, stream.count))

    async def _routed(self, body: JSONObject, context: RequestContext) -> tuple[ResolvedModel, ChatRequest]:
        require(body, "model", str, "a string")
        require(body, "messages", list, "an array")
        model = await self._catalogue.resolve(body["model"], context)
        if model.judge_url is not None:
            for url, path in urls_in(body):
                await model.judge_url(url, path)
        # The backend checks everything else in the body, of which a typed request is a subset.
        return model, cast(ChatRequest, {**body, "model": model.name})


def _usage(usage: JSON) -> ChatUsage | None:
    if usage is None:
        return None
    try:
        return msgspec.convert(usage, ChatUsage)
    except msgspec.ValidationError:
        return None
