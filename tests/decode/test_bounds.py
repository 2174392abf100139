"""Bounds of bodies: nesting, values, and the lengths of arrays and metadata."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.decode import bodies, bounds
from antiphon.decode.bodies import BodyDecoder
from antiphon.decode.bounds import MAX_DEPTH, MAX_VALUES, check_structure
from antiphon.decode.proxied import decode_object
from antiphon.errors import AntiphonError, InvalidRequest, RequestTooLarge
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.vector_stores import CreateVectorStore

T = TypeVar("T", bound=msgspec.Struct)
USER = {"role": "user", "content": "x"}
PADDING = b" " * 600_000
"""Makes a body long, so that it is checked in slices."""


def refusal(body: bytes) -> AntiphonError | None:
    try:
        asyncio.run(check_structure(body))
    except AntiphonError as error:
        return error
    return None


def nested(depth: int, inside: bytes = b"1") -> bytes:
    return b'{"a":[' * (depth // 2) + inside + b"]}" * (depth // 2)


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["short", "long"])
def test_nesting_is_bounded(padding: bytes) -> None:
    assert refusal(padding + nested(MAX_DEPTH)) is None
    error = refusal(padding + nested(MAX_DEPTH + 2))
    assert isinstance(error, InvalidRequest)
    assert (error.code, error.param) == ("invalid_json", None)
    assert error.message == ("We could not parse the JSON body of your request: it is nested too deeply.")


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["short", "long"])
@pytest.mark.parametrize(
    "text",
    [
        "[" * 300,
        "]" * 300 + "[" * 300,
        '\\"[' * 200,
        "{[" * 200 + "\\\\",
        '"' * 301,
        "\\" * 303 + '"' + "[" * 300,
    ],
)
def test_brackets_in_strings_are_not_nesting(text: str, padding: bytes) -> None:
    body = padding + msgspec.json.encode({"a": text, "b": [text, {text: 1}]})
    assert refusal(body) is None


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["short", "long"])
@pytest.mark.parametrize("text", ['"', '\\"', "\\", "]" * 300, "[" * 300])
def test_strings_hide_no_nesting(text: str, padding: bytes) -> None:
    body = padding + b"[" + msgspec.json.encode(text) + b"," + nested(MAX_DEPTH + 2) + b"]"
    assert refusal(body) is not None


@given(
    st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    st.integers(1, 9),
)
def test_any_body_in_any_slices_has_one_structure(value: JSON, size: int) -> None:
    body = msgspec.json.encode(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "_SLICE", size)
        structure = bounds._Structure()
        found = b"".join(structure.feed(piece) for piece in bounds._pieces(body))
    assert found == structure_of(value)


def structure_of(value: JSON) -> bytes:
    """Return the brackets, commas and colons of a value, from the value itself."""
    if isinstance(value, dict):
        return b"{" + b",".join(b":" + structure_of(member) for member in value.values()) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(structure_of(member) for member in value) + b"]"
    return b""


@pytest.mark.parametrize("entry", [b"{}", b"1", b'{"a":1}', b'"x"', b"[]"])
def test_values_are_bounded(entry: bytes) -> None:
    error = refusal(b'{"zzz":[' + (entry + b",") * (MAX_VALUES + 1) + b"1]}")
    assert isinstance(error, RequestTooLarge)
    assert error.message == f"The request body has more than {MAX_VALUES} values."


def test_a_long_text_is_one_value() -> None:
    assert refusal(msgspec.json.encode({"input": 'a, [b], {"c": ' * 200_000})) is None


def test_others_are_served_while_a_long_body_is_checked() -> None:
    async def run() -> int:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        serving = asyncio.create_task(others())
        await check_structure(msgspec.json.encode({"input": [{"a": "b" * 1000}] * 2000}))
        serving.cancel()
        return turns

    assert asyncio.run(run()) > 5


def lengths(decoder: BodyDecoder[T], body: JSONObject, most: int = 2048) -> InvalidRequest:
    """Return the refusal of a body, which comes before any decoding."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "_decoder", None)
        with pytest.raises(InvalidRequest) as caught:
            decoder.decode(msgspec.json.encode(body), most)
    return caught.value


