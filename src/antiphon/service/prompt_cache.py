"""Diagnostics of prompt caches: a request compared with that of an earlier response.

The server doesn't know what a backend has cached. It compares what the backend received, from which the
cached prefix follows.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from antiphon.engine.request.summary import without_loaded_files
from antiphon.engine.slices import mapped
from antiphon.errors import AntiphonError
from antiphon.service.items import decode_item, encode_item
from antiphon.store import Store
from antiphon.wire.items import Compaction, Item, Message
from antiphon.wire.prompt_cache import (
    CacheHit,
    CacheMiss,
    ComparisonNotFound,
    DiagnosticsUnavailable,
    MissReason,
    PromptCacheDiagnostics,
)
from antiphon.wire.responses import Response

_decode = msgspec.json.Decoder(Response).decode


async def diagnosed(
    store: Store, owner: str, earlier_id: str, response: Response, items: list[Item]
) -> PromptCacheDiagnostics:
    """Return the use that a prompt cache of an earlier response is for a new one.

    Args:
        store: The database.
        owner: The owner of both responses.
        earlier_id: The ID of the earlier response.
        response: The new response in progress.
        items: Its whole context.
    """
    stored = await store.responses.get(owner, earlier_id)
    if stored is None:
        return ComparisonNotFound()
    earlier = _decode(stored.body)
    if earlier.status not in ("completed", "incomplete"):
        return DiagnosticsUnavailable()
    try:
        history = await store.responses.history(owner, earlier_id)
    except AntiphonError:
        return DiagnosticsUnavailable()
    bodies = history.bodies[: len(history.bodies) - len(stored.output)]
    before = await mapped(_comparable, await mapped(decode_item, bodies))
    now = await mapped(_comparable, items)
    reason = _changed_setting(earlier, response)
    same = 0 if reason is not None else _common(before, now)
    if reason is None and same == len(before):
        return CacheHit()
    if reason is None:
        is_compacted = any(isinstance(item, Compaction) for item in items[same:])
        reason = "context_compacted" if is_compacted else "input_changed"
    return CacheMiss(
        reason=reason,
        cache_missed_tokens=_tokens(now[same:]),
        comparison_reusable_tokens=_tokens(before[:same]),
    )


def _changed_setting(earlier: Response, response: Response) -> MissReason | None:
    """Return the first setting that changes the prompt before its first item, or the model."""
    if earlier.model != response.model:
        return "model_changed"
    if earlier.prompt_cache_key != response.prompt_cache_key:
        return "prompt_cache_key_changed"
    if earlier.tools != response.tools:
        return "tools_changed"
    if earlier.text.format != response.text.format:
        return "text_format_changed"
    if earlier.reasoning.effort != response.reasoning.effort:
        return "reasoning_effort_changed"
    if earlier.text.verbosity != response.text.verbosity:
        return "verbosity_changed"
    if response.service_tier not in ("auto", earlier.service_tier):
        return "service_tier_changed"
    return "input_changed" if earlier.instructions != response.instructions else None


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return the number of texts that two sequences begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (left, right) in pairs if left != right), min(len(one), len(other)))


def _tokens(texts: Sequence[str]) -> int:
    """Return an estimate of the tokens in the JSON texts of items."""
    return sum(len(text) // 4 for text in texts)


def _comparable(item: Item) -> str:
    """Return the JSON text of an item without its ID, which each request can generate again."""
    if isinstance(item, Message):
        item = without_loaded_files(item)
    return encode_item(msgspec.structs.replace(item, id=UNSET))
