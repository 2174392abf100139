"""JSON for people, with lines of a readable length."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.recording.files import writing
from antiphon.recording.files.writing import format_json
from antiphon.wire.json import JSON

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=40)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=20), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(values)
def test_the_value_stays_the_same(value: JSON) -> None:
    assert json.loads(format_json(value)) == value


def test_what_fits_on_a_line_stands_on_one() -> None:
    assert format_json({"role": "user", "content": "Hi"}) == '{"role": "user", "content": "Hi"}'


def test_what_does_not_fit_has_a_line_for_each_member() -> None:
    long = ["a" * 60, {"b": "b" * 60}]
    assert format_json(long).splitlines() == ["[", f' "{"a" * 60}",', f' {{"b": "{"b" * 60}"}}', "]"]


@given(values, st.integers(0, 200))
def test_room_is_counted_as_json_takes_it(value: JSON, room: int) -> None:
    taken = len(json.dumps(value, ensure_ascii=False))
    left = writing._room_after(value, room)
    assert (left >= 0) is (taken <= room)
    if left >= 0:
        assert left == room - taken


def test_a_deep_value_is_not_read_once_per_level(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0
    dumps = json.dumps

    def count(value: JSON, *, ensure_ascii: bool) -> str:
        nonlocal counted
        text = dumps(value, ensure_ascii=ensure_ascii)
        counted += len(text)
        return text

    value: JSON = ["word " * 10] * 1000
    for _ in range(100):
        value = {"inside": value}
    monkeypatch.setattr(json, "dumps", count)
    text = format_json(value)
    assert counted < 3 * len(text)


def test_characters_that_hide_or_turn_text_are_escaped() -> None:
    hostile = "\x1b[2J \x9b \u202e \u200b \u2028 \ufeff"
    text = format_json(hostile)
    assert text.isprintable()
    assert json.loads(text) == hostile


def test_letters_of_all_languages_stay_readable() -> None:
    assert format_json("Grüße, 世界") == '"Grüße, 世界"'
