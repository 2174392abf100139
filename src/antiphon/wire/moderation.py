"""Moderation of the input and the output of a request, and of texts and images alone."""

from typing import Literal

from msgspec import Struct

ModerationMode = Literal["score", "block"]
"""Effect of flagged content: a report, or that it is kept from the model or the client."""


class ModerationConfig(Struct):
    """Policy for the input or the output."""

    mode: ModerationMode


class ModerationPolicy(Struct, kw_only=True):
    """Policies of a request; the default is to report."""

    input: ModerationConfig | None = None
    output: ModerationConfig | None = None


class ModerationParam(Struct, kw_only=True):
    """Check of the input and the output that a request asks for."""

    model: str
    """Name of a check in the settings, or id of a moderation model."""
    policy: ModerationPolicy | None = None


class Guardrail(Struct):
    """Check in llama-stack's form, which blocks input and output."""

    type: str
    """Name of a check in the settings."""


class ModerationResult(Struct, tag="moderation_result", kw_only=True):
    """Result of a check."""

    model: str
    flagged: bool
    categories: dict[str, bool]
    category_scores: dict[str, float]
    category_applied_input_types: dict[str, list[Literal["text", "image"]]]


class ModerationError(Struct, tag="error", kw_only=True):
    """Reason why there is no result."""

    code: str
    message: str


class Moderation(Struct, kw_only=True):
    """Results for the input and the output of a response."""

    input: ModerationResult | ModerationError
    output: ModerationResult | ModerationError
