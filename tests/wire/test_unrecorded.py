"""Events and fields that no recording shows, checked against the descriptions."""

import asyncio

import msgspec
import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.support.schemas import check_event, check_openresponses_event
from tests.wire.engine import Run, ScriptedModel

FUNCTION = {"type": "function", "name": "f"}
LOGPROB = {"token": "hé", "logprob": -0.5}
BYTES = list("hé".encode())
WHOLE = LOGPROB | {"bytes": BYTES, "top_logprobs": [LOGPROB | {"bytes": BYTES}]}


def run(request: JSONObject, *deltas: JSONObject, finish: str = "stop", logprobs: JSON = None) -> Run:
    """Run the deltas as chunks, and check every event against OpenAI's description."""
    choices: list[JSONObject] = [{"index": 0, "delta": delta, "logprobs": logprobs} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": finish})
    chunks = [msgspec.json.encode({"choices": [choice]}) for choice in choices]
    done = Run({"model": "m", "input": "hi", **request}, ScriptedModel(chunks))
    asyncio.run(done.play())
    for event in done.events:
        check_event(event)
    return done


def only_item(done: Run) -> JSONObject:
    (item,) = done.events[-1]["response"]["output"]
    assert isinstance(item, dict)
    return item


@pytest.mark.parametrize(
    "sent",
    [
        WHOLE,
        LOGPROB | {"bytes": None, "top_logprobs": [LOGPROB | {"bytes": None}]},
        LOGPROB | {"top_logprobs": [LOGPROB]},
    ],
)
def test_logprobs_are_whole_however_the_backend_sends_them(sent: JSONObject) -> None:
    request = {"include": ["message.output_text.logprobs"], "top_logprobs": 1}
    done = run(request, {"content": "hé"}, logprobs={"content": [sent]})
    assert only_item(done)["content"][0]["logprobs"] == [WHOLE]
    for event in done.events:
        check_openresponses_event(event)
        if event["type"].startswith("response.output_text"):
            assert event["logprobs"] == [WHOLE]


def test_top_logprobs_may_be_null() -> None:
    request = {"include": ["message.output_text.logprobs"]}
    done = run(request, {"content": "hé"}, logprobs={"content": [LOGPROB | {"top_logprobs": None}]})
    assert only_item(done)["content"][0]["logprobs"] == [LOGPROB | {"bytes": BYTES, "top_logprobs": []}]


def test_logprobs_that_nobody_asked_for_are_not_shown() -> None:
    done = run({}, {"content": "hé"}, logprobs={"content": [WHOLE]})
    assert only_item(done)["content"][0]["logprobs"] == []


def test_a_refusal() -> None:
    done = run({}, {"refusal": "I can"}, {"refusal": "not."})
    assert only_item(done)["content"] == [{"type": "refusal", "refusal": "I cannot."}]
    for event in done.events:
        check_openresponses_event(event)


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_a_message_that_was_cut(finish: str, reason: str) -> None:
    done = run({}, {"content": "half a sen"}, finish=finish)
    last = done.events[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": reason}
    assert only_item(done)["status"] == "incomplete"
    for event in done.events:
        check_openresponses_event(event)


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning": "hm"},
        {"reasoning_content": "hm"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"content": "<think>hm</think>"},
    ],
)
def test_raw_reasoning(delta: JSONObject) -> None:
    done = run({}, delta, {"content": "Paris."})
    reasoning, message = done.events[-1]["response"]["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert message["content"][0]["text"] == "Paris."


def test_a_call_of_a_function_in_a_namespace() -> None:
    namespace = {"type": "namespace", "name": "n", "description": "d", "tools": [FUNCTION]}
    call = {"index": 0, "id": "call_1", "function": {"name": "n__f", "arguments": "{}"}}
    done = run({"tools": [namespace]}, {"tool_calls": [call]}, finish="tool_calls")
    item = only_item(done)
    assert (item["namespace"], item["name"], item["arguments"]) == ("n", "f", "{}")


def test_every_setting_is_shown_as_it_was_sent() -> None:
    request: JSONObject = {
        "instructions": "Be short.",
        "max_output_tokens": 100,
        "max_tool_calls": 3,
        "metadata": {"team": "a"},
        "parallel_tool_calls": False,
        "previous_response_id": "resp_0",
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "s",
        "service_tier": "flex",
        "store": False,
        "temperature": 0.5,
        "text": {
            "format": {
                "type": "json_schema",
                "name": "n",
                "description": "d",
                "schema": {"type": "object"},
                "strict": True,
            },
            "verbosity": "low",
        },
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [
            FUNCTION | {"description": "d", "parameters": {"type": "object"}, "strict": False},
            FUNCTION | {"name": "g", "description": None, "parameters": {}, "strict": True},
        ],
        "top_logprobs": 2,
        "top_p": 0.9,
        "truncation": "auto",
        "user": "u",
        "presence_penalty": 0.25,
        "frequency_penalty": -0.25,
    }
    done = run(request, {"content": "x"})
    first, last = done.events[0]["response"], done.events[-1]["response"]
    assert {key: first[key] for key in request} == request
    assert {key: last[key] for key in request} == request | {"service_tier": "default"}


def test_a_conversation_is_shown_as_an_object() -> None:
    for conversation in ("conv_1", {"id": "conv_1"}):
        done = run({"conversation": conversation}, {"content": "x"})
        assert done.events[-1]["response"]["conversation"] == {"id": "conv_1"}
