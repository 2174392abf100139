"""Results of checks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from antiphon.wire.json import JSONObject
from antiphon.wire.moderation import ModerationResult

InputType = Literal["text", "image"]

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""The categories of OpenAI's moderation models, which its clients expect in every result."""


def result_of(model: str, scores: Mapping[str, float], parts: Sequence[JSONObject]) -> ModerationResult:
    """Return the result of a check that has found categories.

    Args:
        model: Name of the check.
        scores: The score of each category that was found; without any, nothing is flagged.
        parts: The parts that the check has judged.
    """
    types = input_types(parts)
    names = [*dict.fromkeys([*CATEGORIES, *scores])]
    return ModerationResult(
        model=model,
        flagged=bool(scores),
        categories={name: name in scores for name in names},
        category_scores={name: scores.get(name, 0.0) for name in names},
        category_applied_input_types=dict.fromkeys(names, types),
    )


def joined(results: Sequence[ModerationResult]) -> ModerationResult:
    """Return one result for several: what any of them flags, and the highest scores."""
    if len(results) == 1:
        return results[0]
    scores: dict[str, float] = {}
    categories: dict[str, bool] = {}
    types: dict[str, list[InputType]] = {}
    for result in results:
        for name, score in result.category_scores.items():
            scores[name] = max(score, scores.get(name, 0.0))
        for name, is_flagged in result.categories.items():
            categories[name] = is_flagged or categories.get(name, False)
        for name, given in result.category_applied_input_types.items():
            types[name] = [*dict.fromkeys([*types.get(name, []), *given])]
    return ModerationResult(
        model=", ".join(dict.fromkeys(result.model for result in results)),
        flagged=any(result.flagged for result in results),
        categories=categories,
        category_scores=scores,
        category_applied_input_types=types,
    )


def text_part(text: str) -> JSONObject:
    """Return a text as moderation endpoints expect it."""
    return {"type": "text", "text": text}


def image_part(url: str) -> JSONObject:
    """Return an image as moderation endpoints expect it."""
    return {"type": "image_url", "image_url": {"url": url}}


def texts_in(parts: Iterable[JSONObject]) -> list[str]:
    """Return the texts among parts."""
    return [part["text"] for part in parts if part["type"] == "text"]


def input_types(parts: Iterable[JSONObject]) -> list[InputType]:
    """Return the types of parts, each once."""
    return [*dict.fromkeys("text" if part["type"] == "text" else "image" for part in parts)]
