import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from antiphon.store.connect import open_engine
from antiphon.store.migrations import MIGRATIONS
from tests.cli.conftest import Run
from tests.cli.db.samples import DATABASE, fill, some
from tests.corpus.test_v0_1_0 import DATA

ALL = [migration.__name__ for migration in MIGRATIONS]


def execute(statement: str) -> None:
    engine = open_engine(DATABASE).writing
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    code, out, err = run("db")
    assert (code, err) == (0, "")
    assert "antiphon db prune --dry-run" in out


def test_the_path_has_no_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("db", "path") == (0, f"{Path.cwd()}/.local/share/antiphon/antiphon.db\n", "")
    monkeypatch.setenv("ANTIPHON_DATABASE", "postgresql://me:secret@host/antiphon")
    assert run("db", "path") == (0, "postgresql://me:***@host/antiphon\n", "")
    assert run("db", "path", "--database", DATABASE, "--files") == (0, f"{Path.cwd()}/{DATABASE}.files\n", "")


def test_an_upgrade_prints_what_it_did(run: Run) -> None:
    shutil.copy(DATA / "antiphon.db", DATABASE)
    code, out, err = run("db", "upgrade", "--database", DATABASE)
    *lines, last = out.splitlines()
    assert (code, err, last) == (0, "", f"{Path.cwd()}/{DATABASE}: upgraded")
    assert lines[-1] == f"applied {ALL[-1]}"
    assert run("db", "upgrade", "--database", DATABASE) == (0, f"{Path.cwd()}/{DATABASE}: up to date\n", "")


def test_an_upgrade_creates_the_tables_of_a_new_database(run: Run) -> None:
    _, out, _ = run("db", "upgrade", "--database", DATABASE)
    assert out.splitlines() == [*(f"applied {name}" for name in ALL), f"{Path.cwd()}/{DATABASE}: created"]


def test_a_newer_database_is_refused(run: Run) -> None:
    fill(some)
    execute("INSERT INTO schema_version (name) VALUES ('m999_later')")
    for command in ("upgrade", "prune"):
        code, out, err = run("db", command, "--database", DATABASE)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "state.db: The database was created by a newer version of Antiphon" in err


def test_other_commands_refuse_an_older_database(run: Run) -> None:
    fill(some)
    execute(f"DELETE FROM schema_version WHERE name = '{ALL[-1]}'")
    code, out, err = run("db", "prune", "--database", DATABASE)
    assert (code, out) == (1, "")
    assert err.endswith("state.db: the tables are from an older version; run antiphon db upgrade\n")


def test_a_database_in_memory_is_refused(run: Run) -> None:
    code, _, err = run("db", "upgrade", "--database", ":memory:")
    assert (code, err) == (2, "antiphon: database: nothing persists in memory; set the path of a file\n")
