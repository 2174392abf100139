import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.db.samples import DATABASE, fill, some
from tests.store.samples import count_rows


def test_a_backup_is_restored(run: Run) -> None:
    fill(some)
    code, out, err = run("db", "backup", "backup.jsonl.gz", "--database", DATABASE)
    assert (code, out) == (0, "")
    assert err == (
        "antiphon: wrote backup.jsonl.gz; keep it secret: it contains what the database contains\n"
    )
    code, out, err = run("db", "import", "backup.jsonl.gz", "--database", "copy.db")
    assert (code, out) == (0, "")
    assert err == f"antiphon: imported 11 rows and 1 file into {Path.cwd()}/copy.db\n"
    # The search index is built again.
    assert count_rows("copy.db") == {**count_rows(DATABASE), "unindexed_responses": 2}
    assert Path("copy.db.files/file-1").read_bytes() == b"0123456789"
    assert run("db", "check", "--database", "copy.db")[0] == 0


def test_an_export_is_lines_of_json_without_contents(run: Run) -> None:
    fill(some)
    code, _, err = run("db", "export", "export.jsonl", "--database", DATABASE)
    assert (code, err) == (
        0,
        "antiphon: wrote export.jsonl; it lacks the contents of files: copy their folder\n",
    )
    lines = [json.loads(line) for line in Path("export.jsonl").read_bytes().splitlines()]
    assert lines[0]["antiphon_export"] == 1
    assert lines[-1] == {"rows": 11, "files": 0}
    assert run("db", "import", "export.jsonl", "--database", "copy.db")[0] == 0
    assert run("db", "check", "--database", "copy.db")[0] == 1  # The content of the file is missing.


def test_a_database_with_rows_is_refused(run: Run) -> None:
    fill(some)
    run("db", "export", "export.jsonl", "--database", DATABASE)
    code, out, err = run("db", "import", "export.jsonl", "--database", DATABASE)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"antiphon: {Path.cwd()}/{DATABASE}: the database is not empty: it has rows in")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["backup", DATABASE], 2, "the file exists already; choose another name"),
        (["backup", "missing/backup.jsonl"], 1, "No such file or directory"),
        (["backup"], 2, "FILE"),
        (["import", "missing.jsonl", "--database", "copy.db"], 1, "No such file or directory"),
        (["import", DATABASE, "--database", "copy.db"], 1, "not an export of Antiphon"),
    ],
)
def test_mistakes_are_one_line(run: Run, arguments: list[str], code: int, words: str) -> None:
    fill(some)
    got, out, err = run("db", *arguments, *([] if "--database" in arguments else ["--database", DATABASE]))
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert words in err
    assert not Path("copy.db").exists()


def test_the_progress_is_for_terminals(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(some)
    monkeypatch.setattr(sys.modules["antiphon.cli.db.transfer"], "_EVERY", -1.0)
    assert "lines" not in run("db", "export", "one.jsonl", "--database", DATABASE)[2]
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "\r1 lines\r2 lines" in run("db", "export", "two.jsonl", "--database", DATABASE)[2]