@pytest.mark.parametrize(
    ("decoder", "body", "param", "most", "length"),
    [
        (bodies.create_response, {"input": [USER] * 2049}, "input", 2048, 2049),
        (bodies.create_response, {"input": [1] * 2049}, "input", 2048, 2049),
        (bodies.create_response, {"input": "x", "tools": [{}] * 3000}, "tools", 2048, 3000),
        (bodies.create_response, {"input": "x", "include": ["x"] * 3000}, "include", 2048, 3000),
        (bodies.response_create_event, {"input": [USER] * 5000}, "input", 2048, 5000),
        (bodies.count_input_tokens, {"input": [USER] * 2049}, "input", 2048, 2049),
        (bodies.compact_response, {"input": [USER] * 2049}, "input", 2048, 2049),
        (bodies.create_conversation, {"items": [USER] * 4000}, "items", 20, 4000),
        (bodies.create_items, {"items": [USER] * 4000}, "items", 20, 4000),
        (BodyDecoder(CreateVectorStore), {"file_ids": ["f"] * 4000}, "file_ids", 500, 4000),
        (
            bodies.create_response,
            {"input": [USER, USER | {"content": [{"type": "input_text", "text": ""}] * 2049}]},
            "input[1].content",
            2048,
            2049,
        ),
        (
            bodies.create_response,
            {"input": "x", "tools": [{"type": "namespace", "name": "n", "tools": [{}] * 2049}]},
            "tools[0].tools",
            2048,
            2049,
        ),
    ],
)
def test_arrays_are_bounded_before_they_are_decoded(
    decoder: BodyDecoder[msgspec.Struct], body: JSONObject, param: str, most: int, length: int
) -> None:
    error = lengths(decoder, body)
    assert (error.param, error.code) == (param, "array_above_max_length")
    assert error.message == (
        f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array "
        f"with length {length} instead."
    )


def test_the_bound_can_be_set() -> None:
    assert lengths(bodies.create_response, {"input": [USER] * 6}, 5).param == "input"
    assert bodies.create_response.decode(msgspec.json.encode({"input": [USER] * 5}), 5).input is not None
    many = msgspec.json.encode({"input": [USER] * 3000})
    assert len(bodies.create_response.decode(many, 3000).input or "") == 3000


def test_metadata_of_many_pairs_is_refused_before_it_is_decoded() -> None:
    error = lengths(bodies.create_response, {"metadata": {f"key{number}": "v" for number in range(20_000)}})
    assert (error.param, error.code) == ("metadata", "object_above_max_properties")


def test_the_longest_metadata_is_not_refused() -> None:
    metadata = {chr(0x1F600 + number) * 64: "\U0001f600" * 512 for number in range(16)}
    body = b'{"metadata":%s}' % ascii_json(metadata)
    assert len(body) > 110_000
    assert bodies.create_response.decode(body).metadata == metadata


def ascii_json(value: dict[str, str]) -> bytes:
    def escaped(text: str) -> str:
        units = text.encode("utf-16-be")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))

    pairs = ",".join(f'"{escaped(key)}":"{escaped(text)}"' for key, text in value.items())
    return f"{{{pairs}}}".encode()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [USER] * 2049}, "messages"),
        ({"messages": [USER], "tools": [{}] * 2049}, "tools"),
        ({"messages": [USER | {"content": [{"type": "text"}] * 2049}]}, "messages[0].content"),
    ],
)
def test_proxied_bodies_are_bounded(body: JSONObject, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_object(msgspec.json.encode(body), 2048)
    assert (caught.value.param, caught.value.code) == (param, "array_above_max_length")


def test_an_embedding_of_many_tokens_is_no_long_array() -> None:
    body: JSONObject = {"model": "m", "input": [1] * 8191}
    assert decode_object(msgspec.json.encode(body), 2048) == body


@pytest.mark.parametrize("decode", [bodies.create_response.decode, lambda body: decode_object(body, 2048)])
@pytest.mark.parametrize(
    "body", [b"[" * 5000, b"{" + b" " * 5000, b"1" * 5000, b'{"tools":[1,' + b" " * 5000]
)
def test_what_is_no_json_is_left_to_the_decoder(decode: Callable[[bytes], object], body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body)
    assert caught.value.code in ("invalid_json", "invalid_type")
