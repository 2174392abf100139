"""The built-in model `antiphon/sample`, which isn't a language model.

It behaves like one on the wire, needs no network, and gives the same output for the same request. Its tokens
are words separated by white space, in messages, output text and arguments of tool calls.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Iterator
from itertools import islice

import msgspec
from msgspec import Struct

from antiphon.backends.sample.example import make_example
from antiphon.backends.sample.scalars import Unsatisfiable
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject

_CHUNKS_AT_ONCE = 4
_MAX_QUOTED = 400
_MAX_SEARCHED = 20_000
_FREE_TEXT = frozenset({"type", "description", "title"})
"""The keys of a schema that accepts any text."""


class _Function(Struct):
    name: str
    arguments: str = ""
    parameters: JSON = None


class _Tool(Struct):
    function: _Function | None = None


class _Call(Struct):
    function: _Function
    id: str | None = None


class _Message(Struct):
    role: str
    content: JSON = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str | None = None


class _Request(Struct):
    """The parts of a chat request that the sample uses; others may be there, too."""

    model: str
    messages: list[_Message]
    tools: list[_Tool] | None = None
    tool_choice: JSON = "auto"
    parallel_tool_calls: bool | None = True
    response_format: JSONObject | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    stream_options: JSONObject | None = None


class _ToolCall(Struct):
    id: str
    name: str
    arguments: str


class _Reply(Struct):
    id: str
    text: str
    calls: list[_ToolCall]
    finish_reason: str
    usage: JSONObject


class SampleModel:
    """A chat model without a language model (`engine.ports.ChatModel`).

    Its text repeats the user's message. It calls the tools that the message mentions, or else the first one,
    with arguments that match their schema. After tool results, its text reports them.
    """

    capabilities = msgspec.structs.replace(Capabilities(), custom_tools=False, think_tags=False)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
        """Yield the chunks of the output word by word, or one chat completion.

        Raises:
            InvalidRequest: The request isn't a valid chat request.
        """
        if not request.get("stream"):
            yield [await self.complete(request)]
            return
        asked = _read(request)
        chunks = _chunks(asked, _answer(asked))
        while batch := [msgspec.json.encode(chunk) for chunk in islice(chunks, _CHUNKS_AT_ONCE)]:
            yield batch
            await asyncio.sleep(0)

    async def complete(self, request: ChatRequest) -> bytes:
        """Return the same output as one chat completion.

        Raises:
            InvalidRequest: The request isn't a valid chat request.
        """
        asked = _read(request)
        reply = _answer(asked)
        message: JSONObject = {"role": "assistant", "content": reply.text or None, "refusal": None}
        if reply.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": _function(call.name, call.arguments)}
                for call in reply.calls
            ]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        return msgspec.json.encode(
            _envelope("chat.completion", asked, reply) | {"choices": [choice], "usage": reply.usage}
        )


def _read(request: ChatRequest) -> _Request:
    try:
        return msgspec.convert(request, _Request)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"antiphon/sample: {error}") from error


def _answer(asked: _Request) -> _Reply:
    """Return the output, cut at the token limit like that of a model."""
    same = msgspec.structs.replace(asked, stream_options=None)
    digest = hashlib.sha256(msgspec.json.encode(same, order="deterministic")).hexdigest()
    calls = [
        _ToolCall(f"call_{digest[:20]}{at:04}", tool.name, _arguments(tool, asked))
        for at, tool in enumerate(_tools_to_call(asked))
    ]
    text = "" if calls else _text_answer(asked)
    limit = asked.max_completion_tokens or asked.max_tokens
    used, finish = 0, "tool_calls" if calls else "stop"
    if limit is not None and _words(text) > limit:
        text, finish = "".join(_pieces(text)[:limit]).rstrip(), "length"
    used = _words(text)
    for at, call in enumerate(calls):
        left = None if limit is None else limit - used
        if left is not None and _words(call.arguments) > left:
            call.arguments = "".join(_pieces(call.arguments)[:left])
            calls, finish, used = calls[: at + 1], "length", used + left
            break
        used += _words(call.arguments)
    prompt = sum(_words(_text_of(message.content)) for message in asked.messages)
    usage = {"prompt_tokens": prompt, "completion_tokens": used, "total_tokens": prompt + used}
    return _Reply(f"chatcmpl-{digest[:24]}", text, calls, finish, usage)


def _text_answer(asked: _Request) -> str:
    text = _report(asked) or (
        "This is antiphon/sample, a built-in example that is no language model and needs no network. "
        f"You wrote: {_shortened(_last_user_text(asked))} "
        "For a real answer, name a model of a backend, such as openai/gpt-4o or ollama/llama3.2."
    )
    wanted = asked.response_format or {}
    if wanted.get("type") == "json_object":
        return msgspec.json.encode({"message": text}).decode()
    if wanted.get("type") == "json_schema":
        described = wanted.get("json_schema")
        schema = described.get("schema", {}) if isinstance(described, dict) else {}
        return _fitting(schema, asked)
    return text


def _report(asked: _Request) -> str:
    """Return text about the last tool results; empty if the last message isn't one."""
    names = {call.id: call.function.name for message in asked.messages for call in message.tool_calls or ()}
    results: list[str] = []
    for message in reversed(asked.messages):
        if message.role != "tool":
            break
        name = names.get(message.tool_call_id, "The tool")
        results.insert(0, f"{name} gave: {_shortened(_text_of(message.content))}")
    if not results:
        return ""
    return "antiphon/sample, which is no language model, called tools. " + " ".join(results)


