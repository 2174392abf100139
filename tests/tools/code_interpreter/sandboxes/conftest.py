"""A compiled sandbox, and a folder for the interpreters of a test."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sandbox import compile_sandbox


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    compile_sandbox()


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep the interpreters of a test in a folder with a short path, and check that none remains."""
    short = Path(tempfile.gettempdir(), f"code-{os.getpid()}-{time.monotonic_ns() % 10**6}")
    short.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(short))
    yield short
    assert [path.name for path in short.rglob("data")] == [], "an interpreter has left its folder"
    for path in sorted(short.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    short.rmdir()
