"""`truncation: auto`: what to leave out when the context does not fit. Pure."""

from collections.abc import Iterator

from antiphon.wire.items import CustomToolCall, CustomToolCallOutput, FunctionCall, FunctionCallOutput, Item


def shortened(items: list[Item]) -> Iterator[list[Item]]:
    """Yields ever shorter ends of `items`, to be tried until one fits.

    Items go from the start, as on api.openai.com, and a call never goes without its output. Only the backend
    knows how much it can take, so that the steps double: one more item, two more, four more. The last item
    always stays.
    """
    places = _cuts(items)
    taken, step = -1, 1
    while taken < len(places) - 1:
        taken = min(taken + step, len(places) - 1)
        step *= 2
        yield items[places[taken] :]


def _cuts(items: list[Item]) -> list[int]:
    """The positions at which the context may begin: no call before them is answered behind them."""
    cuts: list[int] = []
    unanswered: dict[str, int] = {}
    for position, item in enumerate(items[:-1]):
        if isinstance(item, FunctionCall | CustomToolCall):
            unanswered[item.call_id] = unanswered.get(item.call_id, 0) + 1
        elif isinstance(item, FunctionCallOutput | CustomToolCallOutput):
            unanswered[item.call_id] = unanswered.get(item.call_id, 0) - 1
        if not any(unanswered.values()):
            cuts.append(position + 1)
    return cuts
