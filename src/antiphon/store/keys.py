"""API keys with their owners and limits; only a hash of each key is stored."""

from msgspec import Struct
from sqlalchemy import Column, Connection, Double, Integer, Table, Text, delete, insert, select, text

from antiphon.ids import new_id
from antiphon.store.database import Database
from antiphon.store.errors import KeyNameTaken
from antiphon.store.tables import add_column, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("hash", Text, primary_key=True),  # SHA-256 of the key, hexadecimal
    Column("name", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("hint", Text, nullable=False),  # The key's last characters
    Column("created_at", Double, nullable=False),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", Integer),
    Column("concurrent_streams", Integer),
    Column("access", Text),  # The scope of the key; NULL is the API
)
"""The API keys, as hashes only."""

versions = Table(
    "versions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),  # Random, and another one after each change
)
"""The versions of lists that servers hold in memory, so that they read them only after changes."""


def m004_keys(connection: Connection) -> None:
    """Add the table of API keys."""
    metadata.create_all(connection, [api_keys])


def m011_versions(connection: Connection) -> None:
    """Add the table of versions."""
    metadata.create_all(connection, [versions])


def m022_key_access(connection: Connection) -> None:
    """Add the access of API keys."""
    add_column(connection, api_keys.c.access)


class StoredKey(Struct, frozen=True, kw_only=True):
    """An API key; limits that are None have the server's settings."""

    hash: str
    """The SHA-256 of the key, hexadecimal."""
    name: str
    """The unique name of the key."""
    owner: str
    """The owner of the data that the key accesses."""
    hint: str
    """The last characters of the key."""
    created_at: float
    """The time of creation, in seconds since 1970."""
    requests_per_minute: int | None = None
    """The limit of requests per minute."""
    tokens_per_minute: int | None = None
    """The limit of tokens per minute."""
    concurrent_streams: int | None = None
    """The limit of concurrent streams."""
    access: str | None = None
    """The scope of the key: None is the API, `metrics` is the metrics of the server alone."""


class KeyList(Struct, frozen=True):
    """All keys at one time."""

    version: str
    """The version, which every change replaces."""
    keys: list[StoredKey]
    """The keys, oldest first."""


_VERSION = select(versions.c.value).where(versions.c.name == "api_keys")
_SET_VERSION = text(
    "INSERT INTO versions (name, value) VALUES ('api_keys', :version) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_COLUMNS = tuple(api_keys.c[name] for name in StoredKey.__struct_fields__)


class KeyRecords:
    """The keys of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: StoredKey) -> None:
        """Store a new key.

        Raises:
            KeyNameTaken: Another key has the name.
        """
        await self._database.write(lambda c: _add(c, key))

    async def all(self) -> list[StoredKey]:
        """Return all keys, oldest first."""
        return await self._database.read(_all)

    async def changed(self, version: str | None) -> KeyList | None:
        """Return all keys, or None if they still have this version."""
        return await self._database.read(lambda c: _changed(c, version))

    async def find(self, key_hash: str) -> StoredKey | None:
        """Return the key with a hash, or None."""
        return await self._database.read(lambda c: _find(c, key_hash))

    async def delete(self, name: str) -> bool:
        """Delete the key with a name; return False if there is none."""
        return await self._database.write(lambda c: _delete(c, name))


def _add(connection: Connection, key: StoredKey) -> None:
    if connection.execute(select(api_keys.c.name).where(api_keys.c.name == key.name)).first():
        raise KeyNameTaken(key.name)
    connection.execute(insert(api_keys), {name: getattr(key, name) for name in key.__struct_fields__})
    _set_version(connection)


def _delete(connection: Connection, name: str) -> bool:
    if connection.execute(delete(api_keys).where(api_keys.c.name == name)).rowcount == 0:
        return False
    _set_version(connection)
    return True


def _set_version(connection: Connection) -> None:
    connection.execute(_SET_VERSION, {"version": new_id("version", 8)})


def _changed(connection: Connection, version: str | None) -> KeyList | None:
    current = connection.execute(_VERSION).scalar() or ""  # Empty after a migration, until the first change
    return None if current == version else KeyList(current, _all(connection))


def _all(connection: Connection) -> list[StoredKey]:
    listed = select(*_COLUMNS).order_by(api_keys.c.created_at, api_keys.c.name)
    return [StoredKey(**row._asdict()) for row in connection.execute(listed)]


def _find(connection: Connection, key_hash: str) -> StoredKey | None:
    row = connection.execute(select(*_COLUMNS).where(api_keys.c.hash == key_hash)).first()
    return None if row is None else StoredKey(**row._asdict())
