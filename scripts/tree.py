"""Parsed Python files of the project, shared by all checks."""

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """Parsed Python file."""

    path: str
    """Path relative to the project's root, with slashes."""
    name: str
    """Dotted name, such as `antiphon.wire.items`."""
    text: str
    tree: ast.Module
    is_package: bool
    """Whether the file is an `__init__.py`."""


def modules(folder: Path, root: Path) -> list[Module]:
    """Read all Python files under `folder`, sorted by path.

    Hidden folders are skipped because they contain third-party code, such as other servers in `bench/.peers`.

    Args:
        folder: Folder to search, from which the dotted names start.
        root: Root of the project, from which the paths start.

    Raises:
        SyntaxError: A file cannot be parsed.
    """
    ours = (path for path in sorted(folder.rglob("*.py")) if not _is_hidden(path.relative_to(folder)))
    return [_read(path, folder, root) for path in ours]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read(path: Path, folder: Path, root: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    parts = path.relative_to(folder).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(
        path=path.relative_to(root).as_posix(),
        name=".".join(parts[:-1] if is_package else parts),
        text=text,
        tree=ast.parse(text, filename=str(path)),
        is_package=is_package,
    )
