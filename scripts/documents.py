"""Rules for pins, machine-specific text, generated pages and error codes."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import distributions
from pathlib import Path

from scripts import docs
from scripts.tree import Module

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.+!_-]*)")
_UNPINNED = frozenset({"antiphon", "pip", "setuptools", "wheel"})
"""The project itself, and packages that a new virtual environment may contain."""
_TRACES = {
    "a path of one machine": re.compile(r"(?<![\w.~$}-])/(?:(?:work|root|tmp)/\w|(?:home|Users)/\w+/)"),
    "a package registry's address": re.compile(
        r"\bpypi[.]org|pythonhosted[.]org|npmjs[.](?:com|org)|-(?:extra-)?index-url|-(?:find-links|trusted-host)"
    ),
}
COMPOSED_CODES = frozenset(
    [f"{noun}_{side}_value" for noun in ("integer", "decimal") for side in ("below_min", "above_max")]
    + [f"{noun}_{side}_length" for noun in ("string", "array") for side in ("below_min", "above_max")]
)
"""Error codes that `decode/explain.py` composes; all others are literals."""
_CODE_ROW = re.compile(r"^\| `(?P<code>[a-z_]+)` \|", re.MULTILINE)


def installed() -> dict[str, str]:
    """Return the versions of the installed distributions by normalized name."""
    return {_normal(each.name): each.version for each in distributions()}


def pins(path: Path, present: Mapping[str, str]) -> Iterator[str]:
    """Yield lines that are not pins, and installed versions that are not pinned.

    Args:
        path: Constraints file, with one `name==version` per line.
        present: Versions of the installed distributions by normalized name.
    """
    pinned = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _PIN.fullmatch(line)
        if match is None:
            yield f"{path.name}:{number}: not name==version: {line}"
            continue
        pinned[_normal(match["name"])] = match["version"]
    for name, version in sorted(present.items()):
        if name not in _UNPINNED and pinned.get(name) != version:
            yield f"{path.name}:1: {name} {version} is installed, pinned is {pinned.get(name, 'nothing')}"


def machine_traces(root: Path, files: Iterable[str]) -> Iterator[str]:
    """Yield lines with a path of one machine or the address of a package registry."""
    for name in files:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # not text, or deleted and not yet committed
        for number, line in enumerate(text.splitlines(), 1):
            for what, pattern in _TRACES.items():
                if pattern.search(line):
                    yield f"{name}:{number}: {what}: {line.strip()[:80]}"


def stale_pages(root: Path) -> Iterator[str]:
    """Yield every outdated page, and every generated part that no page contains."""
    filled = set()
    for page in docs.pages(root):
        text = page.read_text(encoding="utf-8")
        filled.update(docs.parts(text))
        if docs.fill(text) != text:
            yield f"{page.relative_to(root).as_posix()}:1: out of date; run make docs"
    for name in sorted(docs.GENERATORS.keys() - filled):
        yield f"docs:1: no page contains the generated part {name}"


def error_codes(modules: list[Module], page: Path) -> Iterator[str]:
    """Yield error codes without a row in `page`, and rows without an error code."""
    documented = set(_CODE_ROW.findall(page.read_text(encoding="utf-8")))
    sent = dict.fromkeys(COMPOSED_CODES, "src/antiphon/decode/explain.py:1")
    sent |= {code: place for module in modules for code, place in _codes(module)}
    for code in sorted(sent.keys() - documented):
        yield f"{sent[code]}: the error code {code} is not in {page.name}"
    for code in sorted(documented - sent.keys()):
        yield f"docs/{page.name}:1: no code sends {code}"


def _codes(module: Module) -> Iterator[tuple[str, str]]:
    """Yield error codes from `code = ...`, `self.code = ...` and `code=...`."""
    for node in ast.walk(module.tree):
        is_argument = isinstance(node, ast.keyword) and node.arg == "code"
        is_attribute = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("code", "self.code")
        if isinstance(node, (ast.keyword, ast.Assign)) and (is_argument or is_attribute):
            for value in _strings(node.value):
                yield value, f"{module.path}:{node.value.lineno}"


def _strings(value: ast.expr) -> list[str]:
    """Return the possible strings of an expression.

    Returns:
        The literal itself, or the branches of `a if b else c` and `a or b`.
    """
    if isinstance(value, ast.IfExp):
        return _strings(value.body) + _strings(value.orelse)
    if isinstance(value, ast.BoolOp):
        return [text for part in value.values for text in _strings(part)]
    return [value.value] if isinstance(value, ast.Constant) and isinstance(value.value, str) else []


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
