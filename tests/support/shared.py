"""Data that tests read and the project does not contain: `../shared` beside the checkout.

`make test` omits the tests with the marker `shared`, and `make test-shared` runs them.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3] / "shared"


class Access:
    """Whether the current test may read the data; the collection of the tests may."""

    is_allowed = True


def is_there() -> bool:
    """Return whether the data exists, for checks that supplement a test."""
    return ROOT.is_dir()


def shared(path: str) -> Path:
    """Return the path of a file of the data; fail a test without the marker `shared`."""
    if not Access.is_allowed:
        pytest.fail("The test reads ../shared, so it needs the marker `shared`.")
    if not is_there():
        pytest.fail(f"The test needs {path} of {ROOT}, which does not exist.")
    return ROOT / path
