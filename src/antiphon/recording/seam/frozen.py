"""Frozen ids and times: a function of the scope and of the order of its requests, so runs can be compared.

Each request of a scope has a number, and each id that it makes another one: requests that run at the same
time do not take each other's ids.
"""

import hashlib
from collections import Counter
from itertools import count

from antiphon.engine.request_context import Clock, Ids
from antiphon.ids import LONG

_START = 1_767_225_600.0
"""Midnight (UTC) before 2026-01-01, the time of a scope's request 0."""


class Freeze:
    """Numbers the requests of each scope."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()

    def begin(self, scope: str) -> tuple[Clock, Ids]:
        """Returns the clock and the ids of the scope's next request: its n-th second, and its own ids."""
        self._requests[scope] += 1
        number = self._requests[scope]
        made = count(1)

        def ids(prefix: str, size: int = LONG) -> str:
            digest = hashlib.sha256(f"{scope}\n{number}\n{next(made)}".encode()).hexdigest()
            return f"{prefix}_{digest[: 2 * size]}"

        return lambda: _START + number, ids
