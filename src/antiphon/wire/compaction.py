"""`POST /v1/responses/compact`: what it takes and what it answers."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.wire.items import InputItem, Item
from antiphon.wire.responses import PromptCacheOptions, ServiceTier, Usage


class CompactResponse(Struct, kw_only=True):
    """The body of the request. Null means the default; unknown keys are ignored."""

    model: str | None = None
    input: str | list[InputItem] | None = None
    previous_response_id: str | None = None
    instructions: str | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=64)] | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    service_tier: ServiceTier | None = None


class CompactedResponse(Struct, kw_only=True):
    """The context in short: the messages that are kept, and one compaction item for the rest."""

    id: str
    object: Literal["response.compaction"] = "response.compaction"
    created_at: int
    output: list[Item]
    usage: Usage
