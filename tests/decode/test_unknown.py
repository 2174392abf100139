"""Unknown fields of bodies: their paths, and those that are always rejected."""

import msgspec
import pytest

from antiphon.decode.bodies import BodyDecoder, create_conversation, create_response
from antiphon.errors import InvalidRequest
from antiphon.wire.configuration import JsonSchemaFormat
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse

SAID: JSONObject = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
FUNCTION: JSONObject = {"type": "function", "name": "f", "parameters": {"zzz": {"yyy": 1}}}


def unknown(body: JSONObject) -> list[str]:
    """Return the unknown fields of a body that is valid."""
    encoded = msgspec.json.encode(body)
    create_response.decode(encoded)
    return create_response.unknown(encoded)


def test_a_body_of_known_fields_has_no_unknown_ones() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"zzz": 1}}
    assert (
        unknown(
            {
                "model": "m",
                "input": [SAID, {"role": "user", "content": "Hi"}, {"id": "msg_1"}],
                "tools": [FUNCTION, {"type": "namespace", "name": "n", "tools": [FUNCTION]}],
                "tool_choice": {"type": "function", "name": "f"},
                "metadata": {"zzz": "1"},
                "text": {"format": schema, "verbosity": "low"},
                "prompt": {"id": "p", "variables": {"zzz": {"type": "input_text", "text": "x"}}},
                "conversation": {"id": "conv_1"},
                "reasoning": None,
            }
        )
        == []
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"zzz": 1}, "zzz"),
        ({"zzz": None}, "zzz"),
        ({"zzz.y, [0]": 1}, "zzz.y, [0]"),
        ({"reasoning": {"zzz": {"yyy": 1}}}, "reasoning.zzz"),
        ({"text": {"format": {"type": "text", "zzz": 1}}}, "text.format.zzz"),
        ({"input": [SAID, SAID | {"zzz": 1}]}, "input[1].zzz"),
        ({"input": [{"role": "user", "content": "Hi", "zzz": 1}]}, "input[0].zzz"),
        (
            {"input": [SAID | {"content": [{"type": "input_text", "text": "", "zzz": 1}]}]},
            "input[0].content[0].zzz",
        ),
        ({"tools": [FUNCTION | {"zzz": 1}]}, "tools[0].zzz"),
        ({"tool_choice": {"type": "function", "name": "f", "zzz": 1}}, "tool_choice.zzz"),
        (
            {"prompt": {"id": "p", "variables": {"a": {"type": "input_text", "text": "", "zzz": 1}}}},
            "prompt.variables.a.zzz",
        ),
    ],
)
def test_the_path_of_an_unknown_field(body: JSONObject, path: str) -> None:
    assert unknown(body) == [path]


def test_the_fields_of_another_type_are_unknown() -> None:
    assert unknown({"input": [SAID | {"summary": []}]}) == ["input[0].summary"]


def test_at_most_20_fields_are_named() -> None:
    assert len(unknown({f"zzz{number}": 1 for number in range(100)})) == 20
    assert len(unknown({"input": [SAID | {"zzz": 1, "yyy": 1}] * 100})) == 20


def test_the_item_lists_of_other_bodies_are_checked_too() -> None:
    body = msgspec.json.encode({"items": [{"role": "user", "content": "Hi", "zzz": 1}]})
    assert create_conversation.unknown(body) == ["items[0].zzz"]


class Body(msgspec.Struct):
    """Body with a list of one type, whose tag may be absent."""

    formats: list[JsonSchemaFormat]


def test_a_tag_may_be_absent_where_it_decides_nothing() -> None:
    decoder = BodyDecoder(Body)
    body = msgspec.json.encode({"formats": [{"name": "n", "schema": {}, "zzz": 1}]})
    assert decoder.unknown(body) == ["formats[0].zzz"]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("max_infer_iters", "Use 'max_tool_calls' to limit the calls of hosted tools."),
        ("max_tokens", "Use 'max_output_tokens'."),
        ("max_completion_tokens", "Use 'max_output_tokens'."),
    ],
)
@pytest.mark.parametrize("value", [1, ["llama-guard"], {"a": 1}, 0])
def test_a_field_that_promises_protection_or_a_limit_is_rejected(name: str, advice: str, value: JSON) -> None:
    with pytest.raises(InvalidRequest) as caught:
        unknown({"model": "m", "input": "Hi", name: value})
    expected = f"Unsupported parameter: '{name}' is not supported by this server. {advice}"
    assert (str(caught.value), caught.value.param, caught.value.code) == (
        expected,
        name,
        "unsupported_parameter",
    )


@pytest.mark.parametrize("value", [None, [], {}])
def test_without_a_value_it_promises_nothing(value: JSON) -> None:
    assert unknown({"max_tokens": value}) == ["max_tokens"]


def test_only_the_body_itself_can_promise_something() -> None:
    assert unknown({"reasoning": {"max_tokens": 5}}) == ["reasoning.max_tokens"]


def test_every_field_of_a_request_is_known() -> None:
    assert unknown(dict.fromkeys(CreateResponse.__struct_fields__)) == []
