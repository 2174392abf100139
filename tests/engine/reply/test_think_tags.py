from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.reply.think_tags import Piece, ThinkSplitter


def split(*texts: str) -> list[Piece]:
    """Return the pieces, with neighbors of one kind joined."""
    splitter = ThinkSplitter()
    pieces: list[Piece] = []
    for text in texts:
        pieces += [("text", text)] if splitter.plain else splitter.feed(text)
    pieces += splitter.flush()
    joined: list[Piece] = []
    for kind, text in pieces:
        assert text
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    return joined


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("", "", ""),
        ("Hello", "", "Hello"),
        ("<think>a</think>b", "a", "b"),
        (" \n<think>\na\n</think>\n\nb", "a", "b"),
        ("<think>a b\n c</think>d ", "a b\n c", "d "),
        ("<think></think>b", "", "b"),
        ("<think>\n\n</think>\n\nb", "", "b"),
        ("<think>a</think>", "a", ""),
        ("<think>a", "a", ""),
        ("<think>a</thin", "a</thin", ""),
        ("<think>a < b</think>c", "a < b", "c"),
        ("<think>a</thinking></think>c", "a</thinking>", "c"),
        ("<think>a<think>b</think>c", "a<think>b", "c"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("I use <think> tags", "", "I use <think> tags"),
        ("a</think>b", "", "a</think>b"),
        ("<thinking>a", "", "<thinking>a"),
        ("<thi", "", "<thi"),
        ("  ", "", "  "),
        ("  <", "", "  <"),
        ("\n\nHello", "", "\n\nHello"),
    ],
)
def test_what_is_reasoning_and_what_is_text(text: str, reasoning: str, answer: str) -> None:
    expected = [piece for piece in (("reasoning", reasoning), ("text", answer)) if piece[1]]
    assert split(text) == expected
    assert split(*text) == expected, "cut into characters"


FRAGMENTS = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "/", "thi", "nk>", ">", " ", "\n", "a", "ß", "<th", "</"])
)


@given(FRAGMENTS.map("".join), st.sets(st.integers(0, 100)))
def test_any_cut_gives_what_the_uncut_text_gives(text: str, cuts: set[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert split(*pieces) == split(text)


@given(FRAGMENTS.map("".join))
def test_nothing_but_tags_and_blanks_is_lost(text: str) -> None:
    kept = "".join(piece for _, piece in split(text))
    without_tags = text.replace("<think>", "", 1).replace("</think>", "", 1)
    assert kept == text or "".join(kept.split()) in (
        "".join(without_tags.split()),
        "".join(text.replace("<think>", "", 1).split()),
    )


def test_text_is_given_on_at_once_where_it_cannot_be_a_tag() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("He") == [("text", "He")]
    assert splitter.plain


def test_reasoning_is_given_on_at_once_up_to_what_may_be_the_closing_tag() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed("<think>so") == [("reasoning", "so")]
    assert splitter.feed(" it </th") == [("reasoning", " it")]
    assert splitter.feed("en") == [("reasoning", " </then")]
    assert not splitter.plain


@pytest.mark.parametrize(
    ("text", "passes"), [("a", True), (" \n<b", False), (" \na <think>", True), ("<", False), (" ", False)]
)
def test_text_passes_only_where_no_tag_can_begin(text: str, passes: bool) -> None:
    splitter = ThinkSplitter()
    assert splitter.passes(text) is passes
    assert splitter.plain is passes


def test_text_after_a_held_beginning_does_not_pass() -> None:
    splitter = ThinkSplitter()
    assert splitter.feed(" <th") == []
    assert not splitter.passes("is")
    assert splitter.feed("is") == [("text", " <this")]
    assert splitter.passes(" <think>")
