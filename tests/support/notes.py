"""Notes of what an observer receives, in its order."""

from collections.abc import Sequence

from antiphon.engine.request_context import DEFAULT_SCOPE, RequestContext, Unobserved
from antiphon.errors import AntiphonError


class Notes(Unobserved):
    """An `Observer` that writes down what recordings, faults and compaction do."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.recordings: list[str] = []

    def hit(self, how: str, recording: str, rules: Sequence[str]) -> None:
        """Write down how a recording matched, and its name."""
        self.notes.append(f"hit {how} {recording}")
        self.recordings.append(recording)

    def missed(self, difference: str | None) -> None:
        """Write down a miss, and the first difference where there is one."""
        self.notes.append("miss" if difference is None else f"miss {difference}")

    def recorded(self, recording: str) -> None:
        """Write down that a call was recorded."""
        self.notes.append("recorded")
        self.recordings.append(recording)

    def faulted(self, rule: str) -> None:
        """Write down a fault."""
        self.notes.append(f"fault {rule}")

    def compaction_failed(self, error: AntiphonError) -> None:
        """Write down why the context remains as it is."""
        self.notes.append(f"not compacted: {error.message}")


def noting(scope: str = DEFAULT_SCOPE, faults: str | None = None) -> RequestContext:
    """Return a context whose observer is `Notes`."""
    return RequestContext(scope=scope, faults=faults, observer=Notes())


def notes_of(context: RequestContext) -> list[str]:
    """Return the notes of a context whose observer is `Notes`."""
    assert isinstance(context.observer, Notes)
    return context.observer.notes


def recordings_of(context: RequestContext) -> list[str]:
    """Return the recordings that answered or were made, of a context whose observer is `Notes`."""
    assert isinstance(context.observer, Notes)
    return context.observer.recordings
