"""What one key may use: requests and tokens per minute, and streams at the same time.

The counts are kept in this process: servers that share a database count each for itself.
"""

import math
from collections.abc import Callable

from msgspec import Struct

from antiphon.service.access.errors import RateLimited

_MINUTE = 60.0
_RETRY_STREAM = 1.0
"""Seconds after which it may be tried again to open a stream; when one ends is not known."""


class Limits(Struct, frozen=True, kw_only=True):
    """Limits; None stands for none."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_streams: int | None = None


class Bucket:
    """A token bucket: full at first, filled up evenly, `limit` a minute. What is taken may leave a debt."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._level = float(limit)
        self._seen = clock()

    def level(self) -> float:
        """Returns what is there now; below 0 it is a debt."""
        now = self._clock()
        self._level = min(self.limit, self._level + (now - self._seen) * self.limit / _MINUTE)
        self._seen = now
        return self._level

    def take(self, amount: int) -> None:
        """Takes `amount` out, whether it is there or not."""
        self._level = self.level() - amount

    def wait(self, amount: float) -> float:
        """Returns the seconds until `amount` is there; 0 if it is."""
        return max(0.0, amount - self.level()) * _MINUTE / self.limit


class Meter:
    """Counts what a key uses. A request is let in while there is one left, and any tokens.

    Tokens are counted when a model call has ended, so that the last request may overdraw them; that is
    waited off. `clock` counts seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._requests = _bucket(limits.requests_per_minute, clock)
        self._tokens = _bucket(limits.tokens_per_minute, clock)
        self._streams = 0

    def begin_request(self) -> None:
        """Counts a request. Raises `RateLimited`; what is refused is not counted."""
        tokens, requests = self._tokens, self._requests
        if tokens is not None and (wait := tokens.wait(1)):
            used = tokens.limit - math.floor(tokens.level())
            raise RateLimited(
                f"Rate limit reached on tokens per min (TPM): Limit {tokens.limit}, Used {used}. "
                f"Please try again in {duration(wait)}.",
                what="tokens",
                wait=wait,
            )
        if requests is not None:
            if wait := requests.wait(1):
                raise RateLimited(
                    f"Rate limit reached on requests per min (RPM): Limit {requests.limit}, "
                    f"Used {requests.limit}, Requested 1. Please try again in {duration(wait)}.",
                    what="requests",
                    wait=wait,
                )
            requests.take(1)

    def spend(self, tokens: int) -> None:
        """Counts the tokens of a model call."""
        if self._tokens is not None:
            self._tokens.take(tokens)

    def begin_stream(self) -> None:
        """Counts a stream until `end_stream`. Raises `RateLimited`."""
        limit = self.limits.concurrent_streams
        if limit is not None and self._streams >= limit:
            raise RateLimited(
                f"Rate limit reached on concurrent streams: Limit {limit}, Used {self._streams}, "
                "Requested 1. Please try again when one of them has ended.",
                what="requests",
                wait=_RETRY_STREAM,
            )
        self._streams += 1

    def end_stream(self) -> None:
        """Counts a stream no more."""
        self._streams -= 1

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Returns OpenAI's `x-ratelimit-` headers; times are those until all is there again."""
        found = []
        for what, bucket in (("requests", self._requests), ("tokens", self._tokens)):
            if bucket is not None:
                remaining = max(0, math.floor(bucket.level()))
                for name, value in (
                    ("limit", str(bucket.limit)),
                    ("remaining", str(remaining)),
                    ("reset", duration(bucket.wait(bucket.limit))),
                ):
                    found.append((f"x-ratelimit-{name}-{what}".encode(), value.encode()))
        return found


def duration(seconds: float) -> str:
    """Writes a time as OpenAI's headers do: `0s`, `17ms`, `1s`, `1.5s`, `6m0s`, `1h0m2s`; rounded up."""
    milliseconds = math.ceil(round(seconds * 1000, 3))
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1000:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _bucket(limit: int | None, clock: Callable[[], float]) -> Bucket | None:
    return None if limit is None else Bucket(limit, clock)
