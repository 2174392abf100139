"""The canonical form of a chat request, and the key under which its recording is found.

Two requests share a key when they mean the same to the model. What is folded:

* the order of keys; null and absent; a list of one text part and the string
* `""`, null and absent content beside tool calls
* one assistant message with several tool calls, and several messages with one each, with their results
  after all of them or each after its own; the ids of tool calls, by order of appearance
* `index` in tool calls and the inner `type` in tools, which llama-stack leaves there; the JSON text of
  arguments, by value
* values that are the default: `detail: auto`, `parallel_tool_calls: true`, `tool_choice: auto`, an empty list
  of tools, `response_format: text`; `max_tokens` under its older name
* how the answer travels and who asks: `stream`, `stream_options`, `user`, `metadata`, `store`,
  `service_tier`, cache keys, safety identifiers
* `strict` and `description` of a response format, which llama-stack never sends; `strict` of a function tool,
  which it sends only when its own client did
* `extra_body`, in which the openai library (and so llama-stack's recordings) keeps keys of the request's root

Everything else counts. Nothing here raises on any JSON value: a form that is not known counts as it is.
"""

import hashlib

import msgspec

from antiphon.wire.json import JSON, JSONObject

_NEVER_COUNTS = frozenset(
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
    """Returns the canonical form of a chat request; `body` is left as it is."""
    request = {name: value for name, value in _root(body).items() if name not in _NEVER_COUNTS}
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
    """Returns the key of a canonical request: 64 hexadecimal digits (SHA-256)."""
    return hashlib.sha256(msgspec.json.encode(canonical, order="deterministic")).hexdigest()


def canonical_arguments(arguments: JSON) -> JSON:
    """Returns the arguments of a tool call by value: 1.0 is 1."""
    if isinstance(arguments, dict):
        return {name: canonical_arguments(member) for name, member in arguments.items()}
    if isinstance(arguments, list):
        return [canonical_arguments(member) for member in arguments]
    return _number(arguments)


def _root(body: JSONObject) -> JSONObject:
    root = _without_nulls(body)
    extra = root.pop("extra_body", None)
    if isinstance(extra, dict):
        # `project_id` is watsonx's account, and llama-stack too leaves it out of its hash.
        root.update((name, value) for name, value in _without_nulls(extra).items() if name != "project_id")
    return root


def _without_nulls(value: JSONObject) -> JSONObject:
    return {name: member for name, member in value.items() if member is not None}


def _same(value: JSON, default: JSON) -> bool:
    """Compares without Python's `1 == True`."""
    return type(value) is type(default) and bool(value == default)


def _number(value: JSON) -> JSON:
    """Writes 1.0 as 1, because clients in other languages do."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _messages(messages: list[JSON]) -> list[JSON]:
    """Gathers each run of tool calls and their results, and gives the calls their canonical ids."""
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
            if not run.takes(message):
                result.extend(run.close())
            run.add_calls(message)
        else:
            result.extend(run.close())
            result.append(message)
    result.extend(run.close())
    return result


def _message(message: JSONObject) -> JSONObject:
    folded = {name: value for name, value in message.items() if value is not None and value != []}
    if "content" in folded:
        folded["content"] = _content(folded["content"])
        if folded["content"] == "" and "tool_calls" in folded:
            del folded["content"]
    return folded


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
    if isinstance(image := part.get("image_url"), dict):
        image = _without_nulls(image)
        if image.get("detail") == "auto":
            del image["detail"]
        part["image_url"] = image
    return part


class _ToolRun:
    """Tool calls and their results, with no other message between them.

    A call gets a new id each time one appears, because some backends count from zero in every message; a
    result belongs to the latest call with its id.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._count = 0
        self._assistant: JSONObject | None = None
        self._results: list[tuple[str, JSONObject]] = []

    def takes(self, message: JSONObject) -> bool:
        """Tells whether the message only carries on the calls: it says nothing else of its own."""
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
        """Returns the messages of the run, results in the order of their calls, and begins a new run."""
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
            return function  # Models do write broken JSON; it counts as the text that it is.
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
            if value is not None and name not in ("type", "strict")
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
