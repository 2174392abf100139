"""Recent hits and misses of a server, for people."""

import time
from collections import deque

from msgspec import Struct

from antiphon.recording.matching.chats import Hit

_MOST = 200
"""Hits and misses, at most."""
_MOST_CALLS = 100_000
"""Recordings that are remembered as used."""
_MOST_MESSAGE = 4000
_MOST_SCOPE = 200


class RecentHit(Struct, frozen=True, kw_only=True):
    """A call that a recording has answered."""

    at: float
    """Unix time."""
    scope: str
    recording: str
    """Name of the recording."""
    how: str
    """Kind of the match."""
    rules: list[str]
    """Rules that normalized the request, if it matched only then."""


class RecentMiss(Struct, frozen=True, kw_only=True):
    """A call that no recording has answered."""

    at: float
    """Unix time."""
    scope: str
    message: str
    """Explanation with the fields that differ from the nearest recording; empty if the call was made."""


class History:
    """The latest hits and misses since the start of the server, and the recordings that were used."""

    def __init__(self) -> None:
        self.hits: deque[RecentHit] = deque(maxlen=_MOST)
        self.misses: deque[RecentMiss] = deque(maxlen=_MOST)
        self.hit_count = 0
        self.miss_count = 0
        self.used: set[tuple[str, int]] = set()
        """Files and numbers of the calls that were used."""

    def add_hit(self, found: Hit, scope: str) -> None:
        """Note a hit of a scope."""
        self.hit_count += 1
        call = found.call
        self.hits.append(
            RecentHit(
                at=time.time(),
                scope=scope[:_MOST_SCOPE],
                recording=call.name,
                how=found.how,
                rules=list(found.rules),
            )
        )
        if len(self.used) < _MOST_CALLS:
            self.used.add((call.file, call.number or 1))

    def add_miss(self, message: str, scope: str) -> None:
        """Note a miss of a scope, with its explanation."""
        self.miss_count += 1
        self.misses.append(
            RecentMiss(at=time.time(), scope=scope[:_MOST_SCOPE], message=message[:_MOST_MESSAGE])
        )
