"""Version of this program, with the commit if it runs from a clone."""

from pathlib import Path

from antiphon import __version__

_CLONE = Path(__file__).resolve().parents[2]
_DIGITS = 7


def version_text(clone: Path = _CLONE) -> str:
    """Return the version, with the commit of a clone: `0.1.0 (commit 1a2b3c4)`."""
    commit = _commit(clone) if (clone / "pyproject.toml").is_file() else None
    return __version__ if commit is None else f"{__version__} (commit {commit[:_DIGITS]})"


def _commit(clone: Path) -> str | None:
    """Return the commit that is checked out, read without Git; None if the files have another form."""
    git = clone / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        if (git / name).is_file():
            return (git / name).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
    except (OSError, UnicodeDecodeError):
        return None
