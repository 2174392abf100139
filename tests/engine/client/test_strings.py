import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.client.strings import Path, StringReader
from antiphon.wire.json import JSON


def read(pieces: list[str]) -> dict[Path, str]:
    """Return the strings that have ended, by their paths."""
    reader = StringReader()
    texts: dict[Path, str] = {}
    ended: dict[Path, str] = {}
    for piece in pieces:
        for path, text, ends in reader.feed(piece):
            texts[path] = texts.get(path, "") + text
            if ends:
                ended[path] = texts[path]
    return ended


def strings_in(value: JSON, path: Path = ()) -> dict[Path, str]:
    if isinstance(value, str):
        return {path: value}
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    found: dict[Path, str] = {}
    for key, entry in entries:
        found |= strings_in(entry, (*path, key))
    return found


TEXTS = st.text(st.one_of(st.sampled_from('"\\/{}[],:\n😀\u2028'), st.characters(exclude_categories=["Cs"])))
SCALARS = st.one_of(TEXTS, st.integers(), st.booleans(), st.none())
VALUES = st.dictionaries(
    TEXTS, st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(TEXTS, SCALARS, max_size=3))
)


@given(st.data(), VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_every_string_comes_whole_however_the_text_is_cut(
    data: st.DataObject, value: JSON, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(pieces) == strings_in(value)


@given(st.text(st.sampled_from('"\\ud8Dc0{}[]:, ab')))
def test_any_garbage_is_read_without_an_error(garbage: str) -> None:
    assert read([garbage]) == read(list(garbage))


def test_each_character_comes_as_soon_as_it_is_certain() -> None:
    reader = StringReader()
    reader.feed('{"a": ["')
    assert [reader.feed(character) for character in 'l"'] == [
        [(("a", 0), "l", False)],
        [(("a", 0), "", True)],
    ]


@pytest.mark.parametrize(("depth", "is_read"), [(3, True), (200_000, False)])
def test_deep_values_are_passed_over(depth: int, is_read: bool) -> None:
    pieces = StringReader().feed("[" * depth + '"x"' + "]" * depth)
    assert bool(pieces) is is_read
