import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.documents.chunks import chunk


def test_a_small_text_is_one_chunk_as_it_is() -> None:
    text = "  Two  words,\n\nand\tmore.\n"
    assert chunk(text) == [text]


@pytest.mark.parametrize("text", ["", " ", "\n\t \n"])
def test_white_space_has_no_chunks(text: str) -> None:
    assert chunk(text) == []


def test_chunks_overlap_by_tokens() -> None:
    words = [f"w{letter}" for letter in "abcdefgh"]
    assert chunk(" ".join(words), size=4, overlap=2) == [
        "wa wb wc wd",
        " wc wd we wf",
        " we wf wg wh",
    ]


def test_the_default_is_800_tokens_with_400_shared() -> None:
    chunks = chunk(" ".join(["word"] * 1600))
    assert [len(each.split()) for each in chunks] == [800, 800, 800]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("internationalization", 3),
        (" internationalization", 3),
        ("123456", 2),
        ("a, b", 3),
        ("日本語", 3),
        ("a\n\n\nb", 3),
        ("{}[]()", 2),
    ],
)
def test_how_tokens_are_counted(text: str, tokens: int) -> None:
    assert len(chunk(text, size=tokens, overlap=0)) == 1
    assert len(chunk(text, size=tokens - 1, overlap=0)) == 2


def test_in_english_a_word_or_a_sign_is_a_token() -> None:
    text = "It was the age of wisdom, it was the epoch of belief, it was the season of Light."
    assert len(chunk(text, size=1, overlap=0)) == len(text.split()) + len([",", ",", "."])


@given(st.text(min_size=1), st.integers(2, 20), st.data())
def test_no_character_is_lost(text: str, size: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, size // 2))
    pieces = chunk(text, size, overlap)
    at = 0
    for piece in pieces:
        # Between two chunks is only white space, which makes no chunk. In a text that repeats itself, the
        # last place that this allows is the right one.
        rest = len(text) - len(text[at:].lstrip())
        begin = text.rfind(piece, 0, rest + len(piece))
        assert begin != -1
        at = max(at, begin + len(piece))
    assert not text[at:].strip()
