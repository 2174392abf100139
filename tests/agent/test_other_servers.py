"""Agents over the streams of other Responses servers, in the form that those servers send them.

Neither form has `event:` lines or `[DONE]`. llama-stack's sends argument deltas before the item that they
belong to, and no `output_text.done`. The other form has only the events that a minimal server needs, without
item ids and sequence numbers.
"""

import json
from collections.abc import Callable

import pytest

from antiphon.agent import TurnCompleted
from antiphon.agent.functions.tools import Tool
from antiphon.wire.json import JSONObject
from tests.agent.running import Runner
from tests.agent.scripted import Script, ended, message
from tests.agent.wellformed import check, executions, shape, text_of

ARGUMENTS = '{"city": "Oslo"}'


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"It is cold in {city}."


def call(**rest: str) -> JSONObject:
    return {"type": "function_call", "call_id": "call_1", "name": "get_weather", **rest}


def response(event: str, number: int) -> JSONObject:
    status = {"id": f"resp_{number}", "object": "response", "status": "in_progress", "output": []}
    return {"type": f"response.{event}", "response": status}


def llama_stack(number: int) -> list[JSONObject]:
    """Return the stream of response 1, with an MCP and a function call, or of response 2, with a text."""
    start = [response("created", number), response("in_progress", number)]
    place = {"output_index": 0, "response_id": f"resp_{number}"}
    if number == 2:
        text = {"type": "response.output_text.delta", "item_id": "msg_1", "content_index": 0, **place}
        part = {"type": "output_text", "text": "", "annotations": []}
        added = {"type": "response.content_part.added", "item_id": "msg_1", "content_index": 0, "part": part}
        pieces = [{**text, "delta": piece} for piece in ("It is ", "cold.")]
        return [*start, {**added, **place}, *pieces, ended(message("It is cold."), number=number)]
    found = {"type": "mcp_call", "id": "mcp_1", "name": "find", "server_label": "map", "arguments": "{}"}
    called = call(id="fc_1", arguments=ARGUMENTS, status="completed")
    return [
        *start,
        {"type": "response.mcp_call.arguments.delta", "item_id": "mcp_1", "delta": "{}", **place},
        {"type": "response.mcp_call.arguments.done", "item_id": "mcp_1", "arguments": "{}", **place},
        {"type": "response.output_item.added", "item": found, **place},
        {"type": "response.mcp_call.in_progress", "item_id": "mcp_1", **place},
        {"type": "response.mcp_call.completed", "item_id": "mcp_1", **place},
        {"type": "response.output_item.done", "item": {**found, "output": "found"}, **place},
        {"type": "response.output_item.added", "item": {**called, "arguments": ""}, **place},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": ARGUMENTS, **place},
        {"type": "response.output_item.done", "item": called, **place},
        ended({**found, "output": "found"}, called, number=number),
    ]


def minimal(number: int) -> list[JSONObject]:
    """Return the same without ids, and without the MCP call."""
    if number == 2:
        text = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0}
        pieces = [{**text, "delta": piece} for piece in ("It is ", "cold.")]
        return [*pieces, ended(message("It is cold."), number=number)]
    place = {"output_index": 0}
    return [
        {"type": "response.output_item.added", "item": call(arguments=""), **place},
        {"type": "response.function_call_arguments.delta", "delta": ARGUMENTS[:5], **place},
        {"type": "response.function_call_arguments.delta", "delta": ARGUMENTS[5:], **place},
        ended(call(arguments=ARGUMENTS), number=number),
    ]


@pytest.mark.parametrize("form", [llama_stack, minimal])
@pytest.mark.parametrize("session", [None, "weather"])
def test_a_turn_with_a_function_works_over_streams_of_other_servers(
    runner: Runner, script: Script, form: Callable[[int], list[JSONObject]], session: str | None
) -> None:
    script.openai_form = False
    script.answers = [form(1), form(2)]
    tools: list[Tool] = [get_weather, {"type": "mcp", "server_label": "map", "server_url": "http://map"}]
    (events,) = runner.with_settings(tools=tools).stream("Is it cold in Oslo?", session=session)
    last = check(events)
    assert isinstance(last, TurnCompleted)
    assert last.final_text == text_of(events) == "It is cold."
    assert last.response_ids == ["resp_1", "resp_2"]
    hosted = ["find", "inference"] if form is llama_stack else []
    assert shape(events) == ["inference", *hosted, "get_weather", "inference"]
    own = executions(events)[-1]
    assert json.loads(own.tool_calls[0].arguments) == {"city": "Oslo"}
    assert script.bodies[1]["input"][0]["output"] == "It is cold in Oslo."
