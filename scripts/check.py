"""Project checks beyond ruff and mypy.

`python -m scripts.check` prints each problem as `path:line: problem`, and exits with 1 if there are any.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts import conformance, documents, imports, prose, source, tree

ROOT = Path(__file__).resolve().parent.parent


def problems(root: Path) -> Iterator[str]:
    """Yield every problem of the project at `root`."""
    ours = tree.modules(root / "src", root)
    others = ("tests", "scripts", "bench")
    everything = [*ours, *(module for folder in others for module in tree.modules(root / folder, root))]
    for module in everything:
        yield from source.sizes(module)
        yield from source.forbidden_calls(module)
        yield from source.loose_types(module)
    yield from source.catch_alls(everything, source.BOUNDARIES)
    yield from source.folders(ours)
    yield from imports.layers(ours)
    yield from imports.orders(ours)
    yield from imports.circles(ours)
    yield from documents.pins(root / "constraints.txt", documents.installed())
    yield from documents.machine_traces(root, tracked(root))
    yield from documents.stale_pages(root)
    tests = [module for module in everything if module.path.startswith("tests/")]
    page = (root / conformance.PAGE).read_text(encoding="utf-8")
    yield from conformance.stale(conformance.catalogue(), tests, page)
    yield from documents.error_codes(ours, root / "docs" / "errors.md")
    yield from prose.problems(root)


def tracked(root: Path) -> list[str]:
    """Return the paths of all files that git tracks, relative to `root`."""
    command = ["git", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [name for name in listing.split("\0") if name]


def main() -> int:
    """Print all problems and return the exit code."""
    found = list(problems(ROOT))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
