"""Request bodies: accepted ones, and invalid JSON. `test_explain.py` tests the error messages."""

import msgspec
import pytest

from antiphon.decode.bodies import (
    BodyDecoder,
    create_conversation,
    create_items,
    create_response,
    decode_json,
)
from antiphon.errors import InvalidRequest
from antiphon.wire.content import InputText
from antiphon.wire.conversations import UpdateConversation
from antiphon.wire.items import FunctionCall, FunctionCallOutput, ItemReference, Message, Reasoning
from antiphon.wire.json import JSONObject
from antiphon.wire.responses import CreateResponse
from antiphon.wire.tools import FunctionTool, NamespaceTool, WebSearchTool
from tests.support.bodies import CODEX, fault_of, refusal_of

update_conversation = BodyDecoder(UpdateConversation)


def decoded(body: JSONObject) -> CreateResponse:
    return create_response.decode(msgspec.json.encode(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"hello",
        b"{'input': 'x'}",
        b'{"temperature": NaN}',
        b'{"temperature": Infinity}',
        b'{"model": "m"} {}',
        b'{"input": "\xff"}',
        b'{"input": "a\x00b"}',
        b'{"input": "\\ud800"}',
        b'{"input": "\\ud800 and more text"}',
        b'{"metadata": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"unknown": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_000 + b"}",
    ],
    ids=[
        "B1",
        "cut",
        "B2",
        "quotes",
        "B18",
        "infinity",
        "two",
        "bytes",
        "B41 raw",
        "B42",
        "B42 text",
        "B43",
        "B43 unknown",
    ],
)
def test_B1_B2_B18_B41_B42_B43_bodies_that_are_not_json(body: bytes) -> None:
    error = refusal_of(body)
    assert error.message.startswith("We could not parse the JSON body of your request: ")
    assert error.message.endswith(".")
    assert (error.param, error.code) == (None, "invalid_json")


@pytest.mark.parametrize(
    "body", [b'{"input":"a\\u0000b"}', b'{"zzz":"\\\\\\u0000"}', b'{"metadata":{"\\u0000":"a"}}']
)
def test_B41_NUL_is_refused(body: bytes) -> None:
    """PostgreSQL can't store a null character."""
    error = refusal_of(body)
    assert (error.message, error.code) == (
        "Invalid body: the character U+0000 is not allowed.",
        "invalid_json",
    )


def test_a_backslash_before_u0000_is_no_NUL() -> None:
    assert create_response.decode(b'{"input":"a\\\\u0000b"}').input == "a\\u0000b"


@pytest.mark.parametrize(
    ("body", "kind"), [(b"[]", "an array"), (b"null", "null"), (b"5", "an integer"), (b'"x"', "a string")]
)
def test_B3_bodies_that_are_no_object(body: bytes, kind: str) -> None:
    error = refusal_of(body)
    assert error.message == f"Invalid body: expected an object, but got {kind} instead."
    assert (error.param, error.code) == (None, "invalid_type")


@pytest.mark.parametrize("depth", range(50, 1000, 50))
@pytest.mark.parametrize(
    "around", ['{"input":5,"metadata":%s}', '{"input":[{"role":"user","content":"x"}],"zzz":%s}']
)
def test_B43_any_depth_is_read_or_refused(depth: int, around: str) -> None:
    body = (around % ("[" * depth + "]" * depth)).encode()
    error = fault_of(body)
    assert error is None or error.code in ("invalid_json", "invalid_type")
    assert error is not None or b'"zzz"' in body


def test_B7_an_empty_input_is_a_list_without_items() -> None:
    assert decoded({"input": []}).input == []


def test_B24_unknown_fields_do_no_harm() -> None:
    body = {"zzz": {"a": [1]}, "input": [{"role": "user", "content": "Hi", "zzz": 1}], "text": {"zzz": None}}
    assert decoded(body).input == [Message(role="user", content="Hi")]


def test_null_is_the_default_for_every_parameter() -> None:
    assert decoded(dict.fromkeys(CreateResponse.__struct_fields__)) == decoded({}) == CreateResponse()


@pytest.mark.parametrize("item", [{}, {"type": None}, {"type": "message"}])
def test_the_type_of_a_message_may_be_omitted(item: JSONObject) -> None:
    content = [{"type": "input_text", "text": "Hi"}]
    request = decoded({"input": [item | {"role": "user", "content": content}]})
    assert request.input == [Message(role="user", content=[InputText("Hi")])]


@pytest.mark.parametrize("item", [{}, {"type": None}, {"type": "item_reference"}])
def test_the_type_of_a_reference_may_be_omitted(item: JSONObject) -> None:
    assert decoded({"input": [item | {"id": "msg_1"}]}).input == [ItemReference(id="msg_1")]


@pytest.mark.parametrize("call_id", [{}, {"call_id": None}])
def test_an_output_may_lack_its_call_id_as_in_the_type_of_the_api(call_id: JSONObject) -> None:
    given = {"type": "function_call_output", "output": "x"} | call_id
    request = decoded({"input": [given]})
    assert isinstance(request.input, list)
    assert isinstance(request.input[0], FunctionCallOutput)
    assert msgspec.to_builtins(request.input[0]) == given


def test_items_without_type_among_others() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    request = decoded({"input": [{"role": "user", "content": "Hi"}, call, {"id": "fco_1"}]})
    assert isinstance(request.input, list)
    assert [type(item) for item in request.input] == [Message, FunctionCall, ItemReference]


def test_a_large_number_is_a_number() -> None:
    assert decoded({"max_output_tokens": 2**63 - 1}).max_output_tokens == 2**63 - 1


def test_a_request_of_codex() -> None:
    request = decoded(CODEX)
    assert isinstance(request.input, list)
    assert [type(item) for item in request.input] == [
        Message,
        Message,
        Reasoning,
        FunctionCall,
        FunctionCallOutput,
        Message,
    ]
    assert [type(tool) for tool in request.tools or ()] == [FunctionTool, NamespaceTool, WebSearchTool]
    call = request.input[3]
    assert isinstance(call, FunctionCall)
    assert call.namespace == "helpers"


def test_conversations() -> None:
    body = {"metadata": {"a": "b"}, "items": [{"role": "user", "content": "Hi"}]}
    conversation = create_conversation.decode(msgspec.json.encode(body))
    assert conversation.items == [Message(role="user", content="Hi")]
    assert create_conversation.decode(b"{}").items is None
    assert update_conversation.decode(b'{"metadata":null}').metadata is None


@pytest.mark.parametrize(
    ("decoder", "body", "param", "code"),
    [
        (create_items, {}, "items", "missing_required_parameter"),
        (create_items, {"items": None}, "items", "invalid_type"),
        (create_items, {"items": [{"role": "user", "content": "x"}] * 21}, "items", "array_above_max_length"),
        (create_items, {"items": [{"type": "zzz"}]}, "items[0].type", "invalid_value"),
        (create_conversation, {"items": "x"}, "items", "invalid_type"),
        (update_conversation, {"metadata": "x"}, "metadata", "invalid_type"),
    ],
)
def test_faults_of_conversations(
    decoder: BodyDecoder[msgspec.Struct], body: JSONObject, param: str, code: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoder.decode(msgspec.json.encode(body))
    assert (caught.value.param, caught.value.code) == (param, code)


def test_decode_json() -> None:
    assert decode_json(b'{"a":[1]}') == {"a": [1]}
    with pytest.raises(InvalidRequest, match="could not parse"):
        decode_json(b"{")
