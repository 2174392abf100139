"""JSON for people, with lines of a readable length."""

import json

from hypothesis import given
from hypothesis import strategies as st

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


def test_characters_that_hide_or_turn_text_are_escaped() -> None:
    hostile = "\x1b[2J \x9b \u202e \u200b \u2028 \ufeff"
    text = format_json(hostile)
    assert text.isprintable()
    assert json.loads(text) == hostile


def test_letters_of_all_languages_stay_readable() -> None:
    assert format_json("Grüße, 世界") == '"Grüße, 世界"'
