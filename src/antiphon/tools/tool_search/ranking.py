"""Ranking of tools by the words of a query (BM25): local, and the same for the same tools."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SATURATION = 1.2
_LENGTH = 0.75
"""The usual constants of BM25, `k1` and `b`: https://doi.org/10.1561/1500000019."""
_MAX_TEXT = 4000
"""Characters of a text that count."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; `getUser_name` has three, and a plural is its singular."""
    words = _WORD.findall(_HUMP.sub(" ", text[:_MAX_TEXT]))
    return [_singular(word.lower()) for word in words]


def ranked(query: str, documents: Sequence[str], limit: int) -> list[int]:
    """Return the places of the documents that match a query, the best first; ties keep their order."""
    wanted = Counter(words_of(query))
    counts = [Counter(words_of(document)) for document in documents]
    lengths = [count.total() for count in counts]
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    weights = {word: _weight(word, counts) for word in wanted}
    scores = [
        _score(count, length / mean if mean else 0.0, weights)
        for count, length in zip(counts, lengths, strict=True)
    ]
    found = [place for place, score in enumerate(scores) if score > 0]
    return sorted(found, key=lambda place: (-scores[place], place))[:limit]


def _weight(word: str, counts: Iterable[Counter[str]]) -> float:
    every = [word in count for count in counts]
    having = sum(every)
    return math.log(1 + (len(every) - having + 0.5) / (having + 0.5))


def _score(count: Counter[str], length: float, weights: dict[str, float]) -> float:
    norm = _SATURATION * (1 - _LENGTH + _LENGTH * length)
    return sum(
        weight * count[word] * (_SATURATION + 1) / (count[word] + norm)
        for word, weight in weights.items()
        if count[word]
    )


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
