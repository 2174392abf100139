"""A sandbox with a scripted outcome for each code, for tests that need no Python of their own."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from copy import copy

import pytest

from antiphon.errors import AntiphonError
from antiphon.tools.sandbox import Job, Outcome

_WASI = "antiphon.tools.code_interpreter.sandboxes.wasi"


class FakeSandbox:
    """Interpreters that return an outcome for each code."""

    def __init__(self, outcomes: Mapping[str, Outcome | AntiphonError] | None = None) -> None:
        self.made: Counter[str] = Counter()
        """How often each code was run."""
        self.held: dict[str, dict[str, bytes]] = {}
        """The files of each interpreter."""
        self._outcomes = dict(outcomes or {})

    async def files(self, container: str) -> Mapping[str, str] | None:
        if container not in self.held:
            return None
        return {path: hashlib.sha256(content).hexdigest() for path, content in self.held[container].items()}

    async def run(self, container: str, job: Job) -> Outcome:
        self.made[job.code] += 1
        outcome = self._outcomes.get(job.code, Outcome(logs=f"ran {job.code}\n"))
        if isinstance(outcome, AntiphonError):
            raise outcome
        gone = {*job.remove, *outcome.removed}
        files = {**self.held.get(container, {}), **job.put, **outcome.files}
        self.held[container] = {path: content for path, content in files.items() if path not in gone}
        return copy(outcome)

    async def stop(self, container: str) -> None:
        self.held.pop(container, None)

    async def close(self) -> None:
        self.held.clear()


def use_sandbox(patch: pytest.MonkeyPatch, sandbox: FakeSandbox | None) -> None:
    """Let servers use a sandbox, or have none."""

    def made(key: str, limits: object) -> FakeSandbox:
        assert sandbox is not None
        return sandbox

    patch.setattr(f"{_WASI}.WasiSandbox", made)
    patch.setattr(f"{_WASI}.library_folder", lambda: None if sandbox is None else "fake")
