"""Shortening of the context for `truncation: auto`."""

from collections.abc import Iterator

from antiphon.wire.items import CustomToolCall, CustomToolCallOutput, FunctionCall, FunctionCallOutput, Item


def shortened(items: list[Item]) -> Iterator[list[Item]]:
    """Yield ever shorter tails of `items` to try until one fits.

    Items are dropped from the start, as on api.openai.com, and a call never without its output. Only the
    backend can determine what fits, so the steps double: one more item, two more, four more. The last item
    always remains.
    """
    places = _cuts(items)
    taken, step = -1, 1
    while taken < len(places) - 1:
        taken = min(taken + step, len(places) - 1)
        step *= 2
        yield items[places[taken] :]


def _cuts(items: list[Item]) -> list[int]:
    """Return the indexes that separate no call from its output."""
    cuts: list[int] = []
    unanswered: dict[str, int] = {}
    answered = {item.call_id for item in items if isinstance(item, FunctionCallOutput | CustomToolCallOutput)}
    for position, item in enumerate(items[:-1]):
        if isinstance(item, FunctionCall | CustomToolCall):
            is_pending = item.is_async is True and item.call_id not in answered
            unanswered[item.call_id] = unanswered.get(item.call_id, 0) + (not is_pending)
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            unanswered[item.call_id] = unanswered.get(item.call_id, 0) - 1
        if not any(unanswered.values()):
            cuts.append(position + 1)
    return cuts
