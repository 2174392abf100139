"""Error messages about faulty bodies, in OpenAI's words."""

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.decode.explain import unsupported_value
from antiphon.wire.json import JSON, JSONObject
from tests.support.bodies import FULL, fault_of, refusal_of


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tools": [{"type": "code_interpreter"}]}, "Missing required parameter: 'tools[0].container'."),
        ({"tools": [{"type": "function"}]}, "Missing required parameter: 'tools[0].name'."),
        ({"tools": [{"name": "f"}]}, "Missing required parameter: 'tools[0].type'."),
        ({"input": [{"role": "user"}]}, "Missing required parameter: 'input[0].content'."),
        ({"input": [{}]}, "Missing required parameter: 'input[0].type'."),
        ({"input": [{"type": "item_reference"}]}, "Missing required parameter: 'input[0].id'."),
        (
            {"input": [{"role": "user", "content": [{"text": "x"}]}]},
            "Missing required parameter: 'input[0].content[0].type'.",
        ),
        ({"text": {"format": {"type": "json_schema"}}}, "Missing required parameter: 'text.format.name'."),
        ({"tool_choice": {"type": "function"}}, "Missing required parameter: 'tool_choice.name'."),
        ({"conversation": {}}, "Missing required parameter: 'conversation.id'."),
    ],
)
def test_B13_missing_parameters(body: JSONObject, message: str) -> None:
    error = refusal_of(body)
    assert (error.message, error.code) == (message, "missing_required_parameter")
    assert f"'{error.param}'" in message


@pytest.mark.parametrize(
    ("body", "param", "expected"),
    [
        ({"max_tool_calls": "1"}, "max_tool_calls", "an integer, but got a string"),
        ({"max_tool_calls": True}, "max_tool_calls", "an integer, but got a boolean"),
        ({"max_tool_calls": 1.5}, "max_tool_calls", "an integer, but got a decimal number"),
        ({"max_output_tokens": 1e30}, "max_output_tokens", "an integer, but got a decimal number"),
        ({"temperature": "hot"}, "temperature", "a decimal number, but got a string"),
        ({"stream": "yes"}, "stream", "a boolean, but got a string"),
        ({"background": 1}, "background", "a boolean, but got an integer"),
        ({"model": 5}, "model", "a string, but got an integer"),
        ({"input": 5}, "input", "a string or an array of items, but got an integer"),
        ({"input": {}}, "input", "a string or an array of items, but got an object"),
        ({"input": [5]}, "input[0]", "an object, but got an integer"),
        ({"input": ["Hi"]}, "input[0]", "an object, but got a string"),
        ({"input": [{"type": 5}]}, "input[0].type", "a string, but got an integer"),
        ({"input": [{"id": 5}]}, "input[0].id", "a string, but got an integer"),
        (
            {"input": [{"role": "user", "content": None}]},
            "input[0].content",
            "a string or an array of items, but got null",
        ),
        ({"tools": {}}, "tools", "an array of items, but got an object"),
        (
            {"tools": [{"type": "function", "name": "f", "parameters": []}]},
            "tools[0].parameters",
            "an object, but got an array",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": 1}}},
            "text.format.schema",
            "an object, but got an integer",
        ),
        ({"metadata": {"a": "x", "b": 1}}, "metadata.b", "a string, but got an integer"),
        ({"metadata": []}, "metadata", "an object, but got an array"),
        ({"include": "all"}, "include", "an array of items, but got a string"),
        ({"tool_choice": 5}, "tool_choice", "a string or an object, but got an integer"),
        ({"conversation": 5}, "conversation", "a string or an object, but got an integer"),
    ],
)
def test_B6_B15_B22_B23_wrong_types(body: JSONObject, param: str, expected: str) -> None:
    error = refusal_of(body)
    assert error.message == f"Invalid type for '{param}': expected {expected} instead."
    assert (error.param, error.code) == (param, "invalid_type")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (
            {"max_tool_calls": 0},
            "integer_below_min_value",
            "integer below minimum value. Expected a value >= 1, but got 0",
        ),
        (
            {"max_tool_calls": -1},
            "integer_below_min_value",
            "integer below minimum value. Expected a value >= 1, but got -1",
        ),
        (
            {"max_output_tokens": -5},
            "integer_below_min_value",
            "integer below minimum value. Expected a value >= 16, but got -5",
        ),
        (
            {"max_output_tokens": 0},
            "integer_below_min_value",
            "integer below minimum value. Expected a value >= 16, but got 0",
        ),
        (
            {"top_logprobs": 21},
            "integer_above_max_value",
            "integer above maximum value. Expected a value <= 20, but got 21",
        ),
        (
            {"temperature": 99},
            "decimal_above_max_value",
            "decimal above maximum value. Expected a value <= 2, but got 99",
        ),
        (
            {"temperature": -1},
            "decimal_below_min_value",
            "decimal below minimum value. Expected a value >= 0, but got -1",
        ),
        (
            {"top_p": -1},
            "decimal_below_min_value",
            "decimal below minimum value. Expected a value >= 0, but got -1",
        ),
        (
            {"top_p": 1.5},
            "decimal_above_max_value",
            "decimal above maximum value. Expected a value <= 1, but got 1.5",
        ),
        (
            {"presence_penalty": -2.5},
            "decimal_below_min_value",
            "decimal below minimum value. Expected a value >= -2, but got -2.5",
        ),
        (
            {"safety_identifier": "x" * 129},
            "string_above_max_length",
            "string too long. Expected a string with maximum length 128, but got a string with length 129",
        ),
        (
            {"context_management": []},
            "array_below_min_length",
            "array too short. Expected an array with minimum length 1, but got an array with length 0",
        ),
    ],
)
def test_B17_B19_B20_B21_values_out_of_bounds(body: JSONObject, code: str, words: str) -> None:
    (param,) = body
    error = refusal_of(body)
    assert error.message == f"Invalid '{param}': {words} instead."
    assert (error.param, error.code) == (param, code)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("two words", "invalid_value"),
        ("a.b", "invalid_value"),
        ("", "string_below_min_length"),
        ("x" * 200, "string_above_max_length"),
    ],
)
def test_B14_names_of_functions(name: str, code: str) -> None:
    error = refusal_of({"tools": [{"type": "function", "name": name}]})
    assert (error.param, error.code) == ("tools[0].name", code)
    assert error.message.startswith("Invalid 'tools[0].name': string ")


