"""Bodies for `/v1/responses` that are refused, named as in the catalogue of bad inputs."""

from antiphon.wire.json import JSON, JSONObject
from tests.server.refusals import Bad

F: JSONObject = {"type": "function", "name": "f", "parameters": {}}
CALL: JSONObject = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: JSONObject = {"type": "function_call_output", "call_id": "c1", "output": "x"}
CUSTOM: JSONObject = {"type": "custom", "name": "f"}
CUSTOM_CALL: JSONObject = {"type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x"}
CUSTOM_OUTPUT: JSONObject = {"type": "custom_tool_call_output", "call_id": "c1", "output": "x"}
USER: JSONObject = {"role": "user", "content": "Hi"}


def ask(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi"} | more


def raw(**more: str) -> bytes:
    """Return a body whose values are given as JSON texts."""
    values = {"model": '"up/m"', "input": '"Hi"'} | more
    return ("{" + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}").encode()


def image(**part: JSON) -> JSONObject:
    return ask(input=[{"role": "user", "content": [{"type": "input_image"} | part]}])


def choice(**given: JSON) -> JSONObject:
    return ask(tools=[F], tool_choice=given)


def schema(**given: JSON) -> JSONObject:
    return ask(text={"format": {"type": "json_schema", "name": "n", "schema": {}} | given})


BAD: dict[str, Bad] = {
    "B1_empty": Bad(b"", None, "invalid_json"),
    "B2_not_json": Bad(b"hello", None, "invalid_json"),
    "B3_array": Bad([], None, "invalid_type"),
    "B3_null": Bad(b"null", None, "invalid_type"),
    "B4_no_model": Bad({"input": "Hi"}, "model", "missing_required_parameter"),
    "B4_empty_model": Bad(ask(model=""), "model", "missing_required_parameter"),
    "B4_unknown_model": Bad(ask(model="other/m"), "model", "model_not_found", 404),
    "B5_no_input": Bad({"model": "up/m"}, "input", "missing_required_parameter"),
    "B5_no_such_prompt": Bad({"model": "up/m", "prompt": {"id": "pmpt_nope"}}, "prompt", None, 404),
    "B6_input_int": Bad(
        ask(input=5),
        "input",
        "invalid_type",
        says="Invalid type for 'input': expected a string or an array of items, but got an integer instead.",
    ),
    "B7_input_empty": Bad(ask(input=[]), "input", "empty_array"),
    "B8_role": Bad(
        ask(input=[USER, {"role": "zzz", "content": "x"}]),
        "input[1].role",
        "invalid_value",
        says="Invalid value: 'zzz'. Supported values are: 'user', 'assistant', 'system', 'developer'.",
    ),
    "image_compression": Bad(
        ask(image={"context_compression": "enabled"}),
        "image.context_compression",
        "unsupported_value",
        says="Unsupported value: 'image.context_compression' does not support 'enabled' on this server. Use "
        "'auto' or 'disabled'.",
    ),
    "image_compression_unknown": Bad(
        ask(image={"context_compression": "zzz"}), "image.context_compression", "invalid_value"
    ),
    "cache_ttl": Bad(ask(prompt_cache_options={"ttl": "1h"}), "prompt_cache_options.ttl", "invalid_value"),
    "access_program": Bad(ask(access_programs={"cyber": "zzz"}), "access_programs.cyber", "invalid_value"),
    "safety_identifier": Bad(
        ask(safety_identifier="s" * 129), "safety_identifier", "string_above_max_length"
    ),
    "B9_item_type": Bad(ask(input=[{"type": "zzz"}]), "input[0].type", "invalid_value"),
    "B9_no_type": Bad(ask(input=[{"foo": 1}]), "input[0].type", "missing_required_parameter"),
    "B9_item_string": Bad(ask(input=["x"]), "input[0]", "invalid_type"),
    "B10_content_type": Bad(
        ask(input=[{"role": "user", "content": [{"type": "zzz"}]}]),
        "input[0].content[0].type",
        "invalid_value",
    ),
    "B10_no_text": Bad(
        ask(input=[{"role": "user", "content": [{"type": "input_text"}]}]),
        "input[0].content[0].text",
        "missing_required_parameter",
    ),
    "B11_tool_type": Bad(ask(tools=[F, {"type": "zzz"}]), "tools[1].type", "invalid_value"),
    "B11_programs": Bad(
        ask(tools=[{"type": "programmatic_tool_calling"}]),
        "tools[0]",
        "unsupported_tool",
    ),
    "B11_hosted_tool": Bad(ask(tools=[{"type": "image_generation"}]), "tools[0]", "unsupported_tool"),
    "B12_duplicate_names": Bad(ask(tools=[F, F]), "tools[1].name", "invalid_value"),
    "B12_custom_too": Bad(ask(tools=[F, CUSTOM]), "tools[1].name", "invalid_value"),
    "B13_no_name": Bad(ask(tools=[{"type": "function"}]), "tools[0].name", "missing_required_parameter"),
    "B13_no_custom_name": Bad(ask(tools=[{"type": "custom"}]), "tools[0].name", "missing_required_parameter"),
    "B14_name_with_spaces": Bad(ask(tools=[F | {"name": "a b"}]), "tools[0].name", "invalid_value"),
    "B14_long_name": Bad(ask(tools=[F | {"name": "x" * 129}]), "tools[0].name", "string_above_max_length"),
    "B14_custom_name": Bad(ask(tools=[CUSTOM | {"name": "a b"}]), "tools[0].name", "invalid_value"),
    "B15_parameters": Bad(ask(tools=[F | {"parameters": []}]), "tools[0].parameters", "invalid_type"),
    "B16_absent_tool": Bad(
        choice(type="function", name="g"),
        "tool_choice",
        None,
        says="Tool choice 'function' not found in 'tools' parameter.",
    ),
    "B15_format": Bad(
        ask(tools=[CUSTOM | {"format": {"type": "zzz"}}]), "tools[0].format.type", "invalid_value"
    ),
    "B15_grammar": Bad(
        ask(tools=[CUSTOM | {"format": {"type": "grammar", "syntax": "zzz", "definition": "x"}}]),
        "tools[0].format.syntax",
        "invalid_value",
    ),
    "B16_absent_custom_tool": Bad(choice(type="custom", name="f"), "tool_choice", None),
    "B16_absent_type": Bad(choice(type="web_search"), "tool_choice", None),
    "B16_unknown": Bad(ask(tools=[F], tool_choice="zzz"), "tool_choice", "invalid_value"),
    "B16_required_of_none": Bad(ask(tool_choice="required"), "tool_choice", None),
    "B17_temperature": Bad(
        ask(temperature=99),
        "temperature",
        "decimal_above_max_value",
        says="Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 99 instead.",
    ),
    "B17_temperature_negative": Bad(ask(temperature=-1), "temperature", "decimal_below_min_value"),
    "B17_temperature_string": Bad(ask(temperature="hot"), "temperature", "invalid_type"),
    "B18_nan": Bad(raw(temperature="NaN"), None, "invalid_json"),
    "B19_top_p": Bad(ask(top_p=-1), "top_p", "decimal_below_min_value"),
    "B20_tokens_negative": Bad(ask(max_output_tokens=-5), "max_output_tokens", "integer_below_min_value"),
    "B21_tokens_0": Bad(ask(max_output_tokens=0), "max_output_tokens", "integer_below_min_value"),
    "B21_tokens_15": Bad(ask(max_output_tokens=15), "max_output_tokens", "integer_below_min_value"),
    "B22_tokens_1e30": Bad(ask(max_output_tokens=1e30), "max_output_tokens", "invalid_type"),
    "B22_tokens_10_to_the_30": Bad(
        ask(max_output_tokens=10**30), "max_output_tokens", "integer_above_max_value"
    ),
    "B22_calls_10_to_the_30": Bad(ask(max_tool_calls=10**30), "max_tool_calls", "integer_above_max_value"),
    "B22_temperature_10_to_the_400": Bad(ask(temperature=10**400), "temperature", "invalid_value"),
    "B23_stream": Bad(ask(stream="yes"), "stream", "invalid_type"),
    "B25_17_pairs": Bad(
        ask(metadata={str(n): "x" for n in range(17)}), "metadata", "object_above_max_properties"
    ),
    "B26_long_key": Bad(
        ask(metadata={"k" * 65: "x"}), f"metadata.{'k' * 64}...", "property_name_above_max_length"
    ),
    "B27_long_value": Bad(ask(metadata={"k": "v" * 513}), "metadata.k", "string_above_max_length"),
    "B27_value_int": Bad(ask(metadata={"k": 5}), "metadata.k", "invalid_type"),
    "B28_previous": Bad(
        ask(previous_response_id="resp_nope"),
        "previous_response_id",
        "previous_response_not_found",
        says="Previous response with id 'resp_nope' not found.",
    ),
    "B29_previous_and_conversation": Bad(
        ask(previous_response_id="resp_nope", conversation="conv_nope"),
        "previous_response_id",
        "mutually_exclusive_parameters",
    ),
    "B30_conversation": Bad(ask(conversation="conv_nope"), None, None, 404),
    "B30_conversation_object": Bad(ask(conversation={"id": "conv_nope"}), None, None, 404),
    "B30_conversation_malformed": Bad(ask(conversation="thread_1"), "conversation", "invalid_value"),
    "B30_conversation_object_malformed": Bad(
        ask(conversation={"id": "resp_1"}), "conversation.id", "invalid_value"
    ),
    "B30_conversation_int": Bad(ask(conversation=5), "conversation", "invalid_type"),
    "B34_orphan_output": Bad(
        ask(input=[OUTPUT]),
        "input",
        None,
        says="No tool call found for function call output with call_id c1.",
    ),
    "output_without_call_id": Bad(
        ask(input=[CALL, {name: OUTPUT[name] for name in ("type", "output")}]),
        "input[1].call_id",
        "missing_required_parameter",
        says="Missing required parameter: 'input[1].call_id'.",
    ),
    "output_with_null_call_id": Bad(
        ask(input=[CALL, OUTPUT | {"call_id": None}]), "input[1].call_id", "missing_required_parameter"
    ),
    "B34_orphan_custom_output": Bad(ask(input=[CUSTOM_OUTPUT]), "input", None),
    "B35_output_twice": Bad(ask(input=[CALL, OUTPUT, OUTPUT]), "input", None),
    "B36_no_output": Bad(ask(input=[CALL]), "input", None, says="No tool output found for function call c1."),
    "B35_custom_output_twice": Bad(ask(input=[CUSTOM_CALL, CUSTOM_OUTPUT, CUSTOM_OUTPUT]), "input", None),
    "B36_no_custom_output": Bad(ask(input=[CUSTOM_CALL]), "input", None),
    "B37_background": Bad(ask(background=True, store=False), "store", "invalid_value"),
    "B38_include": Bad(ask(include=["zzz"]), "include[0]", "invalid_value"),
    "B39_truncation": Bad(ask(truncation="zzz"), "truncation", "invalid_value"),
    "B40_no_name": Bad(
        ask(text={"format": {"type": "json_schema", "schema": {}}}),
        "text.format.name",
        "missing_required_parameter",
    ),
    "B40_name": Bad(schema(name="a b"), "text.format.name", "invalid_value"),
    "B40_schema": Bad(schema(schema="x"), "text.format.schema", "invalid_type"),
    "B40_type": Bad(schema(type="zzz"), "text.format.type", "invalid_value"),
    "B41_nul": Bad(raw(input=r'"a\u0000b"'), None, "invalid_json"),
    "B41_nul_byte": Bad(raw(input='"a\0b"'), None, "invalid_json"),
    "B42_lone_surrogate": Bad(raw(input=r'"a\ud800b"'), None, "invalid_json"),
    "B42_not_utf8": Bad(b'{"model": "up/m", "input": "\xff"}', None, "invalid_json"),
    "B43_deep_input": Bad(raw(input="[" * 20000 + "]" * 20000), None, "invalid_json"),
    "B43_deep_schema": Bad(
        raw(tools='[{"type": "function", "name": "f", "parameters": ' + '{"a":' * 20000 + "1" + "}" * 20000),
        None,
        "invalid_json",
    ),
    "B43_deep_unknown": Bad(raw(zzz="[" * 20000 + "]" * 20000), None, "invalid_json"),
    "B51_not_an_image": Bad(image(image_url="data:text/plain;base64,aGk="), "input", "invalid_value"),
    "B51_a_file": Bad(
        image(image_url="file:///etc/passwd"), "input[0].content[0].image_url", "invalid_value"
    ),
    "B51_nothing": Bad(image(), "input[0].content[0]", "missing_required_parameter"),
    "B51_no_file": Bad(
        ask(input=[{"role": "user", "content": [{"type": "input_file", "filename": "a.txt"}]}]),
        "input[0].content[0]",
        "missing_required_parameter",
    ),
    "a_strange_compaction": Bad(
        ask(input=[{"type": "compaction", "encrypted_content": "gAAA"}]),
        "input[0].encrypted_content",
        "invalid_encrypted_content",
    ),
    "changed_reasoning": Bad(
        ask(input=[USER, {"type": "reasoning", "summary": [], "encrypted_content": "antiphon1.AAAA"}]),
        "input[1].encrypted_content",
        "invalid_encrypted_content",
    ),
    "compact_threshold": Bad(
        ask(context_management=[{"type": "compaction", "compact_threshold": 5}]),
        "context_management[0].compact_threshold",
        "integer_below_min_value",
    ),
    "id_of_another_type": Bad(
        ask(input=[USER | {"id": "rs_1"}]),
        "input[0].id",
        "invalid_value",
        says="Invalid 'input[0].id': 'rs_1'. Expected an ID that begins with 'msg'.",
    ),
    "id_twice": Bad(ask(input=[USER | {"id": "msg_1"}, USER | {"id": "msg_1"}]), "input", None),
    "unknown_reference": Bad(ask(input=[{"type": "item_reference", "id": "msg_nope"}]), "input", None, 404),
    "unknown_reference_in_a_conversation": Bad(
        ask(input=[{"id": "msg_nope"}], conversation="CONVERSATION"), "input", None, 404
    ),
}
