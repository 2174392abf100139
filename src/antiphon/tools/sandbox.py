"""The interface of a sandbox, behind which another kind can be added in one file."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from antiphon.errors import UpstreamError


class SandboxFailed(UpstreamError):
    """The sandbox ended without a result, or could not start."""


class Job(Struct, kw_only=True):
    """One run of code in the interpreter of a container."""

    code: str
    """The code."""
    put: Mapping[str, bytes] = {}
    """Files to write before, by their paths below the folder of data."""
    remove: Sequence[str] = ()
    """Files to remove before."""
    memory: int
    """Maximum memory of the interpreter in bytes; counts when the interpreter starts."""
    seconds: float
    """Maximum duration."""
    output: int
    """Maximum size of what the code prints, in bytes."""


class Outcome(Struct, kw_only=True):
    """The result of a run."""

    logs: str
    """Everything that the code printed, with the traceback of an exception."""
    result: str | None = None
    """The value of the last expression, as text."""
    images: Sequence[bytes] = ()
    """The charts that the code showed, as PNG."""
    files: Mapping[str, bytes] = {}
    """The files that the code has changed, by path."""
    removed: Sequence[str] = ()
    """The files that the code has removed."""
    error: str | None = None
    """The limit that the run exceeded; its interpreter has ended, and the variables are lost."""


class Sandbox(Protocol):
    """Interpreters of containers, which keep their state between runs.

    An interpreter has no network and sees no file except those of its container. It may end at any time. The
    next run then begins with a new one, which receives the files again.
    """

    async def files(self, container: str) -> Mapping[str, str] | None:
        """Return the files of the container's interpreter with their SHA-256; None if it has none.

        Raises:
            SandboxFailed: The interpreter does not answer.
        """
        ...

    async def run(self, container: str, job: Job) -> Outcome:
        """Run code, in a new interpreter if the container has none.

        Cancelling the call stops the code and the interpreter.

        Raises:
            SandboxFailed: The interpreter ended without a result, or could not start.
        """
        ...

    async def stop(self, container: str) -> None:
        """Stop the interpreter of a container, if it has one."""
        ...

    async def close(self) -> None:
        """Stop the interpreters that this server process has started."""
        ...
