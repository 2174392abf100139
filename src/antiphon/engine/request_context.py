"""Context of one request: owner, scope, clock, ids, limits and observer."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from antiphon.engine.behavior import Behavior
from antiphon.engine.steering import Steering
from antiphon.engine.steps import StepNotes
from antiphon.errors import AntiphonError
from antiphon.ids import LONG, new_id
from antiphon.settings.schema import Mode
from antiphon.wire.responses import Response

DEFAULT_SCOPE = "default"
"""The scope of requests that name none."""
LOCAL_OWNER = "local"
"""The owner of objects that are created without an API key, or with the key in the settings."""


class Clock(Protocol):
    """A function that returns the time."""

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        ...


class Ids(Protocol):
    """A function that generates ids."""

    def __call__(self, prefix: str, size: int = LONG) -> str:
        """Return `prefix`, an underscore and two hexadecimal digits per byte of `size`."""
        ...


class Seal(Protocol):
    """Encryption of content that clients keep and only this server can decrypt.

    The content of one owner is unreadable for other owners.
    """

    def seal(self, owner: str, content: bytes) -> str:
        """Return `content` as encrypted text."""
        ...

    def open(self, owner: str, sealed: str) -> bytes | None:
        """Return the content; None for encrypted text of another server or owner."""
        ...


class Observer(Protocol):
    """Observer of one request, for the request log and metrics."""

    def model_called(self, model: str) -> None:
        """Note a call to a model, by its public id."""
        ...

    def tool_called(self, name: str, *, failed: bool) -> None:
        """Note the end of a hosted tool call."""
        ...

    def hit(self, how: str, recording: str, rules: Sequence[str]) -> None:
        """Note that a recording matched a call.

        Args:
            how: The kind of match.
            recording: The id of the recording.
            rules: The names of the rules that normalized the call.
        """
        ...

    def missed(self, difference: str | None) -> None:
        """Note that no recording matched a call.

        Args:
            difference: The first field that differs from the most similar recording.
        """
        ...

    def recorded(self, recording: str) -> None:
        """Note that a call was recorded."""
        ...

    def faulted(self, rule: str) -> None:
        """Note that a fault rule applied to a call."""
        ...

    def compaction_failed(self, error: AntiphonError) -> None:
        """Note that compaction failed, which leaves the context unchanged."""
        ...

    def responded(self, response: Response, error: AntiphonError | None) -> None:
        """Note the state of a response at its beginning and at its end."""
        ...

    def carried(self) -> dict[str, str]:
        """Return the trace context for work that outlives the request."""
        ...

    def ended(self) -> None:
        """Note the end of the work."""
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

    def carried(self) -> dict[str, str]:
        """Return no trace context."""
        return {}

    def ended(self) -> None:
        """Ignore it."""


class RequestContext(Struct, frozen=True, kw_only=True):
    """The properties of a request besides its body.

    Recording, replay and fault injection use scope, mode and faults; real backends ignore them.
    """

    owner: str = LOCAL_OWNER
    """The tenant whose objects the request reads and writes."""
    scope: str = DEFAULT_SCOPE
    """The test or scenario that the request belongs to; it selects among recordings of the same call."""
    mode: Mode | None = None
    """The mode that the request names; None for the server's own mode."""
    faults: str | None = None
    """Fault rules of the request, which precede the server's."""
    clock: Clock = time.time
    """Returns the time; a fixed one with the setting `freeze`."""
    ids: Ids = new_id
    """Generates ids; reproducible ones with the setting `freeze`."""
    spend: Callable[[int], None] | None = None
    """Counts the tokens of each model call at its end; None without a limit of tokens."""
    seal: Seal | None = None
    """Encrypts and decrypts content that clients keep; None if the server has no secret."""
    observer: Observer = Unobserved()
    """Receives the events of the request for the request log and metrics."""
    behavior: Behavior = Behavior()
    """The behavior that the dialect of the client has."""
    key: str | None = None
    """The name of the API key."""
    steps: StepNotes | None = None
    """Notes the calls of a response for its log; None if it has no log."""
    steering: Steering | None = None
    """Input that the client sends while the response runs; None if it can send none."""


class StoredContext(Struct, frozen=True, kw_only=True):
    """The properties of a request that its execution needs after the connection to the client has ended."""

    behavior: Behavior
    """The behavior that the dialect of the client has."""
    key: str | None
    """The name of the API key, for its limit of tokens."""
    scope: str = DEFAULT_SCOPE
    """The scope of recordings."""
    mode: Mode | None = None
    """The mode of recordings."""
    faults: str | None = None
    """The fault rules of the request."""
    trace: dict[str, str] = {}
    """The trace context, which all executions continue."""

    @classmethod
    def of(cls, context: RequestContext, key: str | None) -> "StoredContext":
        """Return the stored properties of a request with the API key of this name."""
        return StoredContext(
            behavior=context.behavior,
            key=key,
            scope=context.scope,
            mode=context.mode,
            faults=context.faults,
            trace=context.observer.carried(),
        )

    def restored(
        self,
        owner: str,
        ids: Ids,
        seal: Seal,
        spend: Callable[[int], None] | None,
        observer: Observer | None = None,
    ) -> RequestContext:
        """Return the context for an execution of the request."""
        return RequestContext(
            owner=owner,
            scope=self.scope,
            mode=self.mode,
            faults=self.faults,
            ids=ids,
            spend=spend,
            seal=seal,
            observer=observer or Unobserved(),
            behavior=self.behavior,
            key=self.key,
        )
