import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.db.samples import DATABASE, fill, some
from tests.store.samples import count_rows


@pytest.fixture
def settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the database and what expires; `run` has changed the folder."""
    monkeypatch.setenv("ANTIPHON_DATABASE", DATABASE)
    monkeypatch.setenv("ANTIPHON_RETENTION_RESPONSES", "30d")
    monkeypatch.setenv("ANTIPHON_RETENTION_FILES", "30d")


def test_a_dry_run_only_counts(run: Run, settings: None) -> None:
    fill(some)
    before = count_rows(DATABASE)
    code, out, err = run("db", "prune", "--dry-run")
    assert (code, out) == (0, "responses         2\nchat_completions  0\nfiles             1\n")
    assert err == "antiphon: nothing was deleted; omit --dry-run to delete these objects\n"
    assert count_rows(DATABASE) == before
    assert json.loads(run("db", "prune", "--dry-run", "--json")[1]) == {
        "responses": 2,
        "chat_completions": 0,
        "files": 1,
    }


def test_expired_objects_are_deleted_at_once(run: Run, settings: None) -> None:
    fill(some)
    assert run("db", "prune") == (0, "responses         2\nchat_completions  0\nfiles             1\n", "")
    rows = count_rows(DATABASE)
    assert (rows["responses"], rows["items"], rows["files"], rows["deletions"]) == (0, 0, 0, 0)
    assert list(Path(f"{DATABASE}.files").iterdir()) == []


def test_nothing_expires_without_the_settings(run: Run) -> None:
    fill(some)
    assert run("db", "prune", "--database", DATABASE) == (
        0,
        "",
        "antiphon: [retention] is not set, so nothing expires\n",
    )
    assert count_rows(DATABASE)["responses"] == 2


def test_a_database_that_does_not_exist_is_not_created(run: Run) -> None:
    code, out, err = run("db", "prune", "--database", "other/state.db")
    assert (code, out) == (1, "")
    assert err == f"antiphon: {Path.cwd()}/other/state.db: the database does not exist; check the path\n"
    assert list(Path.cwd().iterdir()) == []
