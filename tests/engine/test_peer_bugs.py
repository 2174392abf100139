"""Bugs of other self-hosted servers, each named after the server and its fault."""

import asyncio

import msgspec
import pytest

from antiphon.decode.bodies import create_response
from antiphon.engine.request.messages import translate_items
from antiphon.engine.request.translate import translate
from antiphon.errors import InvalidRequest, UpstreamBroken, UpstreamRefused
from antiphon.settings.backends import PRESETS, Capabilities
from antiphon.wire.chat import ChatMessage
from antiphon.wire.content import OutputText
from antiphon.wire.items import FunctionCall, FunctionCallOutput, Item, Message
from antiphon.wire.json import JSON, JSONObject
from tests.engine.looping import ScriptedModel, run
from tests.engine.replies import CALLED, STOP, THINK, USAGE, assemble, call, chunk, raw
from tests.support.immediate import at_once

TOOLS: JSON = [{"type": "function", "name": "f"}]


def messages(*items: Item) -> list[ChatMessage]:
    return at_once(translate_items(list(items), Capabilities()))


def chat(body: JSONObject, capabilities: Capabilities | None = None) -> JSONObject:
    request = create_response.decode(msgspec.json.encode(body))
    items: list[Item] = [Message(role="developer", content="d")]
    translated = at_once(translate(request, items, "m", capabilities or Capabilities()))
    decoded: JSONObject = msgspec.json.decode(msgspec.json.encode(translated.chat_request))
    return decoded


# 1


def test_ogx_equal_user_messages_are_both_kept() -> None:
    again = [Message(role="user", content="more"), Message(role="user", content="more")]
    assert [message["content"] for message in messages(*again)] == ["more", "more"]


# 2


def test_ogx_text_beside_tool_calls_is_kept() -> None:
    reply = assemble(chunk(content="I look."), call(0, "a", "f", "{}"), CALLED)
    assert [item["type"] for item in reply.items] == ["message", "function_call"]
    assert reply.texts() == ["I look."]


def test_ogx_output_text_has_its_done() -> None:
    assert "output_text.done" in assemble(chunk(content="a"), STOP).types


def test_ogx_parallel_calls_have_indexes_of_their_own() -> None:
    reply = assemble(call(0, "a", "f", "{}"), call(1, "b", "f", "{}"), CALLED)
    assert [e["output_index"] for e in reply.events if e["type"] == "response.output_item.added"] == [0, 1]
    indexes = {event.get("item_id"): event["output_index"] for event in reply.events if "item_id" in event}
    assert sorted(indexes.values()) == [0, 1]


def test_ogx_reasoning_is_an_item_that_is_added_before_its_deltas() -> None:
    reply = assemble(chunk(reasoning="hm"), chunk(content="a"), STOP)
    added = next(e["item"] for e in reply.events if e["type"] == "response.output_item.added")
    delta = next(e for e in reply.events if e["type"] == "response.reasoning_text.delta")
    assert (added["type"], added["id"]) == ("reasoning", delta["item_id"])
    assert (delta["output_index"], delta["content_index"]) == (0, 0)


def test_ogx_sequence_numbers_have_no_gaps() -> None:
    batches = [[chunk(reasoning="hm")], [chunk(content="a")], [call(0, "a", "f", "{}"), CALLED], [USAGE]]
    events = asyncio.run(run(ScriptedModel(batches)))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_ogx_an_output_without_its_call_is_a_400_that_says_so() -> None:
    with pytest.raises(InvalidRequest, match="No tool call found for function call output with call_id x"):
        messages(FunctionCallOutput(call_id="x", output="y"))


def test_ogx_parallel_calls_of_a_history_are_one_message() -> None:
    calls = [FunctionCall(call_id=call_id, name="f", arguments="{}") for call_id in "ab"]
    outputs = [FunctionCallOutput(call_id=call_id, output="x") for call_id in "ab"]
    assert [message["role"] for message in messages(*calls, *outputs)] == ["assistant", "tool", "tool"]


