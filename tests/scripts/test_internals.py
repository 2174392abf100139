"""AGENTS.md and the pages on internals name only files, tests and commands that exist.

Paths are relative to the root, `src/antiphon/` or `tests/`; `NAME` in a path is a placeholder. The name of a
test follows its file in the same paragraph.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INTERNALS = [f"docs/internals/{page.name}" for page in sorted((ROOT / "docs" / "internals").glob("*.md"))]
PAGES = ["AGENTS.md", *INTERNALS]
FOLDERS = ("", "src/antiphon/", "tests/")

_CODE = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"(?!/)[\w./-]+(?:\.(?:md|py|toml|txt)|/)|Makefile")
_TEST = re.compile(r"test_\w+")
_MAKE = re.compile(r"make ([\w-]+)")
_MODULE = re.compile(r"python -m ([\w.]+)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def found_path(name: str) -> Path | None:
    """Return the file or folder that a page names, if it exists."""
    return next((ROOT / folder / name for folder in FOLDERS if (ROOT / folder / name).exists()), None)


@cache
def functions_in(path: Path) -> frozenset[str]:
    """Return the names of the functions of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@cache
def targets() -> frozenset[str]:
    """Return the targets of the Makefile."""
    return frozenset(re.findall(r"^([\w-]+):", text_of("Makefile"), re.MULTILINE))


def missing(text: str) -> Iterator[str]:
    """Yield what a page names and the project doesn't have."""
    for paragraph in re.split(r"\n\s*\n", text):
        tests: frozenset[str] = frozenset()
        for code in _CODE.findall(paragraph):
            if _TEST.fullmatch(code):
                if code not in tests:
                    yield code
            elif "NAME" in code:
                continue
            elif _PATH.fullmatch(code):
                path = found_path(code)
                if path is None:
                    yield code
                elif path.name.startswith("test_"):
                    tests = functions_in(path)
            elif match := _MAKE.match(code):
                if match[1] not in targets():
                    yield code
            elif (match := _MODULE.search(code)) and found_path(f"{match[1].replace('.', '/')}.py") is None:
                yield code


@pytest.mark.parametrize("page", PAGES)
def test_everything_that_a_page_names_exists(page: str) -> None:
    assert list(missing(text_of(page))) == []


@pytest.mark.parametrize("page", INTERNALS)
def test_each_invariant_names_a_test(page: str) -> None:
    _, *invariants = re.split(r"^## ", text_of(page), flags=re.MULTILINE)
    assert invariants
    assert [part.partition("\n")[0] for part in invariants if "`test_" not in part] == []


def test_contributing_lists_each_page_on_internals() -> None:
    assert [page for page in INTERNALS if f"({page})" not in text_of("CONTRIBUTING.md")] == []


def test_the_guide_is_short() -> None:
    assert len(text_of("AGENTS.md").splitlines()) < 150


@pytest.mark.parametrize(
    "text",
    [
        "See `tests/scripts/test_gone.py`.",
        "See `src/antiphon/gone/`.",
        "Tests in `scripts/test_prose.py`: `test_gone`.",
        "Tests in `scripts/test_prose.py`.\n\n`test_prose_of_python` is in another paragraph.",
        "Run `make gone`.",
        "Run `.venv/bin/python -m scripts.gone --lower`.",
    ],
)
def test_what_is_gone_is_found(text: str) -> None:
    assert len(list(missing(text))) == 1


def test_what_exists_is_no_problem() -> None:
    text = """
    `wire/items.py`, `src/antiphon/wire/`, `Makefile`, `tools/NAME/tool.py`, `/v1/responses`

    Tests in `scripts/test_prose.py`: `test_prose_of_python`. Run `make check` and `python -m scripts.prose`.
    """
    assert list(missing(text)) == []
