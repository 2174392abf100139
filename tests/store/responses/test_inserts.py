from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, select

from antiphon.errors import AntiphonError
from antiphon.store.connect import open_engine
from antiphon.store.database import Database
from antiphon.store.responses.writes import Insert
from tests.store.conftest import Run

notes = Table(
    "notes",
    MetaData(),
    Column("word", Text, primary_key=True),
    Column("number", Integer),
    Column("text", Text, nullable=False),
)
insert = Insert(notes)
insert_missing = Insert(notes, "ON CONFLICT DO NOTHING")


@pytest.fixture
def database(new_url: str, run: Run) -> Iterator[Database]:
    async def start() -> Database:
        database = Database(open_engine(new_url))
        await database.write(notes.create)
        return database

    database = run(start())
    yield database
    run(database.close())


def read(connection: Connection) -> list[tuple[str, int | None, str]]:
    found = connection.execute(select(notes.c.word, notes.c.number, notes.c.text).order_by(notes.c.word))
    return [(word, number, body) for word, number, body in found]


@pytest.mark.parametrize("many", [0, 1, 2, 100])
def test_all_rows_are_inserted(database: Database, run: Run, many: int) -> None:
    rows = [(f"word {number:03}", number if number % 2 else None, "% :a ? %s") for number in range(many)]
    assert run(database.write(lambda connection: insert(connection, rows))) == many
    assert run(database.read(read)) == rows


def test_rows_that_are_there_are_left_and_not_counted(database: Database, run: Run) -> None:
    run(database.write(lambda connection: insert(connection, [("a", 1, "old"), ("c", None, "old")])))
    rows = [("a", 2, "new"), ("b", 2, "new"), ("b", 3, "newer"), ("c", 2, "new")]
    assert run(database.write(lambda connection: insert_missing(connection, rows))) == 1
    assert run(database.read(read)) == [("a", 1, "old"), ("b", 2, "new"), ("c", None, "old")]


def test_a_conflict_is_an_error_otherwise(database: Database, run: Run) -> None:
    run(database.write(lambda connection: insert(connection, [("a", 1, "first")])))
    with pytest.raises(AntiphonError, match="violates a constraint"):
        run(database.write(lambda connection: insert(connection, [("b", 1, "second"), ("a", 1, "second")])))
    assert run(database.read(read)) == [("a", 1, "first")]
