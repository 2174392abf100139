"""IDs of a background response, equal in each of its executions."""

import hashlib

from antiphon.ids import LONG


class RunIds:
    """An `Ids` whose results depend only on the response and on the order of the calls.

    An execution that repeats finished steps gives items the IDs that clients have received already.

    Args:
        response_id: The ID of the response, which is random.
    """

    def __init__(self, response_id: str) -> None:
        self._response_id = response_id
        self._branch = ""
        self._count = 0

    def __call__(self, prefix: str, size: int = LONG) -> str:
        """Return the next ID; that of the response for its prefix."""
        if prefix == "resp":
            return self._response_id
        self._count += 1
        text = f"{self._response_id}\n{self._branch}\n{self._count}"
        return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[: 2 * size]}"

    def branch(self, name: str) -> None:
        """Return other IDs from now on, because items of an interrupted call have these."""
        self._branch += f"{name}\n"
