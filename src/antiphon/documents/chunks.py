"""Splitting of a text into overlapping chunks."""

import re
from array import array
from collections.abc import Iterator

DEFAULT_SIZE = 800
"""Tokens in a chunk; OpenAI's default."""
DEFAULT_OVERLAP = 400
"""Tokens shared by two neighboring chunks; OpenAI's default."""

_PIECES = re.compile(
    r"""[ ]?[^\W\d_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+
      | [ ]?\d{1,3}
      | [ ]?[^\w\s]{1,3}
      | \s+
      | .""",
    re.VERBOSE | re.DOTALL,
)
_LETTERS = 8
"""The most letters of one token; longer words have several tokens."""


def chunk(text: str, size: int = DEFAULT_SIZE, overlap: int = DEFAULT_OVERLAP) -> list[str]:
    """Return the chunks of a text in order.

    A text of at most `size` tokens is one unchanged chunk; a text of only white space has no chunk.

    Tokens are estimated without a vocabulary: a token is a word of up to 8 letters with the space before it,
    each 8 letters of a longer word, up to 3 digits, up to 3 other signs, a run of white space, or a
    character of a language written without spaces. English text has about 4 characters per token, as with
    OpenAI's tokenizers.

    Args:
        text: The text to split.
        size: Tokens in each chunk but the last.
        overlap: Tokens shared by neighboring chunks; must be at least 0 and less than `size`.
    """
    if not text.strip():
        return []
    bounds = array("Q", _token_starts(text))  # A list of them would be larger than the text.
    count = len(bounds)
    bounds.append(len(text))
    begins = range(0, max(count - overlap, 1), size - overlap)
    pieces = (text[bounds[begin] : bounds[min(begin + size, count)]] for begin in begins)
    return [piece for piece in pieces if piece.strip()]


def _token_starts(text: str) -> Iterator[int]:
    for piece in _PIECES.finditer(text):
        start, end = piece.span()
        yield start
        if end - start > _LETTERS and not piece[0].isspace():
            # The space before a word belongs to its first token.
            yield from range(start + _LETTERS + (text[start] == " "), end, _LETTERS)
