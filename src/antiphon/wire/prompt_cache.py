"""Comparison of a request with an earlier one: the use that a prompt cache can make of it."""

from typing import Literal

from msgspec import Struct

MissReason = Literal[
    "model_changed",
    "prompt_cache_key_changed",
    "tools_changed",
    "text_format_changed",
    "reasoning_effort_changed",
    "verbosity_changed",
    "context_compacted",
    "input_changed",
    "service_tier_changed",
]


class CacheHit(Struct, tag="cache_hit"):
    """Request that begins with the whole input of the earlier one."""


class CacheMiss(Struct, tag="cache_miss", kw_only=True):
    """Request that differs from the earlier one; the numbers are estimates."""

    reason: MissReason
    cache_missed_tokens: int
    comparison_reusable_tokens: int


class ComparisonNotFound(Struct, tag="comparison_response_not_found"):
    """Earlier response that isn't stored."""


class DiagnosticsUnavailable(Struct, tag="unavailable"):
    """Earlier response that has not ended, or whose input isn't stored any more."""


PromptCacheDiagnostics = CacheHit | CacheMiss | ComparisonNotFound | DiagnosticsUnavailable
