"""Streams as steps: every stream is read back unchanged, and an ordinary one becomes text."""

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from antiphon.recording.files.steps import Step, Stream, fold, outline, pack, parse, unfold, unpack
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import chunk

CONTENT = "/choices/0/delta/content"


def parts(*chunks: JSON) -> list[Raw]:
    return [Raw(json.dumps(each).encode()) for each in chunks]


def there_and_back(stream: Sequence[Raw], *earlier: Stream) -> list[Raw]:
    """Fold a stream, encode and decode it as JSON, and unfold it."""
    steps = msgspec.json.decode(msgspec.json.encode(fold(stream, earlier)), type=list[Step])
    streams: dict[int, tuple[Raw, Raw]] = {}
    for each in earlier:
        first, last = parts(each.first, each.last)
        streams[each.number] = (first, last)
    assert_outlined(steps, streams)
    return list(unfold(steps, streams))


def assert_outlined(steps: Sequence[Step], streams: dict[int, tuple[Raw, Raw]]) -> None:
    """Assert that the outline agrees with the parts, and leaves the steps unchanged."""
    told = outline(steps, streams)
    told_again = list(unfold(steps, streams))
    ends = [bytes(told_again[0]), bytes(told_again[-1])] if told_again else [b"", b""]
    assert [told[0], *map(bytes, told[1:])] == [len(told_again), *ends]


def texts(stream: Sequence[Raw]) -> list[str]:
    """Return the values as JSON with sorted keys; other bytes remain as they are."""
    found = []
    for part in stream:
        value = parse(part)
        found.append(repr(bytes(part)) if value is None else json.dumps(value, sort_keys=True))
    return found


words = st.text(max_size=4)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": st.one_of(st.none(), words),
        "role": st.sampled_from([None, "assistant"]),
        "reasoning_content": words,
        "refusal": words,
        "tool_calls": st.lists(
            st.fixed_dictionaries(
                {"index": st.integers(0, 1)},
                optional={"id": words, "function": st.fixed_dictionaries({"arguments": words})},
            ),
            max_size=2,
        ),
    },
)
logprobs = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"content": st.lists(st.fixed_dictionaries({"token": words, "logprob": st.floats(-9, 0)}))}
    ),
)
choices = st.fixed_dictionaries(
    {"index": st.just(0), "delta": deltas},
    optional={"finish_reason": st.sampled_from([None, "stop", "tool_calls"]), "logprobs": logprobs},
)
chunks = st.fixed_dictionaries(
    {"id": st.sampled_from(["a", "b"]), "choices": st.lists(choices, max_size=2)},
    optional={"usage": st.one_of(st.none(), st.dictionaries(words, st.integers())), "created": st.integers()},
)
anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
streams = st.lists(st.one_of(chunks, st.dictionaries(st.text(max_size=3), anything, max_size=3)), max_size=8)


@given(streams)
def test_any_stream_of_objects_survives(stream: list[JSONObject]) -> None:
    assert texts(there_and_back(parts(*stream))) == texts(parts(*stream))


@given(streams, st.lists(st.tuples(chunks, chunks), max_size=3))
def test_any_stream_survives_being_likened_to_others(
    stream: list[JSONObject], ends: list[tuple[JSONObject, JSONObject]]
) -> None:
    earlier = [Stream(number, first, last) for number, (first, last) in enumerate(ends)]
    assert texts(there_and_back(parts(*stream), *earlier)) == texts(parts(*stream))


@given(
    st.lists(
        st.one_of(anything.map(lambda value: json.dumps(value).encode()), st.binary(max_size=6)), max_size=6
    )
)
def test_any_bytes_survive(stream: list[bytes]) -> None:
    raws = [Raw(each) for each in stream]
    assert texts(there_and_back(raws)) == texts(raws)


