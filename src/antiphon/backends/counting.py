"""Asks a backend how many tokens a chat request is.

OpenAI counts at `/v1/responses/input_tokens`, images and files too. vLLM counts messages at `/tokenize`,
beside `/v1`; llama.cpp turns them into text at `/apply-template` and counts that at `/tokenize`. Those two do
not count what an image or a file becomes, so requests with one are left to an estimate. Other kinds have no
such route.
"""

from collections.abc import Awaitable, Callable

from antiphon.settings.schema import Kind
from antiphon.wire.chat import ChatContentPart, ChatMessage, ChatRequest, ChatTool
from antiphon.wire.json import JSON, JSONObject

COUNT_TIMEOUT = 5.0
"""Seconds that counting may take; then the tokens are estimated."""

_SOUND = frozenset({"input_audio"})
_MEDIA = _SOUND | {"image_url", "file"}

Ask = Callable[[str, JSONObject, str], Awaitable[JSONObject]]
"""Sends a request to a path of the backend's server; the answer has a value for a key."""


def can_count(kind: Kind) -> bool:
    """Whether backends of this kind can be asked."""
    return kind in ("openai", "vllm", "llamacpp")


async def count(kind: Kind, ask: Ask, request: ChatRequest) -> int | None:
    """Returns the number of tokens; None if the backend cannot say. Raises what `ask` raises."""
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
    # As llama.cpp reads the prompt of a chat itself: with the model's first token, and the template's own.
    text = (await ask("/apply-template", chat, "prompt"))["prompt"]
    body: JSONObject = {"content": text, "add_special": True, "parse_special": True}
    tokens = (await ask("/tokenize", body, "tokens"))["tokens"]
    return len(tokens) if isinstance(tokens, list) else None


def _has_parts(request: ChatRequest, kinds: frozenset[str]) -> bool:
    contents = (message.get("content") for message in request["messages"])
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return any(part.get("type") in kinds for part in parts)


def counted_body(request: ChatRequest) -> JSONObject:
    """Returns the body by which the input of a chat request is counted."""
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
    """A message as items; `custom` collects the ids of the calls whose outputs are of custom tools."""
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
        # Both keys are required there.
        return {"type": "function", "parameters": None, "strict": False, **tool["function"]}
    custom: JSONObject = {"type": "custom", **tool["custom"]}
    grammar = custom.get("format", {}).get("grammar")
    if grammar is not None:
        custom["format"] = {"type": "grammar", **grammar}
    return custom
