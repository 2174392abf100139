"""Ranking of found chunks: fusion of several searches, scores between 0 and 1."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from antiphon.decode.explain import unsupported_value, wrong_type
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.wire.json import JSON, JSONObject

K = TypeVar("K", bound=Hashable)

RANKERS = ("auto", "none", "default-2024-11-15", "default_2024_08_21")
"""OpenAI's rankers, old and new ones; all rank alike here."""
_STRONG = 0.45
"""The keyword score of a chunk of average length that has each word of the query once."""
_KEYWORD_WEIGHT = 2.0
"""The relevance of such a chunk, compared with that of the chunk with the nearest vector.

This constant and the cube in `_relevance` come from the English, German and French questions of
`bench.search`: weights from 1.5 to 3 with powers from 2.5 to 3 rank these alike, whichever language is
omitted. The Spanish questions came later and confirm them.
"""


@dataclass(frozen=True)
class Ranking:
    """The decoded `ranking_options` of a request."""

    score_threshold: float = 0.0
    """The lowest score of a hit; lower ones are omitted."""
    embedding_weight: float = 1.0
    """The weight of the semantic search."""
    text_weight: float = 1.0
    """The weight of the keyword search."""


@dataclass(frozen=True)
class Found(Generic[K]):
    """The results of one search and its weight."""

    kind: Literal["keyword", "semantic"]
    """The kind of search."""
    weight: float
    """The weight of the search."""
    scores: Mapping[K, float]
    """The similarity of each result to the query, between 0 and 1."""


def decode_ranking(value: JSON, param: str = "ranking_options") -> Ranking:
    """Return the ranking in the request parameter `param`; null means the defaults.

    Raises:
        InvalidRequest: The options are invalid; `param` has the path.
    """
    if value is None:
        return Ranking()
    options = _object(value, param)
    ranker = options.get("ranker")
    if ranker is not None and ranker not in RANKERS:
        raise unsupported_value(f"{param}.ranker", ranker, RANKERS)
    threshold = _number(options.get("score_threshold"), f"{param}.score_threshold", 0.0, 1.0)
    weights = options.get("hybrid_search")
    if weights is None:
        return Ranking(threshold or 0.0)
    at = f"{param}.hybrid_search"
    given = _object(weights, at)
    for name in ("embedding_weight", "text_weight"):
        if given.get(name) is None:
            raise MissingParameter(f"{at}.{name}")
    embedding = _number(given["embedding_weight"], f"{at}.embedding_weight", 0.0, None) or 0.0
    text = _number(given["text_weight"], f"{at}.text_weight", 0.0, None) or 0.0
    if embedding == 0 and text == 0:
        raise InvalidRequest(
            f"Invalid '{at}': one of the weights must be greater than zero.", code="invalid_value", param=at
        )
    return Ranking(threshold or 0.0, embedding, text)


def fuse(queries: Sequence[Sequence[Found[K]]], limit: int, threshold: float = 0.0) -> list[tuple[K, float]]:
    """Return the best results of several searches with their scores, the best first.

    The order is that of the sum of the results' relevance in each search. A score is the mean of the
    similarities to one query, weighted like its searches, and the highest such mean of all queries. It is
    capped at the score of the result before, so that scores fall with the rank.

    Args:
        queries: The searches of each query.
        limit: The most results to return.
        threshold: The lowest score to return.
    """
    relevance: dict[K, float] = {}
    scores: dict[K, float] = {}
    for searches in queries:
        means: dict[K, float] = {}
        total = sum(search.weight for search in searches)
        for search in searches:
            for key, value in _relevance(search).items():
                relevance[key] = relevance.get(key, 0.0) + search.weight * value
                means[key] = means.get(key, 0.0) + search.weight / total * search.scores[key]
        scores = {key: max(scores.get(key, 0.0), means.get(key, 0.0)) for key in {**scores, **means}}
    hits: list[tuple[K, float]] = []
    ceiling = 1.0
    for key in sorted(relevance, key=lambda key: (-relevance[key], -scores[key])):
        ceiling = min(ceiling, scores[key])
        if ceiling < threshold or len(hits) == limit:
            break
        hits.append((key, ceiling))
    return hits


def _relevance(search: Found[K]) -> dict[K, float]:
    """Return the relevance of each result, which makes keyword and semantic searches comparable.

    The nearest vectors have 1 and the farthest of the results 0, because each embedding model has its own
    range of cosines. Of keyword searches, only strong matches count: some words of a question are in many
    chunks about something else, but a rare name or number is not. The cube keeps a weak match from
    reordering neighboring vectors. Ranks (reciprocal rank fusion) would count weak and strong matches alike.
    See Bruch, Gai and Ingber, https://doi.org/10.1145/3596512.
    """
    if search.kind == "keyword":
        return {key: _KEYWORD_WEIGHT * min(score / _STRONG, 1.0) ** 3 for key, score in search.scores.items()}
    least = min(search.scores.values(), default=0.0)
    spread = max(search.scores.values(), default=0.0) - least
    return {key: (score - least) / spread if spread else 1.0 for key, score in search.scores.items()}


def _object(value: JSON, param: str) -> JSONObject:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    return value


def _number(value: JSON, param: str, least: float, most: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(param, "a number", value)
    if value < least or (most is not None and value > most):
        bound = f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
        raise InvalidRequest(
            f"Invalid '{param}': expected a number {bound}, but got {value} instead.",
            code="invalid_value",
            param=param,
        )
    return float(value)
