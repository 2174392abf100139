"""Material that tests read and the project does not contain: `../shared` beside the checkout."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3] / "shared"


def is_there() -> bool:
    """Return whether the material exists; if it doesn't and CI promises it, fail the test."""
    if ROOT.is_dir():
        return True
    if os.environ.get("CI") == "true":
        pytest.fail(f"{ROOT} is missing, and CI=true promises it")
    return False


def shared(path: str) -> Path:
    """Return the path of a file in the material; skip the test without the material."""
    if not is_there():
        pytest.skip(f"needs {path} of {ROOT}, which does not exist")
    return ROOT / path
