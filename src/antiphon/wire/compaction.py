"""Request and response of `POST /v1/responses/compact`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from antiphon.wire.items import InputItem, Item
from antiphon.wire.responses import ImageOptions, PromptCacheOptions, ServiceTier, Usage


class CompactResponse(Struct, kw_only=True):
    """Body of the request; null means the default, and unknown keys are ignored."""

    model: str | None = None
    input: str | list[InputItem] | None = None
    previous_response_id: str | None = None
    instructions: str | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=64)] | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    service_tier: ServiceTier | None = None
    image: ImageOptions | None = None


class CompactedResponse(Struct, kw_only=True):
    """Compacted context: the kept messages, and one compaction item for the rest."""

    id: str
    object: Literal["response.compaction"] = "response.compaction"
    created_at: int
    output: list[Item]
    usage: Usage
