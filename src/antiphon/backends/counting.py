"""Token counts of chat requests, by the backend's own endpoints.

OpenAI counts at `/v1/responses/input_tokens`, including images and files. vLLM counts messages at
`/tokenize`, outside of `/v1`. llama.cpp renders them at `/apply-template` and counts the result at
`/tokenize`. These two count no images and files, so requests with either are estimated instead. Other kinds
have no such endpoint.
"""

from collections.abc import Awaitable, Callable

from antiphon.settings.backends import Kind
from antiphon.wire.chat import ChatContentPart, ChatMessage, ChatRequest, ChatTool
from antiphon.wire.json import JSON, JSONObject

COUNT_TIMEOUT = 5.0
"""Time limit in seconds for counting; after it, tokens are estimated."""

_SOUND = frozenset({"input_audio"})
_MEDIA = _SOUND | {"image_url", "file"}

Ask = Callable[[str, JSONObject, str], Awaitable[JSONObject]]
"""A function that sends a body to a path and returns an object with a given key."""


def can_count(kind: Kind) -> bool:
    """Return whether backends of this kind can count tokens."""
    return kind in ("openai", "vllm", "llamacpp")


async def count(kind: Kind, ask: Ask, request: ChatRequest) -> int | None:
    """Return the number of tokens of a request, or None if it can't be counted."""
    if not can_count(kind) or _has_parts(request, _SOUND if kind == "openai" else _MEDIA):
        return None
    if kind == "openai":
        counted = (await ask("/v1/responses/input_tokens", counted_body(request), "input_tokens"))[
            "input_tokens"
        ]
        return counted if isinstance(counted, int) else None
    chat: JSONObject = {"model": request["model"], "messages": request["messages"]}
    if "tools" in request:
        chat["tools"] = request["tools"]
    if kind == "vllm":
        counted = (await ask("/tokenize", chat, "count"))["count"]
        return counted if isinstance(counted, int) else None
    # llama.cpp reads a chat with these options itself: with special tokens, and the model's first token.
    text = (await ask("/apply-template", chat, "prompt"))["prompt"]
    body: JSONObject = {"content": text, "add_special": True, "parse_special": True}
    tokens = (await ask("/tokenize", body, "tokens"))["tokens"]
    return len(tokens) if isinstance(tokens, list) else None


def _has_parts(request: ChatRequest, kinds: frozenset[str]) -> bool:
    contents = (message.get("content") for message in request["messages"])
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return any(part.get("type") in kinds for part in parts)


def counted_body(request: ChatRequest) -> JSONObject:
    """Return the body of a request to count the input of a chat request."""
    custom: set[str] = set()
    items = [item for message in request["messages"] for item in _items(message, custom)]
    body: JSONObject = {"model": request["model"], "input": items}
    if "tools" in request:
        body["tools"] = [_tool(tool) for tool in request["tools"]]
    response_format = request.get("response_format")
    if response_format is not None:
        kind = response_format["type"]
        body["text"] = {"format": {"type": kind, **response_format.get(kind, {})}}
    return body


def _items(message: ChatMessage, custom: set[str]) -> list[JSONObject]:
    """Return a message as items; `custom` collects the IDs of custom tool calls."""
    role, content = message["role"], message.get("content") or ""
    if role == "tool":
        call_id = message["tool_call_id"]
        kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
        return [{"type": kind, "call_id": call_id, "output": _content(content)}]
    items: list[JSONObject] = [{"role": role, "content": _content(content)}] if content else []
    for call in message.get("tool_calls", ()):
        if call["type"] == "custom":
            custom.add(call["id"])
            items.append({"type": "custom_tool_call", "call_id": call["id"], **call["custom"]})
        else:
            items.append({"type": "function_call", "call_id": call["id"], **call["function"]})
    return items


def _content(content: str | list[ChatContentPart]) -> JSON:
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: ChatContentPart) -> JSONObject:
    if part["type"] == "image_url":
        image = part["image_url"]
        return {"type": "input_image", "image_url": image["url"], "detail": image.get("detail", "auto")}
    if part["type"] == "file":
        return {"type": "input_file", **part["file"]}
    return {"type": "input_text", "text": part["refusal"] if part["type"] == "refusal" else part["text"]}


def _tool(tool: ChatTool) -> JSONObject:
    if tool["type"] == "function":
        # OpenAI requires both keys here.
        return {"type": "function", "parameters": None, "strict": False, **tool["function"]}
    custom: JSONObject = {"type": "custom", **tool["custom"]}
    grammar = custom.get("format", {}).get("grammar")
    if grammar is not None:
        custom["format"] = {"type": "grammar", **grammar}
    return custom