def test_ogx_strict_and_description_of_a_schema_are_kept() -> None:
    given = {"type": "json_schema", "name": "n", "description": "d", "schema": {}, "strict": True}
    schema = chat({"text": {"format": given}})["response_format"]["json_schema"]
    assert (schema["description"], schema["strict"]) == ("d", True)


def test_ogx_a_reply_without_finish_reason_is_failed() -> None:
    assert asyncio.run(run(ScriptedModel([[chunk(content="a")]])))[-1]["type"] == "response.failed"


def test_ogx_the_reason_of_an_incomplete_response_is_one_of_the_api() -> None:
    last = asyncio.run(run(ScriptedModel([[chunk(content="a"), chunk("length")]])))[-1]
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


def test_ogx_the_words_of_an_error_inside_a_stream_are_kept() -> None:
    events = asyncio.run(run(ScriptedModel([[raw({"error": {"message": "out of memory"}})]])))
    assert "out of memory" in events[-1]["response"]["error"]["message"]


def test_ogx_a_refused_request_is_no_500() -> None:
    assert UpstreamRefused("bad", upstream_status=400).status == 400
    assert UpstreamRefused("slow", upstream_status=429, headers={"Retry-After": "7"}).headers == {
        "Retry-After": "7"
    }


# 3


def test_vllm_responses_reasoning_is_done_after_its_deltas() -> None:
    types = assemble(chunk(reasoning="a"), chunk(reasoning="b"), chunk(content="c"), STOP).types
    assert types.index("output_item.done") > max(
        i for i, t in enumerate(types) if t == "reasoning_text.delta"
    )


def test_vllm_responses_faults_of_a_body_are_400_in_openais_form() -> None:
    with pytest.raises(InvalidRequest) as caught:
        create_response.decode(b'{"input":5}')
    assert caught.value.status == 400
    body = msgspec.json.decode(msgspec.json.encode(caught.value.body()))
    assert set(body) == {"message", "type", "param", "code"}


def test_vllm_responses_the_error_event_is_nested() -> None:
    events = asyncio.run(run(ScriptedModel([], UpstreamBroken("cut"))))
    error = next(event for event in events if event["type"] == "error")
    assert set(error) == {"type", "sequence_number", "error"}
    assert set(error["error"]) == {"message", "type", "param", "code"}


# 4


def test_responses_js_every_item_has_the_next_index() -> None:
    reply = assemble(chunk(reasoning="hm"), chunk(content="a"), call(0, "a", "f", "{}"), CALLED)
    assert [e["output_index"] for e in reply.events if e["type"] == "response.output_item.added"] == [0, 1, 2]


def test_responses_js_every_tool_call_of_a_delta_counts() -> None:
    entries = [{"index": i, "id": f"c{i}", "function": {"name": "f", "arguments": "{}"}} for i in range(3)]
    reply = assemble(chunk(tool_calls=entries), CALLED)
    assert reply.calls() == [("c0", "f", "{}"), ("c1", "f", "{}"), ("c2", "f", "{}")]


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_responses_js_the_finish_reason_is_heeded(reason: str) -> None:
    last = asyncio.run(run(ScriptedModel([[chunk(content="a"), chunk(reason)]])))[-1]
    assert last["type"] == "response.incomplete"


def test_responses_js_a_call_of_a_history_is_the_assistants() -> None:
    item = FunctionCall(call_id="a", name="f", arguments='{"x":1}')
    first = messages(item, FunctionCallOutput(call_id="a", output="y"))[0]
    assert first["role"] == "assistant"
    assert first["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x":1}'}


def test_responses_js_developer_messages_are_kept() -> None:
    assert chat({})["messages"] == [{"role": "developer", "content": "d"}]


# 5


def test_openresponses_gw_what_the_assistant_said_is_kept() -> None:
    item = Message(role="assistant", content=[OutputText(text="I said so.")])
    assert messages(item) == [{"role": "assistant", "content": "I said so."}]


