from pathlib import Path

import pytest

from antiphon import __version__
from antiphon.build import version_text

COMMIT = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".git" / "refs" / "heads").mkdir(parents=True)
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return tmp_path


def test_a_clone_shows_its_commit(clone: Path) -> None:
    (clone / ".git" / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    assert version_text(clone) == f"{__version__} (commit 1a2b3c4)"


def test_packed_references_and_a_detached_head_are_read(clone: Path) -> None:
    (clone / ".git" / "packed-refs").write_text(
        f"# pack-refs\n{'0' * 40} refs/heads/other\n{COMMIT} refs/heads/main\n"
    )
    assert version_text(clone) == f"{__version__} (commit 1a2b3c4)"
    (clone / ".git" / "HEAD").write_text(f"{'9' * 40}\n")
    assert version_text(clone) == f"{__version__} (commit 9999999)"


def test_an_installed_package_shows_its_version_alone(clone: Path) -> None:
    assert version_text(clone) == __version__  # The branch has no commit.
    (clone / ".git" / "refs" / "heads" / "main").write_text(f"{COMMIT}\n")
    (clone / "pyproject.toml").unlink()
    assert version_text(clone) == __version__  # Another project's repository is around the package.
    (clone / "pyproject.toml").touch()
    (clone / ".git" / "HEAD").unlink()
    assert version_text(clone) == __version__
