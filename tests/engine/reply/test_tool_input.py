import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.reply.tool_input import InputReader


def read(pieces: list[str], *, is_cut: bool = False) -> tuple[str, str]:
    """Return the input that was read along with the pieces, and the whole input at the end."""
    reader = InputReader()
    early = "".join(reader.feed(piece) for piece in pieces)
    return early, early + reader.close(is_cut=is_cut)


@st.composite
def pieces_of(draw: st.DrawFn, text: str) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


TEXTS = st.text(
    st.one_of(st.sampled_from('"\\/\b\f\n\r\tud8é😀\u2028\ufffd'), st.characters(exclude_categories=["Cs"]))
)


@given(st.data(), TEXTS, st.booleans(), st.sampled_from(["", "\n  "]))
def test_any_text_comes_whole_however_it_is_cut(
    data: st.DataObject, text: str, ascii_only: bool, space: str
) -> None:
    arguments = f'{space}{{{space}"input"{space}:{space}{json.dumps(text, ensure_ascii=ascii_only)}{space}}}'
    early, whole = read(data.draw(pieces_of(arguments)))
    assert early == whole == text


@given(st.data(), TEXTS)
def test_what_has_come_is_never_taken_back(data: st.DataObject, text: str) -> None:
    arguments = json.dumps({"input": text})
    cut = arguments[: data.draw(st.integers(0, len(arguments)))]
    early, whole = read(data.draw(pieces_of(cut)), is_cut=True)
    assert early == whole
    assert text.startswith(whole)


@given(st.data(), st.text(st.sampled_from('"\\ud8Dc0Ef{}:inpt ')))
def test_any_garbage_gives_the_same_text_whole_and_in_pieces(data: st.DataObject, garbage: str) -> None:
    arguments = f'{{"input":"{garbage}'
    whole = read([arguments])[1]
    assert read(data.draw(pieces_of(arguments)))[1] == whole
    whole.encode()


@given(TEXTS)
def test_each_character_comes_as_soon_as_it_is_there(text: str) -> None:
    reader = InputReader()
    reader.feed('{"input":"')
    for character in text:
        assert reader.feed(json.dumps(character)[1:-1]) == character


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"\uD83D\uDE00", "😀"),
        (r"\ud83d", "\ufffd"),
        (r"\ude00", "\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\n", "\ufffd\n"),
        (r"\ud83d\u0041", "\ufffdA"),
        (r"\d+\.\w", r"\d+\.\w"),
        (r"\u12", r"\u12"),
        (r"\u", r"\u"),
        (r"\ud8zz\udc00", "\\ud8zz\ufffd"),
    ],
)
def test_escapes(escaped: str, text: str) -> None:
    arguments = f'{{"input": "{escaped}"}}'
    assert read([arguments]) == (text, text)
    assert read(list(arguments)) == (text, text)


def test_what_stands_behind_the_input_is_no_part_of_it() -> None:
    assert read(['{"input": "a"', ', "note": "b"}', "\n"]) == ("a", "a")


def test_an_input_behind_other_keys_comes_at_the_end() -> None:
    assert read(['{"note": {"input": "no"}, ', '"input": "a\\n"}']) == ("", "a\n")


@pytest.mark.parametrize(
    "arguments",
    ["", "SELECT 1", '{"sql": "SELECT 1"}', '{"input": 1}', '{"input": {"a": "b"}}', "[1]", '"a"', '{"note'],
)
def test_without_an_input_it_is_all_that_the_model_wrote(arguments: str) -> None:
    assert read([arguments]) == ("", arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('{"in', ""), ('  {"note": 1, "input": "a', ""), ('{"input": "a\\', "a"), ("SELECT", "SELECT")],
)
def test_of_arguments_that_are_cut_off_only_what_is_sure(arguments: str, text: str) -> None:
    assert read([arguments], is_cut=True)[1] == text