def test_openresponses_gw_text_after_other_items_has_its_own_index() -> None:
    reply = assemble(chunk(reasoning="hm"), chunk(content="a"), STOP)
    text = [e["output_index"] for e in reply.events if "output_text" in e["type"]]
    assert set(text) == {1}


def test_openresponses_gw_a_format_is_given_on() -> None:
    assert chat({"text": {"format": {"type": "json_object"}}})["response_format"] == {"type": "json_object"}


# 6


def test_open_responses_server_a_string_is_one_input() -> None:
    assert create_response.decode(b'{"input":"Hello"}').input == "Hello"


@pytest.mark.parametrize("choice", ["none", "auto", "required"])
def test_open_responses_server_tool_choice_is_given_on(choice: str) -> None:
    assert chat({"tools": TOOLS, "tool_choice": choice})["tool_choice"] == choice


def test_litellm_log_probabilities_and_cache_keys_are_given_on() -> None:
    request = chat({"top_logprobs": 2, "prompt_cache_key": "k"})
    assert (request["top_logprobs"], request["prompt_cache_key"]) == (2, "k")


# 7: habits of backends. `test_calls.py` has all forms of tool calls.


def test_backends_begin_with_the_role_only() -> None:
    assert assemble(chunk(role="assistant"), chunk(content="a"), STOP).texts() == ["a"]


def test_backends_send_empty_strings() -> None:
    reply = assemble(
        chunk(content="", tool_calls=[], refusal=""), chunk(content="a"), chunk("stop", content="")
    )
    assert reply.types.count("output_text.delta") == 1


def test_backends_send_null_content_with_tool_calls() -> None:
    entry = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    reply = assemble(chunk(content=None, tool_calls=[entry]), CALLED)
    assert [item["type"] for item in reply.items] == ["function_call"]


def test_backends_say_stop_with_tool_calls() -> None:
    assert assemble(call(0, "a", "f", "{}"), STOP).failure is None


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_backends_name_reasoning_in_two_ways(key: str) -> None:
    deltas: JSONObject = {key: "hm"}
    assert assemble(chunk(**deltas), chunk(content="a"), STOP).reasoning() == ["hm"]


def test_backends_send_reasoning_in_details_or_in_tags() -> None:
    details = chunk(reasoning_details=[{"type": "reasoning.text", "text": "hm"}])
    assert assemble(details, chunk(content="a"), STOP).reasoning() == ["hm"]
    assert assemble(chunk(content="<think>hm</think>a"), STOP, options=THINK).reasoning() == ["hm"]


def test_backends_send_usage_without_choices_or_not_at_all() -> None:
    assert assemble(chunk(content="a"), STOP, USAGE).assembler.usage is not None
    assert assemble(chunk(content="a"), STOP).assembler.usage is None


def test_backends_put_errors_into_a_stream_with_status_200() -> None:
    failure = assemble(chunk(content="a"), raw({"error": {"message": "worker died"}})).failure
    assert failure is not None
    assert "worker died" in failure.message


def test_backends_cut_the_stream_without_a_finish_reason() -> None:
    assert assemble(chunk(content="a")).failure is not None


@pytest.mark.parametrize("kind", ["ollama", "lmstudio", "other"])
def test_backends_refuse_parameters_that_they_do_not_know(kind: JSON) -> None:
    body: JSONObject = {"max_output_tokens": 50, "instructions": "i"}
    request = chat(body, PRESETS[kind])
    assert "max_completion_tokens" not in request
    assert request["max_tokens"] == 50
    assert {message["role"] for message in request["messages"]} == {"system"}


def test_backends_refuse_parallel_tool_calls() -> None:
    body: JSONObject = {"tools": TOOLS, "parallel_tool_calls": True}
    assert chat(body)["parallel_tool_calls"] is True
    assert "parallel_tool_calls" not in chat(body, Capabilities(parallel_tool_calls=False))


def test_backends_refuse_stream_options() -> None:
    assert "stream_options" not in chat({}, Capabilities(stream_usage=False))
