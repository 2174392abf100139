"""Token counts of model calls, converted to the form of a response."""

from collections.abc import Sequence

import msgspec

from antiphon.wire.chat import ChatRequest, ChatUsage
from antiphon.wire.items import Item, WebSearchCall
from antiphon.wire.responses import InputTokensDetails, OutputTokensDetails, Usage
from antiphon.wire.tool_usage import ToolUsage, WebSearchUsage


def usage_of(usage: ChatUsage | None) -> Usage | None:
    """Return the token counts of one model call; None if the backend sent none."""
    if usage is None:
        return None
    prompt, completion = usage.prompt_tokens or 0, usage.completion_tokens or 0
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    details = usage.completion_tokens_details
    reasoning = details.reasoning_tokens if details else None
    return Usage(
        input_tokens=prompt,
        input_tokens_details=InputTokensDetails(cached_tokens=cached or 0),
        output_tokens=completion,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=reasoning or 0),
        total_tokens=usage.total_tokens or prompt + completion,
    )


def spent(usage: ChatUsage | None, request: ChatRequest, chunks: int, last: bytes = b"") -> int:
    """Return the tokens of one model call, estimated if the backend sent no counts.

    The estimate is a quarter of the request's bytes, plus one per chunk of a stream or a quarter of the bytes
    of a non-streaming response. A call without any output counts as 0.

    Args:
        usage: The backend's counts, if it sent them before the call ended or was stopped.
        request: The chat request.
        chunks: The number of chunks received.
        last: The last chunk.
    """
    counted = usage_of(usage)
    if counted is not None:
        return counted.total_tokens
    if not chunks:
        return 0
    answered = chunks if request.get("stream") else max(chunks, len(last) // 4)
    return len(msgspec.json.encode(request)) // 4 + answered


def total(one: Usage | None, other: Usage | None) -> Usage | None:
    """Return the sum of the known counts of two model calls."""
    if one is None or other is None:
        return one or other
    ours, theirs = one.input_tokens_details, other.input_tokens_details
    return Usage(
        input_tokens=one.input_tokens + other.input_tokens,
        input_tokens_details=InputTokensDetails(
            cached_tokens=ours.cached_tokens + theirs.cached_tokens,
            cache_write_tokens=ours.cache_write_tokens + theirs.cache_write_tokens,
        ),
        output_tokens=one.output_tokens + other.output_tokens,
        output_tokens_details=OutputTokensDetails(
            one.output_tokens_details.reasoning_tokens + other.output_tokens_details.reasoning_tokens
        ),
        total_tokens=one.total_tokens + other.total_tokens,
    )


def tool_usage_of(output: Sequence[Item]) -> ToolUsage:
    """Return the use of hosted tools: completed searches, without actions on pages."""
    searches = sum(
        isinstance(item, WebSearchCall)
        and item.status == "completed"
        and (item.action or {}).get("type", "search") == "search"
        for item in output
    )
    return ToolUsage(web_search=WebSearchUsage(searches))
