"""API keys: made, listed and revoked, and who calls with one."""

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.ids import new_id
from antiphon.service.access.errors import InvalidApiKey
from antiphon.service.access.limits import Limits, Meter
from antiphon.settings.values import Secret
from antiphon.store.keys import KeyRecords, StoredKey

log = logging.getLogger("antiphon.keys")

REFRESH = 5.0
"""Seconds after which the list of keys is read again: so long a revoked key may still be good."""

_PREFIX = "sk-antiphon-"
_SECRET_BYTES = 32
_HINT = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_NO_LIMITS = Limits()


class KeySettings(Struct, frozen=True, kw_only=True):
    """What the settings say: a key of their own, and the limits of keys that have none of theirs."""

    api_key: Secret | None = None
    limits: Limits = _NO_LIMITS


@dataclass(slots=True)
class Caller:
    """Who makes a request, or holds a connection. `name` is the key's; `meter` is None without limits."""

    owner: str
    name: str | None
    meter: Meter | None
    _is_streaming: bool = False

    def begin_request(self) -> None:
        """Counts a request. Raises `RateLimited`."""
        if self.meter is not None:
            self.meter.begin_request()

    def begin_stream(self) -> None:
        """Counts the answer as a stream until `end_stream`. Raises `RateLimited`."""
        if self.meter is not None:
            self.meter.begin_stream()
            self._is_streaming = True

    @property
    def spend(self) -> Callable[[int], None] | None:
        """Counter of tokens; None without a limit of tokens."""
        if self.meter is None or self.meter.limits.tokens_per_minute is None:
            return None
        return self.meter.spend

    def end_stream(self) -> None:
        """Counts it no more; nothing happens if there is none."""
        if self.meter is not None and self._is_streaming:
            self._is_streaming = False
            self.meter.end_stream()


@dataclass(frozen=True)
class _Known:
    owner: str
    name: str | None
    limits: Limits


class Keys:
    """The keys that are good for this server. They are read again every few seconds."""

    def __init__(
        self, records: KeyRecords, settings: KeySettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._records = records
        self._settings = settings
        self._clock = clock
        self._own: dict[str, _Known] = {}
        if settings.api_key is not None:
            own = _Known(LOCAL_OWNER, None, settings.limits)
            self._own[hash_of(settings.api_key.reveal())] = own
        self._known = {**self._own}
        self._is_needed = bool(self._own)
        self._meters: dict[str, Meter] = {}
        limited = settings.limits != _NO_LIMITS
        self._without_key = Meter(settings.limits, clock) if limited else None
        self._read_at = -REFRESH
        self._reading = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._known)

    async def is_needed(self) -> bool:
        """Whether callers need a key: there is one, or there was one since this server began."""
        if self._clock() - self._read_at >= REFRESH:
            await self._refresh()
        return self._is_needed

    async def caller(self, key: str | None) -> Caller | None:
        """Returns who calls with `key`; None for a caller who needs no key and has no limits.

        Raises `InvalidApiKey`. What is looked up is the key's hash, and how long that takes says nothing
        about the key.
        """
        if not await self.is_needed():
            return self.without_key()
        if key is None:
            raise InvalidApiKey(None)
        key_hash = hash_of(key)
        known = self._known.get(key_hash)
        if known is None:
            # A key that was made just now is good at once.
            stored = await self._records.find(key_hash)
            if stored is None:
                raise InvalidApiKey(key)
            known = self._known[key_hash] = self._from(stored)
        return Caller(known.owner, known.name, self._meter(key_hash, known.limits))

    def without_key(self) -> Caller | None:
        """Returns who calls while no key is needed; None if there are no limits."""
        return Caller(LOCAL_OWNER, None, self._without_key) if self._without_key else None

    async def _refresh(self) -> None:
        async with self._reading:
            if self._clock() - self._read_at < REFRESH:
                return
            try:
                stored = {key.hash: self._from(key) for key in await self._records.all()}
            except AntiphonError as error:
                # Who has a key goes on; that the database does not answer is told where it is needed.
                log.error("the list of keys cannot be read: %s", error.message)
            else:
                self._known = stored | self._own
                self._is_needed = self._is_needed or bool(self._known)
                self._meters = {each: meter for each, meter in self._meters.items() if each in self._known}
            self._read_at = self._clock()

    def _from(self, stored: StoredKey) -> _Known:
        ours = self._settings.limits
        limits = Limits(
            requests_per_minute=stored.requests_per_minute or ours.requests_per_minute,
            tokens_per_minute=stored.tokens_per_minute or ours.tokens_per_minute,
            concurrent_streams=stored.concurrent_streams or ours.concurrent_streams,
        )
        return _Known(stored.owner, stored.name, limits)

    def _meter(self, key_hash: str, limits: Limits) -> Meter | None:
        if limits == _NO_LIMITS:
            return None
        meter = self._meters.get(key_hash)
        if meter is None or meter.limits != limits:
            meter = self._meters[key_hash] = Meter(limits, self._clock)
        return meter


async def create_key(
    records: KeyRecords, name: str | None, owner: str | None, limits: Limits
) -> tuple[str, StoredKey]:
    """Makes a key and returns it, for the only time, with what is stored of it.

    Without an `owner` the key is its own: of the same name. Raises `InvalidRequest`, also for a name that
    is taken.
    """
    for param, given in (("name", name), ("owner", owner)):
        if given is not None and not _NAME.fullmatch(given):
            raise InvalidRequest(
                f"Invalid '{param}': expected at most 64 letters, digits and '._@+-', beginning with a "
                "letter or a digit.",
                code="invalid_value",
                param=param,
            )
    key = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    name = name or new_id("key", 8)
    stored = StoredKey(
        hash=hash_of(key),
        name=name,
        owner=owner or name,
        hint=key[-_HINT:],
        created_at=time.time(),
        requests_per_minute=limits.requests_per_minute,
        tokens_per_minute=limits.tokens_per_minute,
        concurrent_streams=limits.concurrent_streams,
    )
    await records.add(stored)
    return key, stored


def hash_of(key: str) -> str:
    """Returns the hash by which a key is kept. A key is 256 random bits, so that one round is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
