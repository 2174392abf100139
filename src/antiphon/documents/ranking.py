"""How found chunks are ranked: ranks of several searches fused, scores between 0 and 1."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from antiphon.decode.explain import kind_of
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject

K = TypeVar("K", bound=Hashable)

RANKERS = ("auto", "none", "default-2024-11-15", "default_2024_08_21")
"""The rankers of OpenAI's description, with that of the older one. They rank alike here."""
_DAMPING = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009)."""


@dataclass(frozen=True)
class Ranking:
    """What a request's `ranking_options` ask for."""

    score_threshold: float = 0.0
    """Hits below it are left out."""
    embedding_weight: float = 1.0
    text_weight: float = 1.0


@dataclass(frozen=True)
class Found(Generic[K]):
    """What one search found: likenesses between 0 and 1 of what was found, and the weight of the search."""

    weight: float
    scores: Mapping[K, float]


def decode_ranking(value: JSON, param: str = "ranking_options") -> Ranking:
    """Returns the ranking that a request holds under `param`; null stands for the defaults.

    Raises `InvalidRequest` that names the place.
    """
    if value is None:
        return Ranking()
    options = _object(value, param)
    ranker = options.get("ranker")
    if ranker is not None and ranker not in RANKERS:
        listed = ", ".join(f"'{name}'" for name in RANKERS)
        raise InvalidRequest(
            f"Invalid value: {str(ranker)[:100]!r}. Supported values are: {listed}.",
            code="invalid_value",
            param=f"{param}.ranker",
        )
    threshold = _number(options.get("score_threshold"), f"{param}.score_threshold", 0.0, 1.0)
    weights = options.get("hybrid_search")
    if weights is None:
        return Ranking(threshold or 0.0)
    at = f"{param}.hybrid_search"
    given = _object(weights, at)
    for name in ("embedding_weight", "text_weight"):
        if given.get(name) is None:
            raise InvalidRequest(
                f"Missing required parameter: '{at}.{name}'.",
                code="missing_required_parameter",
                param=f"{at}.{name}",
            )
    embedding = _number(given["embedding_weight"], f"{at}.embedding_weight", 0.0, None) or 0.0
    text = _number(given["text_weight"], f"{at}.text_weight", 0.0, None) or 0.0
    if embedding == 0 and text == 0:
        raise InvalidRequest(
            f"Invalid '{at}': one of the weights must be greater than zero.", code="invalid_value", param=at
        )
    return Ranking(threshold or 0.0, embedding, text)


def fuse(queries: Sequence[Sequence[Found[K]]], limit: int, threshold: float = 0.0) -> list[tuple[K, float]]:
    """Returns the best `limit` of what searches found, with their scores, the best first.

    `queries` holds the searches for each query. The order is that of reciprocal rank fusion. A score is the
    mean of the likenesses to one query, weighted as its searches are; that of the query which is answered
    best. But it is never above that of the hit before it, so that the scores fall as the ranks do.
    """
    ranks: dict[K, float] = {}
    scores: dict[K, float] = {}
    for searches in queries:
        means: dict[K, float] = {}
        total = sum(search.weight for search in searches)
        for search in searches:
            best_first = sorted(search.scores.items(), key=lambda item: -item[1])
            for rank, (key, score) in enumerate(best_first, start=1):
                ranks[key] = ranks.get(key, 0.0) + search.weight / (_DAMPING + rank)
                means[key] = means.get(key, 0.0) + search.weight / total * score
        scores = {key: max(scores.get(key, 0.0), means.get(key, 0.0)) for key in {**scores, **means}}
    hits: list[tuple[K, float]] = []
    ceiling = 1.0
    for key in sorted(ranks, key=lambda key: (-ranks[key], -scores[key])):
        ceiling = min(ceiling, scores[key])
        if ceiling < threshold or len(hits) == limit:
            break
        hits.append((key, ceiling))
    return hits


def _object(value: JSON, param: str) -> JSONObject:
    if not isinstance(value, dict):
        raise _wrong_type(param, "an object", value)
    return value


def _number(value: JSON, param: str, least: float, most: float | None) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type(param, "a number", value)
    if value < least or (most is not None and value > most):
        bound = f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
        raise InvalidRequest(
            f"Invalid '{param}': expected a number {bound}, but got {value} instead.",
            code="invalid_value",
            param=param,
        )
    return float(value)


def _wrong_type(param: str, expected: str, value: JSON) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, but got {kind_of(value)} instead.",
        code="invalid_type",
        param=param,
    )
