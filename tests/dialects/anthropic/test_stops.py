"""Stop sequences in texts that arrive in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.dialects.anthropic.stops import StopCutter


def cut(pieces: list[str], sequences: list[str]) -> tuple[list[str], str | None]:
    """Return the pieces of the cut text, and the sequence that it contained."""
    cutter = StopCutter(sequences)
    shown = [cutter.feed(piece) for piece in pieces]
    return [*shown, cutter.flush()], cutter.found


@pytest.mark.parametrize(
    ("pieces", "sequences", "shown", "found"),
    [
        (["a", "b"], [], ["a", "b", ""], None),
        (["one", " STOP two"], ["STOP"], ["one", " ", ""], "STOP"),
        (["one S", "TO", "P two", "three"], ["STOP"], ["one ", "", "", "", ""], "STOP"),
        (["one S", "TOLL"], ["STOP"], ["one ", "STOLL", ""], None),
        (["one ST"], ["STOP"], ["one ", "ST"], None),
        (["xaab"], ["ab", "aab"], ["x", ""], "aab"),
    ],
)
def test_a_text_ends_before_the_first_stop_sequence(
    pieces: list[str], sequences: list[str], shown: list[str], found: str | None
) -> None:
    assert cut(pieces, sequences) == (shown, found)


@given(st.lists(st.text("ab", max_size=4)), st.lists(st.text("ab", min_size=2, max_size=3), max_size=3))
def test_no_piece_changes_where_a_text_ends(pieces: list[str], sequences: list[str]) -> None:
    whole = "".join(pieces)
    ends = [whole.find(each) for each in sequences if each in whole]
    shown, found = cut(pieces, sequences)
    assert (found is not None) == bool(ends)
    if not ends:
        assert "".join(shown) == whole
    else:
        text = "".join(shown)
        assert whole.startswith(text)
        assert not any(each in text for each in sequences)
