"""The environments of clients in `.clients/`, which `make test-clients` installs, and programs in them."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / ".clients"
SECONDS = 100
"""Time limit of a program, most of which is spent on imports."""


def environment(client: str) -> Path:
    """Return the folder of a client's environment; without it, skip the test, and fail it in CI."""
    folder = ENVIRONMENTS / client
    if not (folder / "installed").exists():
        missing = f"{client} is not installed: make test-clients does it, and needs node and npm for some"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


def command_of(client: str) -> list[str]:
    """Return the command that runs a client's program."""
    folder = environment(client)
    program = HERE / client / "program.py"
    if program.exists():
        return [str(folder / "bin" / "python"), str(program)]
    # Node looks for packages beside the program.
    return ["node", str(shutil.copy(HERE / client / "program.mjs", folder))]


def run(command: Sequence[str], home: Path, env: Mapping[str, str]) -> str:
    """Run a command with nothing of this process's environment but PATH, and return its output.

    Fail the test, with the whole output, if the command fails or takes longer than `SECONDS`.
    """
    done = subprocess.run(
        command,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
