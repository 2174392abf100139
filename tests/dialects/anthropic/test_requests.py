"""Requests of the Messages API: what they become, and what is refused."""

import msgspec
import pytest

from antiphon.dialects.anthropic.requests import count_request, shown_thinking
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject
from tests.dialects.anthropic.asked import HI, OURS, asked, body, items, user

TOOL: JSONObject = {"name": "f", "input_schema": {"type": "object"}}


def test_a_message_is_a_response_that_is_not_stored() -> None:
    request = asked(
        system=[
            {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "Be short."},
        ],
        temperature=0.5,
        top_p=0.9,
        max_tokens=1,
        metadata={"user_id": "u"},
        stream=True,
    )
    assert (request.store, request.stream) == (False, True)
    assert request.instructions == "Be kind.\n\nBe short."
    assert (request.temperature, request.top_p, request.max_output_tokens) == (0.5, 0.9, 1)
    assert (request.safety_identifier, request.user) == ("u", None)
    assert request.include is None


def test_a_long_user_id_is_the_user() -> None:
    request = asked(metadata={"user_id": "u" * 129})
    assert (request.safety_identifier, request.user) == (None, "u" * 129)


def test_system_messages_stay_at_their_place() -> None:
    assert items(HI, {"role": "system", "content": "Be kind."}) == [
        {"type": "message", "role": "user", "content": "Hi"},
        {"type": "message", "role": "developer", "content": "Be kind."},
    ]


def test_a_tool_loop_becomes_calls_and_outputs() -> None:
    assistant = [
        {"type": "thinking", "thinking": "Hm", "signature": OURS},
        {"type": "thinking", "thinking": "", "signature": OURS},
        {"type": "thinking", "thinking": "Foreign", "signature": "Ep0B"},
        {"type": "redacted_thinking", "data": OURS},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
    ]
    found = items(
        HI,
        {"role": "assistant", "content": assistant},
        user(
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain"},
            {"type": "text", "text": "Well?"},
        ),
    )
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": OURS}
    assert found[1:] == [
        reasoning,
        reasoning,
        reasoning,
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "arguments": '{"a":1}', "call_id": "toolu_1", "name": "f"},
        {"type": "function_call_output", "call_id": "toolu_1", "output": "Rain"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Well?"}]},
    ]


@pytest.mark.parametrize(
    ("result", "output"),
    [
        ({}, ""),
        ({"content": "No", "is_error": True}, "Error: No"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        (
            {
                "content": [{"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}],
                "is_error": True,
            },
            [
                {"type": "input_text", "text": "Error:"},
                {"type": "input_image", "image_url": "https://x.test/a.png"},
            ],
        ),
    ],
)
def test_results_of_tools_have_texts_or_parts(result: JSONObject, output: JSON) -> None:
    found = items(user({"type": "tool_result", "tool_use_id": "t"} | result))
    assert found == [{"type": "function_call_output", "call_id": "t", "output": output}]


@pytest.mark.parametrize(
    ("choice", "wanted", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "f"}, {"type": "function", "name": "f"}, None),
    ],
)
def test_tools_and_their_choice(choice: JSON, wanted: JSON, parallel: bool | None) -> None:
    request = asked(tools=[TOOL | {"type": "custom", "description": "Does f."}], tool_choice=choice)
    assert msgspec.to_builtins(request.tool_choice) == wanted
    assert request.parallel_tool_calls is parallel
    assert msgspec.to_builtins(request.tools) == [
        {
            "type": "function",
            "name": "f",
            "description": "Does f.",
            "parameters": {"type": "object"},
            "strict": False,
        }
    ]


@pytest.mark.parametrize(
    ("thinking", "effort", "shown"),
    [
        (None, None, "hidden"),
        ({"type": "disabled"}, None, "hidden"),
        ({"type": "adaptive"}, None, "summarized"),
        ({"type": "between_tools", "display": "omitted"}, None, "omitted"),
        ({"type": "enabled", "budget_tokens": 1024}, "low", "summarized"),
        ({"type": "enabled", "budget_tokens": 5000}, "medium", "summarized"),
        ({"type": "enabled", "budget_tokens": 32000}, "high", "summarized"),
    ],
)
def test_thinking_is_reasoning_with_an_effort(thinking: JSON, effort: str | None, shown: str) -> None:
    request = asked(thinking=thinking)
    assert (None if request.reasoning is None else request.reasoning.effort) == effort
    assert shown_thinking(body(thinking=thinking)) == shown
    assert request.include == (None if shown == "hidden" else ["reasoning.encrypted_content"])


def test_the_output_has_an_effort_and_a_format() -> None:
    schema = {"type": "object"}
    request = asked(output_config={"effort": "max", "format": {"type": "json_schema", "schema": schema}})
    assert request.reasoning is not None
    assert request.reasoning.effort == "max"
    assert request.text is not None
    assert msgspec.to_builtins(request.text.format) == {
        "type": "json_schema",
        "name": "output",
        "schema": schema,
        "strict": True,
    }


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"top_k": 5}, "top_k"),
        ({"mcp_servers": [{"name": "x"}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"output_config": {"task_budget": {"total": 1}}}, "output_config.task_budget"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [TOOL | {"allowed_callers": ["code_execution"]}]}, "tools[0].allowed_callers"),
        ({"messages": [HI, {"role": "assistant", "content": "The"}]}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [user()]}, "messages"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"messages": [user({"type": "search_result"})]}, "messages[0].content[0].type"),
        (
            {"messages": [user({"type": "tool_use", "id": "t", "name": "f", "input": {}})]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
                    HI,
                ]
            },
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    HI,
                    {"role": "system", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
                ]
            },
            "messages[1].content[0]",
        ),
    ],
)
def test_what_the_server_does_not_support_is_refused(given: JSONObject, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(**given)
    assert caught.value.param == param


def test_counting_has_the_system_prompt_and_the_tools() -> None:
    request = count_request(body(system="Be kind.", tools=[TOOL]), lambda sealed: False)
    assert (request.model, request.instructions) == ("m", "Be kind.")
    assert request.tools is not None
    assert len(request.tools) == 1
