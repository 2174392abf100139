"""Ruff's configuration, which enforces the docstring convention."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def found(text: str, path: str) -> set[str]:
    """Return the rules that ruff finds violated in a file of this project."""
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--output-format=concise",
        "--stdin-filename",
        path,
        "-",
    ]
    run = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)
    lines = [line for line in run.stdout.splitlines() if line.startswith(path)]
    return {line.split()[1] for line in lines}


GOOD = '''"""A module."""


class Thing:
    """A thing."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size
'''


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ('"""A module."""', '"""A module"""', "D415"),
        ('    """A thing."""\n\n', "", "D101"),
        ("__len__(self) -> int:", 'f(self) -> int:\n        """Returns the size."""', "D401"),
        (
            "__len__(self) -> int:",
            'f(self) -> int:\n        """Return it.\n        More.\n        """',
            "D205",
        ),
    ],
)
def test_a_docstring_against_the_convention_is_found(old: str, new: str, rule: str) -> None:
    assert found(GOOD, "src/antiphon/__main__.py") == set()
    assert rule in found(GOOD.replace(old, new), "src/antiphon/__main__.py")
    assert (rule in found(GOOD.replace(old, new), "tests/test_x.py")) == (rule != "D101")


def test_tests_need_no_docstrings() -> None:
    bare = "def test_a_name_says_enough() -> None:\n    pass\n"
    assert found(bare, "tests/test_x.py") == set()
    assert {"D100", "D103"} <= found(bare, "src/antiphon/__main__.py")
