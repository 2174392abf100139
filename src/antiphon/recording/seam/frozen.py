"""Frozen ids and times, so that runs can be compared.

Ids and times depend on the scope and the order of its requests alone. Requests of a scope are numbered, and
so are the ids within a request: concurrent requests don't change each other's ids.
"""

import hashlib
from collections import Counter
from itertools import count

from antiphon.engine.request_context import Clock, Ids
from antiphon.ids import LONG

_START = 1_767_225_600.0
"""2026-01-01 00:00 UTC; the first request of a scope is one second later."""


class Freeze:
    """Numbering of the requests of each scope."""

    def __init__(self) -> None:
        self._requests: Counter[str] = Counter()

    def begin(self, scope: str) -> tuple[Clock, Ids]:
        """Return the clock and the ids of the next request of a scope."""
        self._requests[scope] += 1
        number = self._requests[scope]
        made = count(1)

        def ids(prefix: str, size: int = LONG) -> str:
            digest = hashlib.sha256(f"{scope}\n{number}\n{next(made)}".encode()).hexdigest()
            return f"{prefix}_{digest[: 2 * size]}"

        return lambda: _START + number, ids