def test_the_error_names_the_pattern_of_a_name() -> None:
    error = refusal_of({"tools": [{"type": "function", "name": "a b"}]})
    assert error.message.endswith("Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.")


@pytest.mark.parametrize(
    ("body", "param", "value", "some"),
    [
        (
            {"input": [{"role": "zzz", "content": "x"}]},
            "input[0].role",
            "zzz",
            "'user', 'assistant', 'system', 'developer'",
        ),
        ({"input": [{"type": "zzz"}]}, "input[0].type", "zzz", "'message', 'function_call'"),
        (
            {"input": [{"role": "user", "content": [{"type": "zzz"}]}]},
            "input[0].content[0].type",
            "zzz",
            "'input_text', 'input_image'",
        ),
        ({"tools": [{"type": "zzz"}]}, "tools[0].type", "zzz", "'function', 'custom'"),
        (
            {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "zzz"}]}]},
            "tools[0].tools[0].type",
            "zzz",
            "'function', 'custom'.",
        ),
        ({"tool_choice": "zzz"}, "tool_choice", "zzz", "'none', 'auto', 'required'"),
        ({"tool_choice": {"type": "zzz"}}, "tool_choice.type", "zzz", "'allowed_tools'"),
        ({"include": ["zzz"]}, "include[0]", "zzz", "'message.output_text.logprobs'"),
        ({"truncation": "zzz"}, "truncation", "zzz", "'auto', 'disabled'."),
        (
            {"text": {"format": {"type": "zzz"}}},
            "text.format.type",
            "zzz",
            "'text', 'json_object', 'json_schema'.",
        ),
        ({"text": {"verbosity": "zzz"}}, "text.verbosity", "zzz", "'low', 'medium', 'high'."),
        ({"reasoning": {"effort": "zzz"}}, "reasoning.effort", "zzz", "'minimal', 'low'"),
        ({"service_tier": "zzz"}, "service_tier", "zzz", "'auto', 'default', 'flex'"),
        ({"service_tier": "z" * 200}, "service_tier", "z" * 100 + "...", "'auto'"),
    ],
)
def test_B8_to_B11_B38_to_B40_values_that_are_not_known(
    body: JSONObject, param: str, value: str, some: str
) -> None:
    error = refusal_of(body)
    assert error.message.startswith(f"Invalid value: '{value}'. Supported values are: ")
    assert some in error.message
    assert (error.param, error.code) == (param, "invalid_value")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
)
KEYS = st.sampled_from(
    ["type", "id", "role", "content", "name", "tools", "text", "a.b", "[0]", "", "mode", "output"]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def places(value: JSON, path: str = "") -> list[tuple[str, JSON, JSON]]:
    """Return every container inside `value` with its path, once for each of its keys or indexes."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[tuple[str, JSON, JSON]] = []
    for key, inner in inside:
        step = f"[{key}]" if isinstance(key, int) else f".{key}"
        found += [(path, value, key), *places(inner, (path + step).removeprefix("."))]
    return found


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_fault_anywhere_is_a_400_that_names_the_place(data: st.DataObject) -> None:
    body = copy.deepcopy(FULL)
    path, container, key = data.draw(st.sampled_from(places(body)))
    container[key] = data.draw(VALUES)
    error = fault_of(msgspec.json.encode(body))
    if error is not None:
        assert error.code
        assert error.param
        assert error.param.startswith(path)
        assert error.param in error.message or error.code == "invalid_value"


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_any_json_is_read_or_refused(value: JSON) -> None:
    error = fault_of(msgspec.json.encode(value))
    assert error is None or error.message
    assert error is not None or isinstance(value, dict)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("it's", "it's"), ({"a": None}, '{"a":null}'), ([True, 1.5], "[true,1.5]"), ("x" * 999, "x" * 100)],
)
def test_an_unsupported_value_is_shown_as_json_and_not_as_python(value: JSON, shown: str) -> None:
    error = unsupported_value("type", value, ["a", "b"])
    assert error.message == f"Invalid value: '{shown}'. Supported values are: 'a', 'b'."
    assert (error.code, error.param) == ("invalid_value", "type")
