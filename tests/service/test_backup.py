"""Backups between both kinds of database, and invalid or hostile ones."""

import asyncio
import gzip
import json
import stat
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select, text

from antiphon.errors import AntiphonError, ConfigError
from antiphon.service.backup import restore_backup, write_backup
from antiphon.service.files.folder import FileFolder
from antiphon.service.responses.sealing import Sealing
from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.upkeep import restore
from antiphon.store.upkeep.export import exported_tables
from antiphon.store.vector_stores.chunks import ChunkQuery, NewChunk
from antiphon.wire.json import JSON
from tests.store.conftest import Run
from tests.store.file_samples import attach, file
from tests.store.runs.samples import submit
from tests.store.samples import ME, begin_in, converse, count_rows, finished, respond, status_of
from tests.support.postgresql import schema

CONTENT = b"\x00\xff bytes" * 1000
VECTOR = array("f", [0.25, -1.5, 3.1415927]).tobytes()
Line = list[JSON] | dict[str, JSON] | str


async def fill(store: Store, folder: Path) -> None:
    """Store something of each kind."""
    await respond(store, "resp_1", ["a", "\u00fc \u6f22 \u2028"], ["b"])
    await respond(store, "resp_2", ["c"], ["d"], previous="resp_1")
    await converse(store, "conv_1", "e")
    await begin_in(store, "conv_1", "resp_3", "f")
    await store.pending.finish(ME, finished("resp_3", "g"))
    await converse(store, "conv_2", "h")
    await begin_in(store, "conv_2", "running", "i")
    await submit(store, "queued")
    for name in ("file-1", "file-2"):
        FileFolder.open(str(folder), 1).path_of(name).write_bytes(CONTENT)
        await store.files.add(ME, msgspec.structs.replace(file(name), bytes=len(CONTENT)))
    (attached, _) = await attach(store, "vs_1", "file-1", "file-2")
    new = [NewChunk(f"the ferry {number}", VECTOR if number else None) for number in range(3)]
    await store.chunks.replace("vs_1", "file-1", attached.attempt, new)
    await store.attachments.finish(attached, 5)
    await store.idempotency.claim(ME, "key")
    await store.idempotency.keep(ME, "key", b"\x00\x01answer")


def rows_of(url: str) -> dict[str, list[str]]:
    """Return the rows of all tables that a backup contains as they are."""
    engine = open_engine(url).reading
    with engine.connect() as connection:
        found = {
            table.name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for table in exported_tables()
        }
    engine.dispose()
    return found


