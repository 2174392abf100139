"""Chat completions, proxied to the backend of their model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import cast

import msgspec

from antiphon.decode.proxied import require
from antiphon.engine.ports import ModelCatalogue, ResolvedModel
from antiphon.engine.reply.whole import fold_chunks, unfold_reply
from antiphon.engine.request_context import RequestContext
from antiphon.engine.response import spent
from antiphon.errors import InvalidRequest, UpstreamBroken
from antiphon.net.urls import urls_in
from antiphon.service.moderation.moderator import Moderator
from antiphon.service.moderation.plan import parts_of_messages, rules_of
from antiphon.service.passthrough.chunks import ProxiedStream, decode_chunk
from antiphon.service.passthrough.stored import NewCompletion, StoredCompletions, wants_storage
from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.moderation import Moderation, ModerationError, ModerationParam, ModerationResult

_decode_object = msgspec.json.Decoder(JSONObject).decode


class ChatCompletions:
    """The use cases of `/v1/chat/completions`, routed like responses."""

    def __init__(
        self, catalogue: ModelCatalogue, stored: StoredCompletions, moderator: Moderator | None = None
    ) -> None:
        self._catalogue = catalogue
        self._moderator = moderator or Moderator(catalogue)
        self.stored = stored
        """The completions that clients have stored."""

    async def complete(self, body: JSONObject, context: RequestContext) -> bytes:
        """Return the JSON text of a non-streaming completion."""
        new = NewCompletion(body := dict(body), context) if wants_storage(body) else None
        model, request = await self._routed(body, context)
        answer = await model.chat_model.complete(request)
        if context.spend is not None:
            context.spend(spent(_usage(decode_chunk(answer).usage), request, 1, answer))
        if model.moderation is not None:
            answer = _with_moderation(answer, model.moderation())
        if new is not None:
            answer = new.renamed(answer)
            await self.stored.add(context.owner, new, answer, model.id)
        return answer

    async def stream(self, body: JSONObject, context: RequestContext) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of a streamed completion in batches.

        A non-streaming response of the backend is split into chunks.

        Raises:
            UpstreamError: The stream fails, contains an error, or ends before it is finished.
        """
        new = NewCompletion(body := dict(body), context) if wants_storage(body) else None
        model, request = await self._routed(body, context)
        options = body.get("stream_options")
        include_usage = isinstance(options, dict) and options.get("include_usage") is True
        stream = ProxiedStream(model.id, model.chat_model.stream(request))
        sent: list[bytes] = []
        try:
            async with aclosing(stream.chunks(partial(unfold_reply, include_usage=include_usage))) as batches:
                async for chunks in batches:
                    if new is not None:
                        chunks = list(map(new.renamed, chunks))
                        sent += chunks
                    yield chunks
            if model.moderation is not None:
                yield [_moderation_chunk(context, model)]
            if new is not None:
                await self._store(new, sent, model, context)
        finally:
            if context.spend is not None:
                context.spend(spent(_usage(stream.usage), request, stream.count))

    async def _store(
        self, new: NewCompletion, sent: list[bytes], model: ResolvedModel, context: RequestContext
    ) -> None:
        """Store a completion that was streamed."""
        try:
            answer = fold_chunks(sent)
        except UpstreamBroken:
            return  # The client received what the backend sent; it isn't a completion.
        if model.moderation is not None:
            answer = _with_moderation(answer, model.moderation())
        await self.stored.add(context.owner, new, answer, model.id)

    async def _routed(self, body: JSONObject, context: RequestContext) -> tuple[ResolvedModel, ChatRequest]:
        require(body, "model", str, "a string")
        require(body, "messages", list, "an array")
        model = await self._catalogue.resolve(body["model"], context)
        if model.judge_url is not None:
            for url, path in urls_in(body):
                await model.judge_url(url, path)
        asked = {**body, "model": model.name}
        if (moderation := _moderation_of(asked)) is not None:
            rules = await rules_of(self._moderator.checks, moderation, (), context)
            model = self._moderator.with_rules(model, rules, parts_of_messages(body["messages"]), context)
        # The backend checks everything else in the body, of which a typed request is a subset.
        return model, cast(ChatRequest, asked)


def _moderation_of(body: JSONObject) -> ModerationParam | None:
    """Take the parameter `moderation`, which this server carries out, from a body.

    Raises:
        InvalidRequest: The parameter is invalid.
    """
    given = body.pop("moderation", None)
    if given is None:
        return None
    try:
        return msgspec.convert(given, ModerationParam)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"Invalid 'moderation': {error}.", code="invalid_value", param="moderation"
        ) from error


def _with_moderation(answer: bytes, moderation: Moderation) -> bytes:
    """Return a chat completion with the verdicts on its request."""
    try:
        completion = _decode_object(answer)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return answer
    return msgspec.json.encode({**completion, "moderation": _shown(moderation)})


def _moderation_chunk(context: RequestContext, model: ResolvedModel) -> bytes:
    """Return the last chunk of a stream, with the verdicts on its request."""
    assert model.moderation is not None
    return msgspec.json.encode(
        {
            "id": context.ids("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": int(context.clock()),
            "model": model.name,
            "choices": [],
            "moderation": _shown(model.moderation()),
        }
    )


def _shown(moderation: Moderation) -> JSONObject:
    """Return verdicts in the form of chat completions, which has a list of results."""
    return {"input": _results(moderation.input), "output": _results(moderation.output)}


def _results(verdict: ModerationResult | ModerationError) -> JSONObject:
    if isinstance(verdict, ModerationError):
        error: JSONObject = msgspec.to_builtins(verdict)
        return error
    return {"type": "moderation_results", "model": verdict.model, "results": [msgspec.to_builtins(verdict)]}


def _usage(usage: JSON) -> ChatUsage | None:
    if usage is None:
        return None
    try:
        return msgspec.convert(usage, ChatUsage)
    except msgspec.ValidationError:
        return None
