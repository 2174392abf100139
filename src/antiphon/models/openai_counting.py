"""A chat request as OpenAI's `POST /v1/responses/input_tokens` takes it. Pure."""

from antiphon.wire.chat import ChatContentPart, ChatMessage, ChatRequest, ChatTool
from antiphon.wire.json import JSON, JSONObject


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
