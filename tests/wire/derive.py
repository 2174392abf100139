"""Chat chunks of a backend, derived from api.openai.com's answers that they would lead to."""

import json

import msgspec

from antiphon.wire.json import JSON, JSONObject
from tests.wire.recordings import Exchange

HOSTED_CALLS = {
    *("web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "image_generation_call"),
}
"""Items that represent a call by a chat model."""

OPAQUE = "opaque"
"""Hidden reasoning of a backend where the recording shows none."""


def chunks_of(exchange: Exchange) -> list[bytes]:
    """Return the chunks of the only model call, in order."""
    [chunks] = replies_of(exchange)
    return chunks


def replies_of(exchange: Exchange) -> list[list[bytes]]:
    """Return the chunks of each model call, in order: a call of a hosted tool ends one.

    The last call has the usage of all.
    """
    if exchange.events:
        deltas = _from_events(exchange.events)
        response = exchange.events[-1]["response"]
    else:
        deltas = _from_items(exchange.body["output"])
        response = exchange.body
    replies: list[list[JSONObject]] = [[]]
    for delta in deltas:
        replies[-1].append(delta)
        if _is_end(delta):
            replies.append([])
    replies[-1] += _ending(response)
    first = _chunk({"role": "assistant", "content": ""})
    return [[msgspec.json.encode(chunk) for chunk in [first, *reply]] for reply in replies]


def _from_events(events: list[JSONObject]) -> list[JSONObject]:
    """Return one chunk for each delta."""
    done = {e["output_index"]: e["item"] for e in events if e["type"] == "response.output_item.done"}
    chunks: list[JSONObject] = []
    for event in events:
        index = event.get("output_index", 0)
        match event["type"]:
            case "response.output_item.added":
                chunks += _beginning(done.get(index) or event["item"], index)
            case "response.reasoning_summary_text.delta":
                chunks.append(_summary(event["summary_index"], event["delta"]))
            case "response.reasoning_text.delta":
                chunks.append(_chunk({"reasoning_details": [_detail("text", text=event["delta"])]}))
            case "response.output_text.delta":
                chunks.append(_text(event["delta"], event.get("logprobs")))
            case "response.refusal.delta":
                chunks.append(_chunk({"refusal": event["delta"]}))
            case "response.function_call_arguments.delta":
                chunks.append(_arguments(index, event["delta"]))
            case "response.code_interpreter_call_code.delta":
                chunks.append(_arguments(0, json.dumps(event["delta"])[1:-1]))
            case "response.code_interpreter_call_code.done":
                chunks += [_arguments(0, '"}'), _end("tool_calls")]
    return chunks


def _from_items(items: list[JSONObject]) -> list[JSONObject]:
    """Return whole items, each in the fewest chunks."""
    chunks: list[JSONObject] = []
    for index, item in enumerate(items):
        chunks += _beginning(item, index)
        match item["type"]:
            case "code_interpreter_call":
                chunks += [_arguments(0, json.dumps(item["code"])[1:-1] + '"}'), _end("tool_calls")]
            case "reasoning":
                chunks += [_summary(place, part["text"]) for place, part in enumerate(item["summary"])]
            case "message":
                for part in item["content"]:
                    if part["type"] == "refusal":
                        chunks.append(_chunk({"refusal": part["refusal"]}))
                    else:
                        chunks.append(_text(_marked(part), part.get("logprobs")))
            case "function_call":
                chunks.append(_arguments(index, item["arguments"]))
    return chunks


def _beginning(item: JSONObject, index: int) -> list[JSONObject]:
    """Return the delta before the first one of an item; messages have none."""
    if item["type"] == "function_call":
        function = {"name": item["name"], "arguments": ""}
        call = {"index": index, "id": item["call_id"], "type": "function", "function": function}
        return [_chunk({"tool_calls": [call]})]
    if item["type"] == "code_interpreter_call":
        function = {"name": "code_interpreter", "arguments": '{"code": "'}
        call = {"index": 0, "id": f"call_{index}", "type": "function", "function": function}
        return [_chunk({"tool_calls": [call]})]
    if item["type"] in HOSTED_CALLS:
        name, arguments = hosted_function(item)
        function = {"name": name, "arguments": arguments}
        call = {"index": 0, "id": f"call_{index}", "type": "function", "function": function}
        return [_chunk({"tool_calls": [call]}), _end("tool_calls")]
    hidden = item.get("encrypted_content") or (None if item.get("summary") else OPAQUE)
    if item["type"] == "reasoning" and hidden:
        return [_chunk({"reasoning_details": [_detail("encrypted", data=hidden)]})]
    return []


def hosted_function(item: JSONObject) -> tuple[str, str]:
    """Return the function that represents a call of a hosted tool, and its arguments as JSON."""
    if item["type"] == "mcp_call":
        return item["name"], item["arguments"]
    if item["type"] == "file_search_call":
        return "file_search", json.dumps({"query": item["queries"][0]})
    if item["type"] == "image_generation_call":
        return "image_generation", json.dumps({"prompt": item["revised_prompt"]})
    action = dict(item["action"])
    kind = action.pop("type")
    if kind == "search":
        return "web_search", json.dumps({"query": action["query"]})
    return kind, json.dumps(action)


def _marked(part: JSONObject) -> str:
    """Return the text with a mark for each cited file, as a model writes it when instructed to."""
    text: str = part["text"]
    for note in reversed(part["annotations"]):
        if note["type"] == "file_citation":
            text = f"{text[: note['index']]} <|{note['file_id']}|>{text[note['index'] :]}"
    return text


def _ending(response: JSONObject) -> list[JSONObject]:
    """Return the chunk with the finish_reason, and the one with the usage."""
    reasons = {"max_output_tokens": "length", "content_filter": "content_filter"}
    if response["incomplete_details"]:
        reason = reasons[response["incomplete_details"]["reason"]]
    else:
        has_calls = any(item["type"] == "function_call" for item in response["output"])
        reason = "tool_calls" if has_calls else "stop"
    usage = response["usage"]
    chat_usage = {
        "prompt_tokens": usage["input_tokens"],
        "prompt_tokens_details": usage["input_tokens_details"],
        "completion_tokens": usage["output_tokens"],
        "completion_tokens_details": usage["output_tokens_details"],
        "total_tokens": usage["total_tokens"],
    }
    last = _end(reason) | {"service_tier": response.get("service_tier")}
    return [last, {"choices": [], "usage": chat_usage}]


def _end(reason: str) -> JSONObject:
    chunk = _chunk({})
    chunk["choices"][0]["finish_reason"] = reason
    return chunk


def _is_end(chunk: JSONObject) -> bool:
    return chunk["choices"][0]["finish_reason"] is not None


def _chunk(delta: JSONObject) -> JSONObject:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "recorded",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
    }


def _text(text: str, logprobs: JSON) -> JSONObject:
    chunk = _chunk({"content": text})
    if logprobs:
        chunk["choices"][0]["logprobs"] = {"content": logprobs}
    return chunk


def _arguments(index: int, delta: str) -> JSONObject:
    return _chunk({"tool_calls": [{"index": index, "function": {"arguments": delta}}]})


def _summary(index: int, delta: str) -> JSONObject:
    return _chunk({"reasoning_details": [_detail("summary", summary=delta, index=index)]})


def _detail(kind: str, **fields: JSON) -> JSONObject:
    """Return a piece of reasoning in OpenRouter's form."""
    return {"type": f"reasoning.{kind}", **fields}