def test_an_ordinary_stream_becomes_text_and_where_it_was_cut() -> None:
    stream = [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"role": None, "content": word}) for word in ["The", " The", " sun", "."]),
        chunk({"role": None, "content": None}, "stop"),
    ]
    first, text, last = fold(parts(*stream), [])
    assert first.set["/choices"] == stream[0]["choices"]
    assert (text.at, text.text, unpack(text.lengths)) == (CONTENT, "The The sun.", [3, 4, 4])
    assert text.set == {"/choices/0/delta/role": None}
    assert last.set == {CONTENT: None, "/choices/0/finish_reason": "stop"}


def test_equal_pieces_one_after_the_other_stay_apart() -> None:
    stream = parts(*(chunk({"content": word}) for word in ["", "ha", "ho", "ho", "ho"]))
    assert texts(there_and_back(stream)) == texts(stream)
    assert [step.text for step in fold(stream, [])] == ["", "hahohoho"]


def test_arguments_of_a_call_are_text_too() -> None:
    stream = parts(
        *(
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
            for piece in ["", '{"a', '":1}']
        )
    )
    assert [step.text for step in fold(stream, [])] == ["", '{"a":1}']


def test_only_differences_from_an_earlier_stream_are_written() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"cached_tokens": 0}}
    earlier = Stream(3, chunk({"content": ""}), {**chunk({}), "choices": [], "usage": usage})
    stream = [
        {**chunk({"content": ""}), "id": "other"},
        chunk({"content": "Hi"}),
        {**chunk({}), "id": "other", "choices": [], "usage": {**usage, "total_tokens": 4}},
    ]
    first, _, last = fold(parts(*stream), [earlier])
    assert (first.starts_like, first.set) == (3, {"/id": "other"})
    assert (last.ends_like, last.set) == (3, {"/id": "other", "/usage/total_tokens": 4})


def test_each_end_is_written_relative_to_the_stream_that_shares_the_most() -> None:
    calling = {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": ""}}]}
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "details": {"cached_tokens": 0}}
    earlier = [
        Stream(2, chunk(calling), chunk({}, "tool_calls")),
        Stream(1, chunk({"content": ""}), {**chunk({}), "choices": [], "usage": usage}),
    ]
    stream = [chunk(calling), chunk({}, "tool_calls"), {**chunk({}), "choices": [], "usage": usage}]
    first, _, last = fold(parts(*stream), earlier)
    assert (first.starts_like, first.set, last.ends_like, last.set) == (2, {}, 1, {})
    [other] = fold(parts({"error": "none"}), earlier)
    assert (other.starts_like, other.set) == (None, {"/error": "none"})


def test_only_padding_is_omitted() -> None:
    padded = {**chunk({"content": "Hi"}), "obfuscation": "xYz"}
    padded["choices"] = [{**padded["choices"][0], "obfuscation": "x"}]
    assert parse(parts(padded)[0]) == chunk({"content": "Hi"})
    for kept in ({"obfuscation": 1, "choices": []}, {"obfuscation": "x", "choices": "none"}):
        assert parse(parts(kept)[0]) == kept


@pytest.mark.parametrize(
    "step",
    [
        Step(at="/a", text="abc", lengths="4"),
        Step(at="/a", text="abc", lengths="-1"),
        Step(at="/a", text="abc", lengths="x"),
        Step(at="/a", text="abc", lengths="0x99999999999"),
        Step(at="/b/c", text="abc"),
        Step(set={"nowhere": 1}),
        Step(starts_like=9),
        Step(ends_like=9),
    ],
)
def test_a_broken_step_is_an_error(step: Step) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        list(unfold([Step(set={"/a": ""}), step], {}))
    with pytest.raises(ValueError):  # noqa: PT011
        outline([Step(set={"/a": ""}), step], {})


@given(st.lists(st.integers(0, 12)))
def test_numbers_survive_being_packed(numbers: list[int]) -> None:
    assert unpack(pack(numbers)) == numbers


def test_runs_of_numbers_are_short() -> None:
    assert pack([0, 0, 0, 12, 3, 3]) == "0x3 12 3x2"
