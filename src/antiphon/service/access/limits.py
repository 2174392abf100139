"""Limits of one API key: requests and tokens per minute, and concurrent streams.

This module counts at one server; `sharing` counts at all servers of a database.
"""

import math
from collections.abc import Callable
from typing import NoReturn

from msgspec import Struct

from antiphon.service.access.errors import RateLimited

_MINUTE = 60.0
_RETRY_STREAM = 1.0
"""Seconds after which a client may retry a stream; the time when another one ends is unknown."""


class Limits(Struct, frozen=True, kw_only=True):
    """Limits of a key; None means unlimited."""

    requests_per_minute: int | None = None
    """Number of requests; reading and deleting are not counted."""
    tokens_per_minute: int | None = None
    """Number of input and output tokens of model calls."""
    concurrent_streams: int | None = None
    """Number of responses that stream at the same time."""


class Bucket:
    """A token bucket, full at first, that refills evenly and may fall below zero.

    Args:
        limit: Capacity, and the amount that refills per minute.
        clock: Returns monotonic seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self.limit = limit
        self._clock = clock
        self._level = float(limit)
        self._seen = clock()

    def level(self) -> float:
        """Return the amount in the bucket; a negative amount is a debt."""
        now = self._clock()
        self._level = min(self.limit, self._level + (now - self._seen) * self.limit / _MINUTE)
        self._seen = now
        return self._level

    def take(self, amount: int) -> None:
        """Take `amount` out of the bucket, even if it holds less."""
        self._level = self.level() - amount

    def set_used(self, used: float) -> None:
        """Set the amount that has been taken and not refilled."""
        self._level = self.limit - used
        self._seen = self._clock()

    def wait(self, amount: float) -> float:
        """Return the seconds until the bucket holds `amount`; 0 if it does already."""
        return max(0.0, amount - self.level()) * _MINUTE / self.limit


class Meter:
    """The usage of one key.

    A request passes while both buckets hold at least one unit. Tokens are counted at the end of a model call,
    so the last request may overdraw them; the key then waits until the debt is refilled.

    Args:
        limits: The limits of the key.
        clock: Returns monotonic seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._requests = _bucket(limits.requests_per_minute, clock)
        self._tokens = _bucket(limits.tokens_per_minute, clock)
        self.streams = 0
        """Open streams at this server."""

    def follow(self, requests_used: float, tokens_used: float) -> None:
        """Take over the usage at all servers."""
        if self._requests is not None:
            self._requests.set_used(requests_used)
        if self._tokens is not None:
            self._tokens.set_used(tokens_used)

    def begin_request(self) -> None:
        """Count a request; a rejected one isn't counted.

        Raises:
            RateLimited: No request or no token is left.
        """
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
        """Count the tokens of a model call."""
        if self._tokens is not None:
            self._tokens.take(tokens)

    def begin_stream(self) -> None:
        """Count a stream as open until `end_stream`.

        Raises:
            RateLimited: Too many streams are open.
        """
        limit = self.limits.concurrent_streams
        if limit is not None and self.streams >= limit:
            self.refuse_stream(self.streams)
        self.streams += 1

    def refuse_stream(self, used: int) -> NoReturn:
        """Reject a stream because `used` streams are open.

        Raises:
            RateLimited: In any case.
        """
        raise RateLimited(
            f"Rate limit reached on concurrent streams: Limit {self.limits.concurrent_streams}, "
            f"Used {used}, Requested 1. Please try again when one of them has ended.",
            what="requests",
            wait=_RETRY_STREAM,
        )

    def end_stream(self) -> None:
        """Stop counting one open stream."""
        self.streams -= 1

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return OpenAI's `x-ratelimit-` headers; `reset` is the time until all is left."""
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
    """Return a duration in the format of OpenAI's headers, rounded up to milliseconds.

    Examples are `0s`, `17ms`, `1s`, `1.5s`, `6m0s` and `1h0m2s`.
    """
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
