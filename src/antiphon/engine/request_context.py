"""Context of one request: its owner, scope, clock, ids and limits, and the observer of what happens."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from antiphon.errors import AntiphonError
from antiphon.ids import LONG, new_id
from antiphon.settings.schema import Mode
from antiphon.wire.responses import Response

DEFAULT_SCOPE = "default"
"""The scope of requests that name none."""
LOCAL_OWNER = "local"
"""The owner of objects that are made without a key, or with the key of the settings."""


class Clock(Protocol):
    """Return the time in seconds since 1970."""

    def __call__(self) -> float: ...


class Ids(Protocol):
    """Return a fresh id: `prefix`, an underscore, and two hexadecimal digits for each of `size` bytes."""

    def __call__(self, prefix: str, size: int = LONG) -> str: ...


class Seal(Protocol):
    """Encryption of content that clients keep: only this server can read it, and only for its owner."""

    def seal(self, owner: str, content: bytes) -> str:
        """Return `content` as encrypted text."""
        ...

    def open(self, owner: str, sealed: str) -> bytes | None:
        """Return the content; None if another server or another owner sealed it."""
        ...


class Observer(Protocol):
    """Receiver of what happens while a request runs: the request log and metrics are made from it."""

    def model_called(self, model: str) -> None:
        """Note a call to a model, by its public id."""
        ...

    def tool_called(self, name: str, *, failed: bool) -> None:
        """Note the end of a hosted tool call."""
        ...

    def hit(self, how: str, recording: str, rules: Sequence[str]) -> None:
        """Note that a recording answered a call: how it matched, and the rules that normalized the call."""
        ...

    def missed(self, difference: str | None) -> None:
        """Note that no recording answered; `difference` is the first field that differs from the nearest."""
        ...

    def recorded(self, recording: str) -> None:
        """Note that a call was recorded."""
        ...

    def faulted(self, rule: str) -> None:
        """Note that a fault rule applied to a call."""
        ...

    def compaction_failed(self, error: AntiphonError) -> None:
        """Note that the context remains as it is, because compaction failed."""
        ...

    def responded(self, response: Response, error: AntiphonError | None) -> None:
        """Note a response as it stands: when it begins, and when it has ended."""
        ...


class Unobserved:
    """An `Observer` that ignores everything, for work outside of requests."""

    def model_called(self, model: str) -> None:
        """Ignore it."""

    def tool_called(self, name: str, *, failed: bool) -> None:
        """Ignore it."""

    def hit(self, how: str, recording: str, rules: Sequence[str]) -> None:
        """Ignore it."""

    def missed(self, difference: str | None) -> None:
        """Ignore it."""

    def recorded(self, recording: str) -> None:
        """Ignore it."""

    def faulted(self, rule: str) -> None:
        """Ignore it."""

    def compaction_failed(self, error: AntiphonError) -> None:
        """Ignore it."""

    def responded(self, response: Response, error: AntiphonError | None) -> None:
        """Ignore it."""


class RequestContext(Struct, frozen=True, kw_only=True):
    """What the use cases, the engine and the seam know of a request besides its body.

    Real backends ignore scope, mode and faults; recording, replay and fault injection use them.
    """

    owner: str = LOCAL_OWNER
    """The tenant whose objects the request reads and writes."""
    scope: str = DEFAULT_SCOPE
    """The test or scenario that the request belongs to. It decides between recordings of the same call."""
    mode: Mode | None = None
    """The mode that the request names; None for the server's own mode."""
    faults: str | None = None
    """Fault rules of the request; they come before the server's."""
    clock: Clock = time.time
    ids: Ids = new_id
    spend: Callable[[int], None] | None = None
    """Counts the tokens of each model call when it has ended; None without a limit of tokens."""
    seal: Seal | None = None
    """Encrypts and decrypts content that clients keep; None where the server has no secret."""
    observer: Observer = Unobserved()
