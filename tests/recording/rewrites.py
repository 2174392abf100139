"""Rewrites of a chat request that keep its meaning for a model; each takes a body and returns another."""

import json
from collections.abc import Callable

from antiphon.wire.json import JSON, JSONObject

Rewrite = Callable[[JSONObject], JSONObject]


def _copy(body: JSONObject) -> JSONObject:
    copied: JSONObject = json.loads(json.dumps(body))
    return copied


def _messages(body: JSONObject) -> list[JSONObject]:
    messages: list[JSONObject] = body["messages"]
    return messages


def _calls(body: JSONObject) -> list[JSONObject]:
    return [call for message in _messages(body) for call in message.get("tool_calls") or []]


def reverse_keys(body: JSONObject) -> JSONObject:
    def turned(value: JSON) -> JSON:
        if isinstance(value, dict):
            return {name: turned(member) for name, member in reversed(value.items())}
        return [turned(member) for member in value] if isinstance(value, list) else value

    reversed_body: JSONObject = turned(body)
    return reversed_body


def text_as_part(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for message in _messages(body):
        if isinstance(message.get("content"), str):
            message["content"] = [{"type": "text", "text": message["content"]}]
    return body


def _empty_content(body: JSONObject, put: Callable[[JSONObject], None]) -> JSONObject:
    body = _copy(body)
    for message in _messages(body):
        if message.get("tool_calls") and not message.get("content"):
            message.pop("content", None)
            put(message)
    return body


def content_absent_beside_calls(body: JSONObject) -> JSONObject:
    return _empty_content(body, lambda message: None)


def content_null_beside_calls(body: JSONObject) -> JSONObject:
    return _empty_content(body, lambda message: message.update(content=None))


def content_empty_beside_calls(body: JSONObject) -> JSONObject:
    return _empty_content(body, lambda message: message.update(content=""))


def _split(message: JSONObject) -> list[JSONObject]:
    first, *others = message["tool_calls"]
    return [
        {**message, "tool_calls": [first]},
        *({"role": "assistant", "tool_calls": [call]} for call in others),
    ]


def one_message_per_call(body: JSONObject) -> JSONObject:
    body = _copy(body)
    body["messages"] = [
        part
        for message in _messages(body)
        for part in (_split(message) if message.get("tool_calls") else [message])
    ]
    return body


def result_after_each_call(body: JSONObject) -> JSONObject:
    """Return llama-stack's form: each call in its own message, with its result right after it."""
    body = one_message_per_call(body)
    messages: list[JSONObject] = []
    waiting = [message for message in _messages(body) if message["role"] == "tool"]
    for message in _messages(body):
        if message["role"] != "tool":
            messages.append(message)
        for call in message.get("tool_calls") or []:
            result = next((result for result in waiting if result.get("tool_call_id") == call["id"]), None)
            if result is not None:
                waiting.remove(result)
                messages.append(result)
    return {**body, "messages": messages} if not waiting else body


def index_and_inner_type(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for position, call in enumerate(_calls(body)):
        call["index"] = position
    for tool in body.get("tools") or []:
        tool["function"]["type"] = "function"
    return body


def arguments_spaced(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for call in _calls(body):
        try:
            value = json.loads(call["function"]["arguments"])
        except ValueError:
            continue
        if isinstance(value, dict):
            turned = dict(reversed(value.items()))
            call["function"]["arguments"] = json.dumps(turned, indent=1, ensure_ascii=True)
    return body


def ids_renamed(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for message in _messages(body):
        if "tool_call_id" in message:
            message["tool_call_id"] = f"renamed-{message['tool_call_id']}"
    for call in _calls(body):
        call["id"] = f"renamed-{call['id']}"
    return body


def detail_auto(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for message in _messages(body):
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            if part.get("type") == "image_url":
                part["image_url"].setdefault("detail", "auto")
    return body


def older_limit(body: JSONObject) -> JSONObject:
    body = _copy(body)
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    return body


def defaults_written(body: JSONObject) -> JSONObject:
    return {
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "response_format": {"type": "text"},
        **body,
    }


def who_and_how(body: JSONObject) -> JSONObject:
    return {
        **body,
        "stream": not body.get("stream"),
        "stream_options": {"include_usage": False},
        "user": "someone",
        "metadata": {"run": "7"},
        "store": False,
        "service_tier": "flex",
        "prompt_cache_key": "cache",
        "prompt_cache_retention": "24h",
        "safety_identifier": "someone",
    }


def format_described(body: JSONObject) -> JSONObject:
    body = _copy(body)
    if "json_schema" in (body.get("response_format") or {}):
        body["response_format"]["json_schema"].update(strict=True, description="The requested form")
    return body


def tools_strict(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for tool in body.get("tools") or []:
        tool["function"]["strict"] = True
    return body


def parameters_of_no_function(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for tool in body.get("tools") or []:
        if tool["function"].get("parameters") == {}:
            del tool["function"]["parameters"]
        else:
            tool["function"].setdefault("parameters", {})
    return body


def nulls_written(body: JSONObject) -> JSONObject:
    body = _copy(body)
    for message in _messages(body):
        message.setdefault("refusal", None)
        message.setdefault("name", None)
    for tool in body.get("tools") or []:
        tool["function"].setdefault("strict", None)
    return {"temperature": None, "seed": None, "stop": None, **body}


def sampling_in_extra_body(body: JSONObject) -> JSONObject:
    body = _copy(body)
    extra = {"project_id": "account", **(body.get("extra_body") or {})}
    extra.update((name, body.pop(name)) for name in ("temperature", "top_p", "seed") if name in body)
    return {**body, "extra_body": extra}


def whole_numbers_as_decimals(body: JSONObject) -> JSONObject:
    names = ("temperature", "top_p")
    return {**body, **{name: float(body[name]) for name in names if isinstance(body.get(name), int)}}


REWRITES: list[Rewrite] = [
    reverse_keys,
    text_as_part,
    content_absent_beside_calls,
    content_null_beside_calls,
    content_empty_beside_calls,
    one_message_per_call,
    result_after_each_call,
    index_and_inner_type,
    arguments_spaced,
    ids_renamed,
    detail_auto,
    older_limit,
    defaults_written,
    who_and_how,
    format_described,
    tools_strict,
    parameters_of_no_function,
    nulls_written,
    sampling_in_extra_body,
    whole_numbers_as_decimals,
]
