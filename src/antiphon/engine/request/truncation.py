"""Shortening of the context for `truncation: auto`."""

from collections.abc import Iterator

from antiphon.engine.client.pairs import answered_id, called_id
from antiphon.wire.items import Item, Message


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
    answered = {answered_id(item) for item in items if not isinstance(item, Message)}
    for position, item in enumerate(items[:-1]):
        if isinstance(item, Message):
            pass  # Most items are messages.
        elif (call_id := called_id(item)) is not None:
            is_pending = getattr(item, "is_async", None) is True and call_id not in answered
            unanswered[call_id] = unanswered.get(call_id, 0) + (not is_pending)
        elif (call_id := answered_id(item)) is not None:
            unanswered[call_id] = unanswered.get(call_id, 0) - 1
        if not any(unanswered.values()):
            cuts.append(position + 1)
    return cuts