def _tools_to_call(asked: _Request) -> list[_Function]:
    tools = [tool.function for tool in asked.tools or () if tool.function is not None]
    choice = asked.tool_choice
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        allowed = allowed if isinstance(allowed, dict) else {}
        names = [_name_of(tool) for tool in allowed.get("tools") or ()]
        tools = [tool for tool in tools if tool.name in names]
        choice = allowed.get("mode", "auto")
    if isinstance(choice, dict):
        return [tool for tool in tools if tool.name == _name_of(choice)]
    from_user = bool(asked.messages) and asked.messages[-1].role == "user"
    if choice == "none" or not tools or (choice != "required" and not from_user):
        return []
    text = _last_user_text(asked)[:_MAX_SEARCHED].lower()
    mentioned = [tool for tool in tools if _is_mentioned(tool.name.lower(), text)] or tools[:1]
    return mentioned[:1] if asked.parallel_tool_calls is False else mentioned


def _name_of(choice: JSON) -> JSON:
    function = choice.get("function") if isinstance(choice, dict) else None
    return function.get("name") if isinstance(function, dict) else None


def _is_mentioned(name: str, text: str) -> bool:
    """Return whether the text has the name or one of its words with 4 or more letters.

    For example, `get_weather` matches "the weather in".
    """
    words = [word for word in re.split(r"[^a-z0-9]+", name) if len(word) > 3]
    return name in text or any(re.search(rf"\b{word}", text) for word in words)


def _arguments(tool: _Function, asked: _Request) -> str:
    """Return arguments that match the schema; a `query` is the user's text."""
    schema = tool.parameters if tool.parameters is not None else {"type": "object"}
    arguments = _fitting(schema, asked)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    query = properties.get("query") if isinstance(properties, dict) else None
    if isinstance(query, dict) and not query.keys() - _FREE_TEXT and query.get("type") == "string":
        text = _last_user_text(asked)[:_MAX_QUOTED]
        return msgspec.json.encode({**msgspec.json.decode(arguments), "query": text}).decode()
    return arguments


def _fitting(schema: JSON, asked: _Request) -> str:
    """Return JSON that matches `schema`, or `{}` if none is found.

    Its strings are names and quotations from the user's text.
    """
    text = _last_user_text(asked)[:_MAX_SEARCHED]
    quoted = [a or b or c for a, b, c in re.findall(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)", text)]
    named = re.findall(r"(?<=[a-z,] )[A-Z][\w-]+", text)
    try:
        value = make_example(schema, [*quoted, *named])
    except Unsatisfiable:
        value = {}
    return msgspec.json.encode(value).decode()


def _last_user_text(asked: _Request) -> str:
    texts = (_text_of(message.content) for message in reversed(asked.messages) if message.role == "user")
    return next(texts, "")


def _text_of(content: JSON) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str))


def _shortened(text: str) -> str:
    return f'"{text}"' if len(text) <= _MAX_QUOTED else f'"{text[:_MAX_QUOTED]}..."'


def _words(text: str) -> int:
    return len(text.split())


def _pieces(text: str) -> list[str]:
    """Split `text` into words that keep the white space around them."""
    return re.findall(r"\s*\S+\s*", text)


def _function(name: str, arguments: str) -> JSONObject:
    return {"name": name, "arguments": arguments}


def _envelope(kind: str, asked: _Request, reply: _Reply) -> JSONObject:
    return {"id": reply.id, "object": kind, "created": 0, "model": asked.model, "service_tier": "default"}


def _chunks(asked: _Request, reply: _Reply) -> Iterator[JSONObject]:
    """Yield OpenAI's sequence of chunks: role, words, finish reason, requested usage."""
    base = _envelope("chat.completion.chunk", asked, reply)

    def chunk(delta: JSONObject, finish: str | None = None) -> JSONObject:
        return base | {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    for piece in _pieces(reply.text):
        yield chunk({"content": piece})
    for index, call in enumerate(reply.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": _function(call.name, "")}
        yield chunk({"tool_calls": [head]})
        for piece in re.findall(r"(?s).{1,24}", call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, reply.finish_reason)
    if (asked.stream_options or {}).get("include_usage"):
        yield base | {"choices": [], "usage": reply.usage}
