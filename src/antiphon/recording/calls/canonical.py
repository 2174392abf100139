"""Canonical form of a chat request, and the key of its recordings.

Two requests have the same key if they mean the same to the model. Normalized differences:

* the order of keys; null and an absent key; a list of one text part and a string
* `""`, null and absent content beside tool calls
* one assistant message with several tool calls, and several messages with one call each; results after all
  calls, and each result after its call; the ids of tool calls, which are numbered in order of appearance
* `index` in tool calls and the inner `type` in tools, both of llama-stack; the JSON text of arguments, which
  is compared by value
* default values: `detail: auto`, `parallel_tool_calls: true`, `tool_choice: auto`, an empty list of tools,
  `parameters: {}` of a function, `response_format: text`; `max_tokens`, the older name of
  `max_completion_tokens`
* transport and origin: `stream`, `stream_options`, `user`, `metadata`, `store`, `service_tier`, cache keys
  and breakpoints, safety identifiers
* `strict` and `description` of a response format, which llama-stack never sends; `strict` of a function tool,
  which llama-stack sends only if its client did
* `extra_body`, which the openai library (and llama-stack's recordings) uses for keys of the request's root

Every other difference counts. No JSON value makes these functions raise, except for RecursionError:
unfamiliar forms are compared as they are.
"""

import hashlib

import msgspec

from antiphon.wire.json import JSON, JSONObject

_IGNORED = frozenset(
    {
        "stream",
        "stream_options",
        "user",
        "metadata",
        "store",
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "safety_identifier",
    }
)
_DEFAULTS: tuple[tuple[str, JSON], ...] = (
    ("parallel_tool_calls", True),
    ("tool_choice", "auto"),
    ("tools", []),
    ("response_format", {"type": "text"}),
)


def canonical_request(body: JSONObject) -> JSONObject:
    """Return the canonical form of a chat request; `body` is not changed."""
    request = {name: value for name, value in _root(body).items() if name not in _IGNORED}
    older_limit = request.pop("max_tokens", None)
    if older_limit is not None:
        request.setdefault("max_completion_tokens", older_limit)
    if isinstance(messages := request.get("messages"), list):
        request["messages"] = _messages(messages)
    if isinstance(tools := request.get("tools"), list):
        request["tools"] = [_tool(tool) for tool in tools]
    if isinstance(response_format := request.get("response_format"), dict):
        request["response_format"] = _response_format(response_format)
    for name, default in _DEFAULTS:
        if name in request and _same(request[name], default):
            del request[name]
    return {name: _number(value) for name, value in request.items()}


def canonical_key(canonical: JSONObject) -> str:
    """Return the key of a canonical request: 64 hexadecimal digits (SHA-256)."""
    return hashlib.sha256(msgspec.json.encode(canonical, order="deterministic")).hexdigest()


def canonical_arguments(arguments: JSON) -> JSON:
    """Return the arguments of a tool call with numbers by value: 1.0 becomes 1."""
    if isinstance(arguments, dict):
        return {name: canonical_arguments(member) for name, member in arguments.items()}
    if isinstance(arguments, list):
        return [canonical_arguments(member) for member in arguments]
    return _number(arguments)


def _root(body: JSONObject) -> JSONObject:
    root = _without_nulls(body)
    extra = root.pop("extra_body", None)
    if isinstance(extra, dict):
        # `project_id` is watsonx's account; llama-stack's hash omits it too.
        root.update((name, value) for name, value in _without_nulls(extra).items() if name != "project_id")
    return root


def _without_nulls(value: JSONObject) -> JSONObject:
    return {name: member for name, member in value.items() if member is not None}


def _same(value: JSON, default: JSON) -> bool:
    """Return whether two values have the same type and value; in Python, `1 == True`."""
    return type(value) is type(default) and bool(value == default)


