import json
import os
from pathlib import Path

from sqlalchemy import text

from antiphon.store.connect import open_engine
from tests.cli.conftest import Run
from tests.cli.db.samples import DATABASE, fill, some

PENDING = """pending deletions          0
pending background_runs    0
pending running_responses  0
pending servers            0
"""


def test_a_sound_database_passes(run: Run) -> None:
    fill(some)
    assert run("db", "check", "--database", DATABASE) == (0, f"no problems\n{PENDING}", "")


def test_problems_are_lines_and_the_exit_code(run: Run) -> None:
    fill(some)
    folder = Path.cwd() / f"{DATABASE}.files"
    (folder / "file-1").unlink()
    for name, age in (("file-2", 10), ("file-old", 7200)):
        (folder / name).touch()
        then = (folder / name).stat().st_mtime - age
        os.utime(folder / name, (then, then))
    code, out, err = run("db", "check", "--database", DATABASE)
    assert (code, err) == (1, "")
    assert out.splitlines()[:2] == [
        f"missing_content: the content of file-1 is missing from {folder}",
        f"orphaned_content: {folder / 'file-old'} belongs to no file; delete it",
    ]
    (folder / "file-1").write_bytes(b"short")
    code, out, _ = run("db", "check", "--database", DATABASE, "--json")
    report = json.loads(out)
    assert code == 1
    assert report["pending"] == {"deletions": 0, "background_runs": 0, "running_responses": 0, "servers": 0}
    assert report["problems"][0] == {
        "kind": "wrong_size",
        "text": "the content of file-1 has 5 bytes instead of 10",
    }


def test_ids_that_clients_choose_command_no_terminal(run: Run) -> None:
    fill(some)
    engine = open_engine(DATABASE).writing
    with engine.begin() as connection:
        row = {"id": "\x1b[2J\n"}
        connection.execute(text("INSERT INTO items VALUES ('me', :id, 'message', '{}')"), row)
    engine.dispose()
    _, out, _ = run("db", "check", "--database", DATABASE)
    assert "\x1b" not in out
    assert out.splitlines()[0].startswith("unlinked_item: 1 items belong to no response")


def test_a_damaged_file_is_one_line(run: Run) -> None:
    fill(some)
    content = bytearray(Path(DATABASE).read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    Path(DATABASE).write_bytes(content)
    code, out, err = run("db", "check", "--database", DATABASE)
    assert (code, out) == (1, "")
    assert err.startswith(f"antiphon: {Path.cwd()}/{DATABASE}: The database is damaged.")
    assert err.count("\n") == 1


def test_the_sizes_are_a_table(run: Run) -> None:
    fill(some)
    code, out, err = run("db", "size", "--database", DATABASE)
    lines = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert lines[0] == ["table", "rows", "bytes"]
    assert ["responses", "2"] in [line[:2] for line in lines]
    assert lines[-2] == ["database", f"{Path(DATABASE).stat().st_size:,}"]
    assert lines[-1] == ["folder", "of", "files", "10"]
    found = json.loads(run("db", "size", "--database", DATABASE, "--json")[1])
    assert found["tables"]["items"]["rows"] == 4
    assert found["files_bytes"] == 10
