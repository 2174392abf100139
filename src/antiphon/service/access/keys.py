"""API keys: their creation, and the identification of clients by key."""

import asyncio
import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from antiphon.engine.request_context import LOCAL_OWNER
from antiphon.errors import AntiphonError, InvalidRequest
from antiphon.ids import new_id
from antiphon.service.access.errors import InvalidApiKey, MissingScope
from antiphon.service.access.limits import Limits, Meter
from antiphon.service.access.sharing import SharedMeter
from antiphon.settings.values import Secret
from antiphon.store.keys import KeyList, KeyRecords, StoredKey
from antiphon.store.sharing.usage import UsageRecords

log = logging.getLogger("antiphon.keys")

REFRESH = 5.0
"""Seconds between two looks for changed keys; a revoked key may remain valid for as long."""

_PREFIX = "sk-antiphon-"
_SECRET_BYTES = 32
_HINT = 4
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
_NO_LIMITS = Limits()


class KeySettings(Struct, frozen=True, kw_only=True):
    """The settings about API keys."""

    api_key: Secret | None = None
    """A key that is valid in addition to the stored ones."""
    limits: Limits = _NO_LIMITS
    """Limits of keys that have none of their own."""


Access = Literal["api", "metrics", "all"]
"""Scope of a key: the API, the metrics of the server, or both."""


@dataclass(slots=True)
class Caller:
    """The client of a request or of a connection."""

    owner: str
    """The owner of the objects that the client reads and writes."""
    name: str | None
    """Name of the API key; None for the key in the settings and without a key."""
    meter: Meter | None
    """Usage of the key at this server; None without limits."""
    shared: SharedMeter | None = None
    """Usage of the key at all servers; None without limits, and for a server that is alone."""
    access: Access = "all"
    """The scope of the key."""
    _is_streaming: bool = False

    def check(self, access: Access) -> None:
        """Check that the client may use the API, or the metrics.

        Raises:
            MissingScope: The key is for something else.
        """
        if self.access != "all" and self.access != access:
            raise MissingScope(access)

    async def begin_request(self) -> None:
        """Count a request.

        Raises:
            RateLimited: The client has reached its limit of requests or tokens.
        """
        if self.shared is not None:
            await self.shared.begin_request()
        elif self.meter is not None:
            self.meter.begin_request()

    async def begin_stream(self) -> None:
        """Count a stream as open until `end_stream`.

        Raises:
            RateLimited: The client has reached its limit of concurrent streams.
        """
        if self.meter is None:
            return
        if self.shared is not None:
            await self.shared.begin_stream()
        else:
            self.meter.begin_stream()
        self._is_streaming = True

    @property
    def spend(self) -> Callable[[int], None] | None:
        """The function that counts used tokens; None without a limit of tokens."""
        if self.meter is None or self.meter.limits.tokens_per_minute is None:
            return None
        return (self.shared or self.meter).spend

    def end_stream(self) -> None:
        """Stop counting the open stream, if there is one."""
        if self.meter is not None and self._is_streaming:
            self._is_streaming = False
            (self.shared or self.meter).end_stream()


@dataclass(frozen=True)
class _Known:
    owner: str
    name: str | None
    limits: Limits
    access: Access


