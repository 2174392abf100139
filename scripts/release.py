"""Checks, files and tag of a release: `python -m scripts.release 0.2.0`.

It reports what the repository lacks for the version, or else runs all checks, builds the wheel and the source
distribution into `dist/`, and makes the tag. It uploads and pushes nothing.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from antiphon import __version__

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".clients" / "wheel" / "bin"
_UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)


def problems(root: Path, version: str) -> Iterator[str]:
    """Yield what the files of a repository lack for a release."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"{version}: expected MAJOR.MINOR.PATCH"
        return
    if version != __version__:
        yield f"src/antiphon/__init__.py: the version is {__version__}; set it to {version}"
    if f"\nversion: {version}\n" not in (root / "CITATION.cff").read_text(encoding="utf-8"):
        yield f"CITATION.cff: the version is another one; set it to {version}"
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", changelog, re.MULTILINE):
        yield f"CHANGELOG.md: no section for {version}; add ## [{version}] - YYYY-MM-DD"
    unreleased = _UNRELEASED.search(changelog)
    if unreleased is None or unreleased[1].strip():
        yield f"CHANGELOG.md: expected an empty section [Unreleased]; move its entries to {version}"
    corpus = f"tests/corpus/v{version.replace('.', '_')}"
    if not version.endswith(".0") or (root / corpus).is_dir():
        return
    yield f"{corpus}: no data of this version; write the corpus with its code"


def repository_problems(root: Path, version: str) -> Iterator[str]:
    """Yield uncommitted changes and an existing tag."""
    if _git(root, "status", "--porcelain"):
        yield "the repository has uncommitted changes; commit them"
    if _git(root, "tag", "--list", f"v{version}"):
        yield f"the tag v{version} exists; choose another version"


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Release a version and return the exit code."""
    parser = argparse.ArgumentParser(prog="scripts.release")
    parser.add_argument("version", help="version to release, such as 0.2.0")
    version = parser.parse_args().version
    found = [*problems(ROOT, version), *repository_problems(ROOT, version)]
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    for target in ("check", "test", "coverage", "test-install"):
        subprocess.run(["make", target], cwd=ROOT, check=True)
    files = ROOT / "dist" / version
    subprocess.run([TOOLS / "uv", "build", "--out-dir", files], cwd=ROOT, check=True)
    subprocess.run([TOOLS / "twine", "check", "--strict", *files.glob("antiphon-*")], cwd=ROOT, check=True)
    _git(ROOT, "tag", "--annotate", f"v{version}", "--message", f"Antiphon {version}")
    print(f"built {files} and made the tag v{version}; push the tag, and upload the files with twine")
    return 0


if __name__ == "__main__":
    sys.exit(main())
