"""Differences between JSON objects, and their application."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.recording.files.patches import apply, difference, locate, same
from antiphon.wire.json import JSON, JSONObject

names = st.text(alphabet="ab/~0", max_size=3)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from([0.0, -0.0, 1.0, 0.5]), names
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3))
)
objects = st.dictionaries(names, values, max_size=4)


@given(objects, objects)
def test_a_difference_applied_gives_the_other_object(before: JSONObject, after: JSONObject) -> None:
    changed, removed = difference(before, after)
    target = json.loads(json.dumps(before))
    apply(target, json.loads(json.dumps(changed)), removed)
    assert msgspec.json.encode(target, order="sorted") == msgspec.json.encode(after, order="sorted")


@given(objects)
def test_nothing_changes_between_equals(value: JSONObject) -> None:
    assert difference(value, json.loads(json.dumps(value))) == ({}, [])


def test_only_what_changes_is_named() -> None:
    before = {"id": "a", "choices": [{"delta": {"role": "assistant", "content": ""}, "index": 0}]}
    after = {"id": "a", "choices": [{"delta": {"content": "Hi"}, "index": 0}]}
    assert difference(before, after) == ({"/choices/0/delta/content": "Hi"}, ["/choices/0/delta/role"])


def test_keys_with_slashes_and_tildes_are_escaped() -> None:
    assert difference({}, {"a/b~c": 1}) == ({"/a~1b~0c": 1}, [])


@pytest.mark.parametrize(
    ("before", "after", "pointer"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}, "/a"),
        ({"a": [{}]}, {"a": [{}, {}]}, "/a"),
        ({"a": {}}, {"a": {"b": 1, "c": 2}}, "/a"),
        ({"a": {"b": 1, "c": 2}}, {"a": {}}, "/a"),
    ],
)
def test_some_changes_are_written_in_full(before: JSONObject, after: JSONObject, pointer: str) -> None:
    assert difference(before, after) == ({pointer: after["a"]}, [])


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, 1.0), (0.0, -0.0), (None, False), ("1", 1)]
)
def test_what_python_or_a_reader_might_confuse_is_not_the_same(one: JSON, other: JSON) -> None:
    assert not same(one, other)
    assert difference({"a": one}, {"a": other}) == ({"/a": other}, [])


@pytest.mark.parametrize(
    "pointer", ["", "a", "/a/b/c", "/list/2", "/list/x", "/list/-1", "/text/a", "/a/0/b"]
)
def test_a_pointer_that_leads_nowhere_is_an_error(pointer: str) -> None:
    with pytest.raises(ValueError, match=r"nothing at|not a JSON Pointer"):
        locate({"a": {}, "list": [1, 2], "text": "x"}, pointer)


def test_removing_what_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to remove at /a"):
        apply({}, {}, ["/a"])
