"""Tiny calls to a chat model, each of which shows one ability of its backend."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import msgspec

from antiphon.backends.chat_model import HttpChatModel
from antiphon.doctor.findings import Finding
from antiphon.errors import AntiphonError, UpstreamBroken, UpstreamRefused
from antiphon.settings.backends import BackendSettings
from antiphon.wire.chat import ChatRequest, Chunk
from antiphon.wire.json import JSON, JSONObject

_FEW, _SOME = 16, 512
"""Limits of output tokens. Reasoning models need some before they answer."""
_NAME = "get_weather"
_TOOL: JSONObject = {
    "type": "function",
    "function": {
        "name": _NAME,
        "description": "Return the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
_SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}
_decode_chunk = msgspec.json.Decoder(Chunk).decode


class Reply(msgspec.Struct, frozen=True):
    """The reply to a tiny call."""

    message: JSONObject
    finish_reason: str | None

    @property
    def text(self) -> str:
        """The text of the reply."""
        content: JSON = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def calls(self) -> list[str]:
        """The names of the called functions."""
        calls: JSON = self.message.get("tool_calls") or []
        return [call["function"]["name"] for call in calls]

    @property
    def is_cut(self) -> bool:
        """Whether the limit of tokens ended the reply."""
        return self.finish_reason == "length"


class Probes:
    """Tiny calls to one model.

    Args:
        backend: The settings of its backend.
        model: The models of the backend.
        name: The backend's name for the model.
    """

    def __init__(self, backend: BackendSettings, model: HttpChatModel, name: str) -> None:
        self._backend = backend
        self._capabilities = backend.capabilities
        self._model = model
        self._name = name
        self.has_tools = False
        """Whether the model has called a function."""

    async def answers(self) -> Finding:
        """Check that the model answers at all."""
        began = time.monotonic()
        await self._ask("Say ok.", _FEW)
        seconds = time.monotonic() - began
        return Finding("chat", "ok", f"{self._name} answers, {seconds * 1000:.0f} ms")

    async def streams(self) -> Finding:
        """Check that replies arrive in pieces."""
        pieces = 0
        async with aclosing(self._stream(self._request("Count from 1 to 5.", _SOME))) as chunks:
            async for chunk in chunks:
                pieces += bool(chunk.choices)
        if pieces > 1:
            return Finding("streaming", "ok", f"replies arrive in pieces ({pieces})")
        return Finding("streaming", "degraded", "a reply arrives as a whole; clients wait for its end")

    async def counts(self) -> Finding:
        """Check that streams report their usage."""
        check = "usage in streams"
        request = self._request("Say ok.", _FEW)
        if self._capabilities.stream_usage:
            request["stream_options"] = {"include_usage": True}
        usage = None
        try:
            async with aclosing(self._stream(request)) as chunks:
                async for chunk in chunks:
                    usage = chunk.usage or usage
        except UpstreamRefused as error:
            return Finding(check, "degraded", error.message, self._switch("stream_usage"))
        if usage is not None and usage.prompt_tokens is not None:
            return Finding(check, "ok", "streams report their tokens")
        missing = "streams report no tokens: usage is null, and limits of tokens are estimated"
        if not self._capabilities.stream_usage:
            return Finding(check, "degraded", missing, self._switch("stream_usage", to="true"))
        return Finding(check, "degraded", missing)

    async def calls_tools(self) -> Finding:
        """Check that the model calls a function."""
        named: JSONObject = {"type": "function", "function": {"name": _NAME}}
        can_name = self._capabilities.named_tool_choice
        question = "What is the weather in Paris?"
        try:
            reply = await self._ask(
                question, _SOME, tools=[_TOOL], tool_choice=named if can_name else "required"
            )
        except UpstreamRefused as error:
            if can_name and await self._calls(question, "required"):
                switch = self._switch("named_tool_choice")
                return Finding("tools", "degraded", f"no choice of one function: {error.message}", switch)
            return Finding("tools", "degraded", f"no function tools: {error.message}")
        if reply.calls:
            self.has_tools = True
            return Finding("tools", "ok", "the model calls functions")
        if reply.is_cut:
            return Finding("tools", "skipped", f"the reply was longer than {_SOME} tokens")
        if can_name and await self._calls(question, "required"):
            switch = self._switch("named_tool_choice")
            return Finding("tools", "degraded", "the choice of one function has no effect", switch)
        return Finding(
            "tools",
            "degraded",
            "the model calls no function, so that hosted tools and agents don't work with it",
            "Use another model, or start the backend with its option for tools",
        )

    async def calls_in_parallel(self) -> Finding:
        """Check that the model calls several functions at once."""
        check, extra = "parallel calls", {}
        if self._capabilities.parallel_tool_calls:
            extra = {"parallel_tool_calls": True}
        try:
            reply = await self._ask(
                "What is the weather in Paris and in Rome? Call get_weather twice, once for each city.",
                _SOME,
                tools=[_TOOL],
                **extra,
            )
        except UpstreamRefused as error:
            return Finding(check, "degraded", error.message, self._switch("parallel_tool_calls"))
        if len(reply.calls) > 1:
            return Finding(check, "ok", f"the model calls {len(reply.calls)} functions at once")
        return Finding(check, "degraded", "the model calls functions one after another")

    async def follows_schemas(self) -> Finding:
        """Check that a reply follows a JSON schema."""
        check = "json_schema"
        schema = {"name": "sum", "schema": _SCHEMA, "strict": True}
        response_format = {"type": "json_schema", "json_schema": schema}
        try:
            reply = await self._ask("What is 2 + 3?", _SOME, response_format=response_format)
        except UpstreamRefused as error:
            return Finding(check, "degraded", f"text.format doesn't work: {error.message}")
        if reply.is_cut:
            return Finding(check, "skipped", f"the reply was longer than {_SOME} tokens")
        try:
            value = json.loads(reply.text)
        except ValueError:
            value = None
        if isinstance(value, dict) and value.keys() == {"sum"} and isinstance(value["sum"], int):
            return Finding(check, "ok", "replies follow a schema")
        return Finding(check, "degraded", "the backend ignores schemas, so that text.format has no effect")

    async def reasons(self) -> Finding:
        """Check the effort of reasoning, and whether the reasoning is visible."""
        extra = {"reasoning_effort": "low"} if self._capabilities.reasoning_effort else {}
        try:
            reply = await self._ask("What is 2 + 3?", _SOME, **extra)
        except UpstreamRefused as error:
            return Finding("reasoning", "degraded", error.message, self._switch("reasoning_effort"))
        shown = [key for key in ("reasoning", "reasoning_content") if reply.message.get(key)]
        if "<think>" in reply.text:
            shown.append("<think>")
        if shown:
            return Finding("reasoning", "ok", f"the model shows its reasoning ({', '.join(shown)})")
        return Finding("reasoning", "ok", "the model shows no reasoning")

    async def _calls(self, question: str, tool_choice: str) -> bool:
        try:
            reply = await self._ask(question, _SOME, tools=[_TOOL], tool_choice=tool_choice)
        except AntiphonError:
            return False
        self.has_tools = bool(reply.calls)
        return self.has_tools

    async def _ask(self, question: str, limit: int, **extra: JSON) -> Reply:
        """Return the reply to a question.

        Raises:
            UpstreamError: The backend failed.
        """
        answer = await self._model.complete(self._request(question, limit, **extra))
        try:
            choice = msgspec.json.decode(answer)["choices"][0]
            reply = Reply(choice["message"], choice.get("finish_reason"))
            reply.calls  # noqa: B018 (raises for malformed calls)
        except (msgspec.DecodeError, KeyError, IndexError, TypeError, AttributeError):
            raise UpstreamBroken(f"{self._backend.name}: its answer is not a chat completion") from None
        return reply

    async def _stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        request["stream"] = True
        async with aclosing(self._model.stream(request)) as batches:
            async for batch in batches:
                for text in batch:
                    try:
                        chunk = _decode_chunk(text)
                    except (msgspec.DecodeError, UnicodeError, RecursionError):
                        raise UpstreamBroken(f"{self._backend.name}: a chunk is malformed") from None
                    if chunk.error is not None:
                        raise UpstreamBroken(f"{self._backend.name}: its stream contains an error")
                    yield chunk

    def _request(self, question: str, limit: int, **extra: JSON) -> ChatRequest:
        key = "max_completion_tokens" if self._capabilities.max_completion_tokens else "max_tokens"
        messages = [{"role": "user", "content": question}]
        return cast(ChatRequest, {"model": self._name, "messages": messages, key: limit, **extra})

    def _switch(self, name: str, to: str = "false") -> str:
        return f"Set {name} = {to} in [models.{self._backend.name}]"