@pytest.fixture
def run() -> Iterator[Run]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Return a function that returns the URL of a new database of a kind."""
    with ExitStack() as stack:

        def url(kind: str) -> str:
            if kind == "postgresql":
                return stack.enter_context(schema(request.getfixturevalue("postgresql")))
            return str(tmp_path / "copies" / "copy.db")

        yield url


def while_others_write(url: str, lines: Iterator[bytes]) -> Iterator[bytes]:
    """Change rows after the first line of a backup."""
    yield next(lines)
    engine = open_engine(url).writing
    with engine.begin() as connection:
        for statement in ("UPDATE items SET body = '{}'", "DELETE FROM idempotency_keys"):
            connection.execute(text(statement))
    engine.dispose()
    yield from lines


@pytest.fixture
def source(tmp_path: Path, run: Run) -> str:
    """Return the URL of an SQLite database with objects, whose files are in the folder `files`."""
    url = str(tmp_path / "source.db")

    async def scenario() -> None:
        store = await Store.open(url)
        await fill(store, tmp_path / "files")
        await store.close()

    run(scenario())
    return url


@pytest.mark.parametrize(
    "kinds", [("sqlite", "postgresql"), ("postgresql", "sqlite")], ids=["to PostgreSQL", "to SQLite"]
)
def test_a_backup_of_a_running_server_has_everything(
    kinds: tuple[str, str], urls: Callable[[str], str], tmp_path: Path, run: Run
) -> None:
    url, copy = map(urls, kinds)
    folder, restored, archive = tmp_path / "files", tmp_path / "restored", tmp_path / "backup.jsonl"

    async def scenario() -> None:
        store = await Store.open(url)
        await fill(store, folder)
        secret = await store.secrets.find_or_keep("seal_key", "s" * 64)
        sealed = Sealing(secret).seal(ME, b"the reasoning")
        before = rows_of(url)
        write_backup(url, folder, archive, partial(while_others_write, url))
        assert rows_of(url) != before
        await store.close()
        imported = restore_backup(copy, restored, archive)
        assert (imported.files, imported.missing) == (2, 0)
        assert rows_of(copy) == before
        store = await Store.open(copy)
        assert [path.name for path in sorted(restored.iterdir())] == ["file-1", "file-2"]
        assert (restored / "file-1").read_bytes() == CONTENT
        secret = await store.secrets.find_or_keep("seal_key", "another")
        assert Sealing(secret).open(ME, sealed) == b"the reasoning"
        query = ChunkQuery(vector_store_ids=["vs_1"], words="ferry", vector=VECTOR, allowed=None, limit=9)
        found = await store.chunks.search(query)
        assert (len(found.by_words), len(found.by_vector)) == (3, 2)
        assert max(found.by_vector.values()) == pytest.approx(1.0, abs=0.01)
        assert (await store.vector_stores.get(ME, "vs_1")).counts.total == 2
        # The next server goes on as after a crash of the first.
        await store.servers.recover(20.0)
        assert await status_of(store, "running") == "failed"
        assert await status_of(store, "queued") == "queued"
        await respond(store, "resp_9", ["x"], ["y"], previous="resp_2")
        await store.close()

    run(scenario())


def test_a_backup_is_private_and_has_its_name_only_when_it_is_complete(source: str, tmp_path: Path) -> None:
    archive = tmp_path / "backup.jsonl.gz"

    def broken(lines: Iterator[bytes]) -> Iterator[bytes]:
        yield next(lines)
        raise OSError("the disk is full")

    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match="the disk is full"):
        write_backup(source, tmp_path / "files", archive, broken)
    assert sorted(tmp_path.iterdir()) == before
    write_backup(source, tmp_path / "files", archive)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="exists already"):
        write_backup(source, tmp_path / "files", archive)
    copy = tmp_path / "copy.db"
    restore_backup(str(copy), tmp_path / "restored", archive)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows_of(str(copy)) == rows_of(source)


def test_a_file_that_is_deleted_during_a_backup_is_deleted_in_the_copy(
    source: str, tmp_path: Path, run: Run
) -> None:
    archive, copy = tmp_path / "backup.jsonl", str(tmp_path / "copy.db")
    (tmp_path / "files" / "file-1").unlink()
    write_backup(source, tmp_path / "files", archive)
    imported = restore_backup(copy, tmp_path / "restored", archive)
    assert (imported.files, imported.missing) == (1, 1)

    async def scenario() -> None:
        store = await Store.open(copy)
        await store.deletions.remove_all()
        assert (await store.vector_stores.get(ME, "vs_1")).counts.total == 1
        await store.close()

    run(scenario())
    rows = count_rows(copy)
    assert (rows["files"], rows["chunks"]) == (1, 0)


def test_an_export_has_no_contents(source: str, tmp_path: Path) -> None:
    archive = tmp_path / "export.jsonl"
    write_backup(source, None, archive)
    assert restore_backup(str(tmp_path / "copy.db"), tmp_path / "restored", archive).missing == 0
    assert rows_of(str(tmp_path / "copy.db")) == rows_of(source)
    assert not (tmp_path / "restored").exists()


def test_only_an_empty_database_is_imported_into(source: str, tmp_path: Path) -> None:
    archive = tmp_path / "export.jsonl"
    write_backup(source, None, archive)
    before = rows_of(source)
    with pytest.raises(AntiphonError, match=r"not empty: it has rows in .*; import into a new database"):
        restore_backup(source, tmp_path / "restored", archive)
    assert rows_of(source) == before


def test_an_export_of_an_older_version_gets_the_missing_migrations(source: str, tmp_path: Path) -> None:
    archive, copy = tmp_path / "export.jsonl", str(tmp_path / "copy.db")
    write_backup(source, None, archive)
    lines = read(archive)
    header, table = lines[0], next(each for each in lines if is_table(each, "conversations"))
    assert isinstance(header, dict)
    assert isinstance(table, dict)
    header["migrations"].remove("m021_retention")
    place = table["columns"].index("used_at")
    del table["columns"][place]
    for line in rows_after(lines, table):
        del line[place]
    write(archive, lines)
    restore_backup(copy, tmp_path / "restored", archive)
    assert "None)" not in "".join(rows_of(copy)["conversations"])  # The last column is set.


Change = Callable[[list[Line]], object]
INVALID: dict[str, tuple[Change, str]] = {
    "empty": (lambda lines: lines.clear(), "not an export of Antiphon"),
    "another file": (lambda lines: lines.insert(0, ["a"]), "not an export of Antiphon"),
    "a later format": (lambda lines: lines[0].update(antiphon_export=2), "the format 2; update Antiphon"),  # type: ignore[union-attr]
    "a newer version": (lambda lines: lines[0]["migrations"].append("m999_x"), "newer version"),  # type: ignore[call-overload,index,union-attr]
    "cut off": (lambda lines: lines.pop(), "incomplete: its last line is missing"),
    "a row is missing": (lambda lines: lines.remove(last_row(lines)), "not the end of this export"),
    "more after the end": (lambda lines: lines.append({"rows": 0, "files": 0}), "not the end of this"),
    "an unknown table": (lambda lines: begin(lines, "items").update(table="sqlite_master"), "unknown table"),
    "the table of migrations": (
        lambda lines: begin(lines, "items").update(table="schema_version"),
        "unknown table",
    ),
    "an unknown column": (
        lambda lines: begin(lines, "items")["columns"].__setitem__(0, "id) --"),
        "the columns are not those of the table items",
    ),
    "a column is missing": (
        lambda lines: begin(lines, "items")["columns"].pop(),
        "the columns are not those of the table items",
    ),
    "a value of another type": (
        lambda lines: rows_after(lines, begin(lines, "items"))[0].__setitem__(0, {"a": 1}),
        "Expected `str`, got `object`",
    ),
    "text that commands a terminal": (
        lambda lines: begin(lines, "items").update({"\x1b[2J\nx": 1}),
        "unknown field `\\x1b[2J\\nx`",
    ),
    "too few values": (lambda lines: rows_after(lines, begin(lines, "items"))[0].pop(), "length"),
    "a huge number": (
        lambda lines: rows_after(lines, begin(lines, "files"))[0].__setitem__(8, 2**70),
        "invalid",
    ),
    "a path as an ID": (
        lambda lines: rows_after(lines, begin(lines, "files"))[0].__setitem__(0, "../../../tmp/x"),
        "the ID of a file has another form",
    ),
    "a content without a file": (
        lambda lines: lines.insert(-1, {"file": "../x"}),
        "no row describes this file",
    ),
    "a content twice": (
        lambda lines: lines.insert(-1, {"file": "file-1"}),
        "exists already",
    ),
    "a content of another size": (lambda lines: lines.insert(-1, "AAAA"), "another size"),
    "a row without a table": (lambda lines: lines.insert(1, ["a"]), "belongs to no table and no file"),
    "a row twice": (
        lambda lines: lines.insert(
            lines.index(begin(lines, "items")) + 1, rows_after(lines, begin(lines, "items"))[0]
        ),
        "can't be stored",
    ),
    "a vector that is cut off": (
        lambda lines: rows_after(lines, begin(lines, "chunks"))[1].__setitem__(4, "AAAA"),
        "a vector has an unusual length",
    ),
    "a vector without end": (
        lambda lines: rows_after(lines, begin(lines, "chunks"))[1].__setitem__(4, "AACAfw=="),
        "a vector has an infinite number",
    ),
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """Return the lines of a backup."""
    folder = tmp_path_factory.mktemp("archive")

    async def scenario() -> None:
        store = await Store.open(str(folder / "source.db"))
        await fill(store, folder / "files")
        await store.close()

    asyncio.run(scenario())
    write_backup(str(folder / "source.db"), folder / "files", folder / "backup.jsonl")
    return read(folder / "backup.jsonl")


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_backup_leaves_nothing(name: str, archive: list[Line], tmp_path: Path) -> None:
    change, words = INVALID[name]
    lines: list[Line] = json.loads(json.dumps(archive))
    change(lines)
    write(tmp_path / "backup.jsonl", lines)
    with pytest.raises(AntiphonError) as caught:
        restore_backup(str(tmp_path / "copy.db"), tmp_path / "restored", tmp_path / "backup.jsonl")
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    (tmp_path / "restored").mkdir(exist_ok=True)
    assert list((tmp_path / "restored").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"backup.jsonl", "restored"}


def test_a_line_has_a_longest_length(
    archive: list[Line], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.service.backup.LONGEST", 1000)
    write(tmp_path / "backup.jsonl", archive)
    with pytest.raises(AntiphonError, match="incomplete or too long"):
        restore_backup(str(tmp_path / "copy.db"), tmp_path / "restored", tmp_path / "backup.jsonl")


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:40] + b"\0" * 40 + data[80:]])
def test_a_damaged_compressed_file_is_one_line(
    archive: list[Line], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    write(tmp_path / "backup.jsonl", archive)
    packed = gzip.compress((tmp_path / "backup.jsonl").read_bytes())
    (tmp_path / "backup.jsonl").write_bytes(damage(packed))
    with pytest.raises(AntiphonError, match=r"damaged or incomplete|invalid|not an export"):
        restore_backup(str(tmp_path / "copy.db"), tmp_path / "restored", tmp_path / "backup.jsonl")
    assert not (tmp_path / "copy.db").exists()


def test_rows_are_imported_in_batches(
    archive: list[Line], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "_BATCH", 2)
    write(tmp_path / "backup.jsonl", archive)
    restore_backup(str(tmp_path / "copy.db"), tmp_path / "restored", tmp_path / "backup.jsonl")
    assert count_rows(str(tmp_path / "copy.db"))["items"] == 11
    assert count_rows(str(tmp_path / "copy.db"))["chunks"] == 3


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write(path: Path, lines: list[Line]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def is_table(line: Line, name: str) -> bool:
    return isinstance(line, dict) and line.get("table") == name


def begin(lines: list[Line], table: str) -> dict[str, JSON]:
    return next(line for line in lines if isinstance(line, dict) and line.get("table") == table)


def rows_after(lines: list[Line], mark: dict[str, JSON]) -> list[list[JSON]]:
    """Return the rows of a table."""
    found: list[list[JSON]] = []
    for line in lines[lines.index(mark) + 1 :]:
        if not isinstance(line, list):
            break
        found.append(line)
    return found


def last_row(lines: list[Line]) -> Line:
    return [line for line in lines if isinstance(line, list)][-1]
