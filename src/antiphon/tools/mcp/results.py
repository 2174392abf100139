"""Conversion of an MCP server's results into items and into functions for models."""

from collections.abc import Iterable

import msgspec

from antiphon.errors import UpstreamError, UpstreamRefused
from antiphon.wire.chat import ChatFunction, ChatTool
from antiphon.wire.json import JSON, JSONObject

CONNECTION_CLOSED = -32000
INVALID_PARAMS = -32602
"""JSON-RPC error codes; `CONNECTION_CLOSED` is the MCP SDK's own."""


def entries(listed: list[JSONObject]) -> tuple[list[JSONObject], list[str]]:
    """Return the tools of a `tools/list`, and the names of the omitted ones.

    The tools have the form of `mcp_list_tools` items. A tool with an unsupported schema is omitted, because
    api.openai.com rejects the whole request for one such schema.
    """
    kept, left_out = [], []
    for tool in listed:
        schema = tool.get("inputSchema")
        if not is_function_schema(schema):
            left_out.append(str(tool.get("name")))
            continue
        annotations = tool.get("annotations") or {}
        kept.append(
            {
                "annotations": {"read_only": annotations.get("readOnlyHint") is True},
                "description": tool.get("description"),
                "input_schema": schema,
                "name": tool["name"],
            }
        )
    return kept, left_out


def usable(entry: JSONObject) -> bool:
    """Return whether a listed tool, perhaps from the client, can be sent to models."""
    return isinstance(entry.get("name"), str) and is_function_schema(entry.get("input_schema"))


def is_function_schema(schema: JSON) -> bool:
    """Return whether a value is a valid schema for parameters: an object's."""
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        return False
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return (
        isinstance(properties, dict)
        and all(isinstance(value, dict | bool) for value in properties.values())
        and isinstance(required, list)
        and all(isinstance(name, str) for name in required)
    )


def functions(listed: Iterable[JSONObject]) -> list[ChatTool]:
    """Return listed tools as chat functions, with unchanged schemas and order."""
    return [_function(entry) for entry in listed]


def _function(entry: JSONObject) -> ChatTool:
    function: ChatFunction = {"name": entry["name"]}
    if entry.get("description"):
        function["description"] = entry["description"]
    function["parameters"] = entry["input_schema"]
    return {"type": "function", "function": function}


def outcome(result: JSONObject, max_bytes: int) -> tuple[str | None, JSONObject | None]:
    """Return the `output` and the `error` of an `mcp_call` for a `tools/call` result.

    At most `max_bytes` of the output are kept, and a note states the truncation.
    """
    failure = result.get("error")
    if isinstance(failure, dict):
        code, message = failure.get("code"), failure.get("message")
        return None, protocol_error(code if isinstance(code, int) else CONNECTION_CLOSED, str(message))
    text = _cut(_text(result), max_bytes)
    if result.get("isError"):
        return None, {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": text}]}
    return text, None


def failed(error: UpstreamError) -> JSONObject:
    """Return the `error` of an `mcp_call` without a result from the server."""
    if isinstance(error, UpstreamRefused):
        return {"type": "http_error", "code": error.upstream_status, "message": error.message}
    return protocol_error(CONNECTION_CLOSED, error.message)


def protocol_error(code: int, message: str) -> JSONObject:
    """Return a JSON-RPC error in the form of an `mcp_call`.

    Source: https://platform.openai.com/docs/api-reference/responses/object
    """
    return {"type": "mcp_protocol_error", "code": code, "message": message}


def _text(result: JSONObject) -> str:
    """Return the content as text; other content is named, so that the model sees it."""
    content = result.get("content")
    parts = [_part(part) for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    if not parts and result.get("structuredContent") is not None:
        return msgspec.json.encode(result["structuredContent"]).decode()
    return "\n".join(parts)


def _part(part: JSONObject) -> str:
    kind = part.get("type")
    if kind == "text":
        return str(part.get("text", ""))
    if kind == "resource_link":
        return str(part.get("uri", ""))
    resource = part.get("resource")
    if kind == "resource" and isinstance(resource, dict) and isinstance(resource.get("text"), str):
        return str(resource["text"])
    media = part.get("mimeType") or (resource.get("mimeType") if isinstance(resource, dict) else None)
    return f"[{kind}: {media}]" if media else f"[{kind}]"


def _cut(text: str, max_bytes: int) -> str:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= max_bytes:
        return text
    return f"{data[:max_bytes].decode(errors='ignore')}\n[cut: {max_bytes} of {len(data)} bytes]"