class Keys:
    """The valid API keys of this server, which it reads again within seconds of a change.

    Args:
        records: The stored keys.
        usage: The usage of keys at all servers.
        settings: The key and the limits of the settings.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        records: KeyRecords,
        usage: UsageRecords,
        settings: KeySettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records = records
        self._usage = usage
        self._settings = settings
        self._clock = clock
        self._own: dict[str, _Known] = {}
        if settings.api_key is not None:
            own = _Known(LOCAL_OWNER, None, settings.limits, "all")
            self._own[hash_of(settings.api_key.reveal())] = own
        self._known = {**self._own}
        self._is_needed = bool(self._own)
        self._meters: dict[str, Meter] = {}
        limited = settings.limits != _NO_LIMITS
        self._without_key = Meter(settings.limits, clock) if limited else None
        self._version: str | None = None
        self._read_at = -REFRESH
        self._reading = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._known)

    async def is_needed(self) -> bool:
        """Return whether clients need a key: one exists or has existed since start-up."""
        if self._clock() - self._read_at >= REFRESH:
            await self._refresh()
        return self._is_needed

    async def caller(self, key: str | None) -> Caller | None:
        """Return the client that sends `key`; None if no key and no limits exist.

        The lookup uses the key's hash, so that its duration reveals nothing about the key.

        Raises:
            InvalidApiKey: The key is missing, unknown or revoked.
        """
        if not await self.is_needed():
            return self.without_key()
        if key is None:
            raise InvalidApiKey(None)
        caller = await self.holder(hash_of(key))
        if caller is None:
            raise InvalidApiKey(key)
        return caller

    async def holder(self, key_hash: str) -> Caller | None:
        """Return the client with the key of a hash; None if no valid key has it."""
        known = self._known.get(key_hash)
        if known is None:
            # A new key is valid immediately.
            version = self._version
            stored = await self._records.find(key_hash)
            if stored is None:
                return None
            known = self._from(stored)
            if version == self._version:  # Otherwise, it may have been revoked before the latest reading.
                self._known[key_hash] = known
        caller = self._caller(known.owner, known.name, key_hash, self._meter(key_hash, known.limits))
        caller.access = known.access
        return caller

    def without_key(self) -> Caller | None:
        """Return the client of a server that needs no key; None if there are no limits."""
        meter = self._without_key
        return None if meter is None else self._caller(LOCAL_OWNER, None, "", meter)

    def spend_of(self, owner: str, name: str | None) -> Callable[[int], None] | None:
        """Return the function that counts tokens of a key, for work after its request.

        Args:
            owner: The owner of the key.
            name: The name of the key; None for the key in the settings and without a key.
        """
        for key_hash, known in self._known.items():
            if (known.owner, known.name) == (owner, name):
                return self._caller(owner, name, key_hash, self._meter(key_hash, known.limits)).spend
        caller = self.without_key()
        return None if caller is None or name is not None else caller.spend

    async def _refresh(self) -> None:
        async with self._reading:
            if self._clock() - self._read_at < REFRESH:
                return
            try:
                changed = await self._records.changed(self._version)
            except AntiphonError as error:
                # Known keys remain valid; requests that need the database report its failure themselves.
                log.error("Failed to read the list of API keys: %s", error.message)
            else:
                if changed is not None:
                    self._take(changed)
            self._read_at = self._clock()

    def _take(self, changed: KeyList) -> None:
        self._known = {key.hash: self._from(key) for key in changed.keys} | self._own
        if self._known and not self._is_needed:
            self._is_needed = True
            if self._version is not None:  # Start-up itself prints whether a key is required.
                log.warning("Found the first API key; every request requires a key from now on")
        self._version = changed.version
        self._meters = {each: meter for each, meter in self._meters.items() if each in self._known}

    def _from(self, stored: StoredKey) -> _Known:
        ours = self._settings.limits
        limits = Limits(
            requests_per_minute=stored.requests_per_minute or ours.requests_per_minute,
            tokens_per_minute=stored.tokens_per_minute or ours.tokens_per_minute,
            concurrent_streams=stored.concurrent_streams or ours.concurrent_streams,
        )
        return _Known(stored.owner, stored.name, limits, "metrics" if stored.access == "metrics" else "api")

    def _caller(self, owner: str, name: str | None, key_hash: str, meter: Meter | None) -> Caller:
        if meter is None or not self._usage.is_shared:
            return Caller(owner, name, meter)
        return Caller(owner, name, meter, SharedMeter(self._usage, key_hash, meter))

    def _meter(self, key_hash: str, limits: Limits) -> Meter | None:
        if limits == _NO_LIMITS:
            return None
        meter = self._meters.get(key_hash)
        if meter is None or meter.limits != limits:
            meter = self._meters[key_hash] = Meter(limits, self._clock)
        return meter


async def create_key(
    records: KeyRecords, name: str | None, owner: str | None, limits: Limits, scope: str | None = None
) -> tuple[str, StoredKey]:
    """Create a key and return it with its stored record, which holds only its hash.

    Args:
        records: The stored keys.
        name: Name of the key; None generates one.
        owner: Owner of the objects that the key gives access to; None takes the name of the key.
        limits: Limits of the key; None in a field takes the limit of the settings.
        scope: `metrics` for a key that reads the metrics of the server and nothing else; None for the API.

    Raises:
        InvalidRequest: The name or the owner has invalid characters, or the name is taken.
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
        access=scope,
    )
    await records.add(stored)
    return key, stored


def hash_of(key: str) -> str:
    """Return the hash under which a key is stored."""
    # One round is enough: a key has 256 random bits.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
