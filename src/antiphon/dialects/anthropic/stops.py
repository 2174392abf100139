"""Stop sequences: the text of a message ends before the first of them. Pure.

The Responses API has no stop sequences, so that the backend doesn't know them either.
"""

from collections.abc import Sequence


class StopCutter:
    """Cuts a text that arrives in pieces before the first stop sequence.

    Args:
        sequences: The stop sequences, none of which is empty.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._most = max(map(len, sequences), default=0)
        self._kept = ""
        self.found: str | None = None
        """The stop sequence that the text contained."""

    def feed(self, piece: str) -> str:
        """Return the text that is certainly before a stop sequence."""
        if self.found is not None or not self._sequences:
            return "" if self.found is not None else piece
        text = self._kept + piece
        places = [(text.find(each), -len(each), each) for each in self._sequences if each in text]
        if places:
            place, _, self.found = min(places)
            self._kept = ""
            return text[:place]
        # The longest end of the text that a stop sequence may begin with.
        held = next(
            (n for n in range(min(self._most - 1, len(text)), 0, -1) if self._may_begin(text[-n:])), 0
        )
        self._kept = text[len(text) - held :]
        return text[: len(text) - held]

    def flush(self) -> str:
        """Return the rest of the text at the end of a block."""
        rest, self._kept = self._kept, ""
        return rest

    def _may_begin(self, end: str) -> bool:
        return any(each.startswith(end) for each in self._sequences)
