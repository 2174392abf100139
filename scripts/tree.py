"""The project's Python files, parsed once for all checks."""

import ast
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """One Python file. `name` is dotted (`antiphon.wire.items`); `path` is relative to the project."""

    path: str
    name: str
    text: str
    tree: ast.Module
    is_package: bool


def modules(folder: Path, root: Path) -> list[Module]:
    """Reads all Python files under `folder`, sorted by path; names count from `folder`.

    What lies in hidden folders is somebody else's: `bench/.peers` holds other servers. Raises SyntaxError for
    a file that does not parse.
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
