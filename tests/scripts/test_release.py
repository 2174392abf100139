import shutil
import subprocess
from pathlib import Path

import pytest

from antiphon import __version__
from scripts.release import ROOT, problems, repository_problems

CORPUS = f"tests/corpus/v{__version__.replace('.', '_')}"


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """Return a repository that is ready to release its version."""
    (tmp_path / "CITATION.cff").write_text(f"title: x\nversion: {__version__}\nlicense: y\n")
    (tmp_path / "CHANGELOG.md").write_text(
        f"# Changelog\n\n## [Unreleased]\n\n## [{__version__}] - 2026-11-30\n\n* New.\n"
    )
    (tmp_path / CORPUS).mkdir(parents=True)
    return tmp_path


def test_a_repository_that_is_ready_has_no_problems(ready: Path) -> None:
    assert list(problems(ready, __version__)) == []


def test_what_is_missing_is_listed(ready: Path) -> None:
    assert list(problems(ready, "7.0")) == ["7.0: expected MAJOR.MINOR.PATCH"]
    assert list(problems(ready, "7.8.0")) == [
        f"src/antiphon/__init__.py: the version is {__version__}; set it to 7.8.0",
        "CITATION.cff: the version is another one; set it to 7.8.0",
        "CHANGELOG.md: no section for 7.8.0; add ## [7.8.0] - YYYY-MM-DD",
        "tests/corpus/v7_8_0: no data of this version; write the corpus with its code",
    ]
    changelog = ready / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("[Unreleased]\n", "[Unreleased]\n\n* More.\n"))
    assert list(problems(ready, __version__)) == [
        f"CHANGELOG.md: expected an empty section [Unreleased]; move its entries to {__version__}"
    ]


def test_changes_and_an_existing_tag_are_problems(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=tmp_path, check=True
        )

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "Begin")
    assert list(repository_problems(tmp_path, "1.0.0")) == []
    git("tag", "v1.0.0")
    shutil.copy(ROOT / "LICENSE", tmp_path)
    assert len(list(repository_problems(tmp_path, "1.0.0"))) == 2
