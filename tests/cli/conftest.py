"""Fixtures that run the program in this process or in its own process."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from antiphon.cli import main

Run = Callable[..., tuple[int, str, str]]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Return a function that runs the program in an empty folder; it returns exit code and output."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)

    def program(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["antiphon", *arguments])
        with pytest.raises(SystemExit) as exit_info:
            main()
        captured = capsys.readouterr()
        return int(exit_info.value.code or 0), captured.out, captured.err

    return program


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers in an empty home folder; those that still run at the end of the test are killed."""
    started: list[subprocess.Popen[str]] = []

    def process(*flags: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "antiphon", "serve", "--no-discover", *flags]
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield process
    for each in started:
        with each:
            each.kill()
