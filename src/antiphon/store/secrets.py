"""Secrets of the server itself, which every server on the same database shares."""

from sqlalchemy import Column, Connection, Table, Text, insert, select

from antiphon.store.database import Database
from antiphon.store.tables import metadata

secrets = Table(
    "secrets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)


class SecretRecords:
    """Secrets by name. Whoever can read the database can read them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_or_keep(self, name: str, fresh: str) -> str:
        """Returns the secret, which is `fresh` if there was none; servers that start together agree."""
        found = await self._database.read(lambda c: _find(c, name))
        if found is None:
            found = await self._database.write(lambda c: _find_or_keep(c, name, fresh))
        return found


def _find(connection: Connection, name: str) -> str | None:
    return connection.execute(select(secrets.c.value).where(secrets.c.name == name)).scalar()


def _find_or_keep(connection: Connection, name: str, fresh: str) -> str:
    if connection.dialect.name == "postgresql":
        # SQLite has one writer at a time; here a second server waits until the first has committed.
        connection.exec_driver_sql("LOCK TABLE secrets IN EXCLUSIVE MODE")
    found = _find(connection, name)
    if found is None:
        connection.execute(insert(secrets), {"name": name, "value": fresh})
    return found or fresh