def _number(value: JSON) -> JSON:
    """Return 1.0 as 1, as clients in other languages write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _messages(messages: list[JSON]) -> list[JSON]:
    """Return the messages with each run of tool calls merged, and canonical call ids."""
    result: list[JSON] = []
    run = _ToolRun()
    for message in messages:
        if not isinstance(message, dict):
            result.extend(run.close())
            result.append(message)
            continue
        message = _message(message)
        if message.get("role") == "tool":
            run.add_result(message)
        elif isinstance(message.get("tool_calls"), list):
            if not run.continues_with(message):
                result.extend(run.close())
            run.add_calls(message)
        else:
            result.extend(run.close())
            result.append(message)
    result.extend(run.close())
    return result


def _message(message: JSONObject) -> JSONObject:
    normalized = {name: value for name, value in message.items() if value is not None and value != []}
    if "content" in normalized:
        normalized["content"] = _content(normalized["content"])
        if normalized["content"] == "" and "tool_calls" in normalized:
            del normalized["content"]
    return normalized


def _content(content: JSON) -> JSON:
    if not isinstance(content, list):
        return content
    parts = [_part(part) for part in content]
    if len(parts) == 1 and isinstance(only := parts[0], dict) and only.keys() == {"type", "text"}:
        return only["text"] if only["type"] == "text" and isinstance(only["text"], str) else parts
    return parts


def _part(part: JSON) -> JSON:
    if not isinstance(part, dict):
        return part
    part = _without_nulls(part)
    part.pop("prompt_cache_breakpoint", None)
    if isinstance(image := part.get("image_url"), dict):
        image = _without_nulls(image)
        if image.get("detail") == "auto":
            del image["detail"]
        part["image_url"] = image
    return part


class _ToolRun:
    """Tool calls and their results, with no other message between them.

    Every call gets a new id, because some backends count from zero in every message. A result belongs to the
    latest call with its id.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._count = 0
        self._assistant: JSONObject | None = None
        self._results: list[tuple[str, JSONObject]] = []

    def continues_with(self, message: JSONObject) -> bool:
        """Return whether a message has tool calls alone, of the same role as the run."""
        if self._assistant is None or message.keys() != {"role", "tool_calls"}:
            return False
        return bool(message["role"] == self._assistant.get("role"))

    def add_calls(self, message: JSONObject) -> None:
        calls = [self._call(call) for call in message["tool_calls"]]
        if self._assistant is None:
            self._assistant = {**message, "tool_calls": calls}
        else:
            self._assistant["tool_calls"].extend(calls)

    def add_result(self, message: JSONObject) -> None:
        call_id = message.get("tool_call_id")
        if isinstance(call_id, str):
            message["tool_call_id"] = self._ids.get(call_id) or self._new_id(call_id)
        self._results.append((str(message.get("tool_call_id")), message))

    def close(self) -> list[JSONObject]:
        """Return the messages of the run, with results in call order, and start a new run."""
        calls = [] if self._assistant is None else [self._assistant]
        results = [message for _, message in sorted(self._results, key=lambda result: result[0])]
        self._assistant, self._results = None, []
        return calls + results

    def _call(self, call: JSON) -> JSON:
        if not isinstance(call, dict):
            return call
        call = {name: value for name, value in call.items() if value is not None and name != "index"}
        if isinstance(call.get("id"), str):
            call["id"] = self._new_id(call["id"])
        if isinstance(function := call.get("function"), dict):
            call["function"] = _function_call(function)
            call.setdefault("type", "function")
        return call

    def _new_id(self, call_id: str) -> str:
        self._count += 1
        self._ids[call_id] = f"call_{self._count:06d}"
        return self._ids[call_id]


def _function_call(function: JSONObject) -> JSONObject:
    function = _without_nulls(function)
    if isinstance(arguments := function.get("arguments"), str):
        try:
            value = canonical_arguments(msgspec.json.decode(arguments))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return function  # Models sometimes write invalid JSON; it is compared as text.
        if isinstance(value, dict | list):
            function["arguments"] = value
    return function


def _tool(tool: JSON) -> JSON:
    if not isinstance(tool, dict):
        return tool
    tool = _without_nulls(tool)
    if isinstance(function := tool.get("function"), dict):
        tool["function"] = {
            name: value
            for name, value in function.items()
            if value is not None and name not in ("type", "strict") and (name, value) != ("parameters", {})
        }
    return tool


def _response_format(response_format: JSONObject) -> JSONObject:
    response_format = _without_nulls(response_format)
    if isinstance(schema := response_format.get("json_schema"), dict):
        response_format["json_schema"] = {
            name: value
            for name, value in schema.items()
            if value is not None and name not in ("strict", "description")
        }
    return response_format
