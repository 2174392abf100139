"""Limits of one API key at several servers that share a database.

The database counts, so that a key has at most its limit at all servers together. One write counts a request,
and one a stream. A server that is alone counts in memory.
"""

from antiphon.errors import StoreUnavailable
from antiphon.service.access.limits import Meter
from antiphon.store.sharing.usage import Charge, UsageRecords


class SharedMeter:
    """The usage of one key at all servers.

    Args:
        records: The usage of all keys.
        key_hash: The hash of the key; empty for clients without a key.
        meter: The meter of this server, which follows the database. It counts alone while the database fails.
    """

    def __init__(self, records: UsageRecords, key_hash: str, meter: Meter) -> None:
        self._records = records
        self._key_hash = key_hash
        self._meter = meter

    async def begin_request(self) -> None:
        """Count a request; a rejected one isn't counted.

        Raises:
            RateLimited: No request or no token is left.
        """
        limits = self._meter.limits
        if limits.requests_per_minute is None and limits.tokens_per_minute is None:
            return
        charge = self._charge()
        charge.begins = True
        try:
            await self._records.charge(charge)
        except StoreUnavailable:
            self._meter.begin_request()
            return
        self._meter.follow(charge.requests_used, charge.tokens_used)
        if not charge.is_granted:
            self._meter.begin_request()  # Raises the error.

    def spend(self, tokens: int) -> None:
        """Count the tokens of a model call."""
        self._meter.spend(tokens)
        charge = self._charge()
        charge.tokens = tokens
        self._note(charge)

    async def begin_stream(self) -> None:
        """Count a stream as open until `end_stream`.

        Raises:
            RateLimited: Too many streams are open.
        """
        most = self._meter.limits.concurrent_streams
        self._meter.begin_stream()
        if most is None:
            return
        charge = self._charge()
        charge.streams, charge.most_streams = self._meter.streams, most
        is_begun = False
        try:
            await self._records.charge(charge)
            is_begun = charge.is_granted
        except StoreUnavailable:
            is_begun = True
        finally:
            if not is_begun:
                self.end_stream()
        if not is_begun:
            self._meter.refuse_stream(self._meter.streams + charge.streams_elsewhere)

    def end_stream(self) -> None:
        """Stop counting one open stream."""
        self._meter.end_stream()
        if self._meter.limits.concurrent_streams is not None:
            charge = self._charge()
            charge.streams = self._meter.streams
            self._note(charge)

    def _charge(self) -> Charge:
        limits = self._meter.limits
        return Charge(
            key_hash=self._key_hash,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
        )

    def _note(self, charge: Charge) -> None:
        try:
            self._records.note(charge)
        except StoreUnavailable:
            return  # The server is stopping. Nobody counts its streams then.
