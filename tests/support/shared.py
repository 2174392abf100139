"""Where the material lies that tests read and the project does not carry: `../shared` beside the checkout."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3] / "shared"


def is_there() -> bool:
    """Whether the material is beside the checkout; fails the test where CI promises that it is."""
    if ROOT.is_dir():
        return True
    if os.environ.get("CI") == "true":
        pytest.fail(f"{ROOT} is missing, and CI=true promises it")
    return False


def shared(path: str) -> Path:
    """Returns the place of `path` in the material; skips the test where there is none."""
    if not is_there():
        pytest.skip(f"needs {path} of {ROOT}, which is not there")
    return ROOT / path
