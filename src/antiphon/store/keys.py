"""API keys: whose they are and what they may use. Only a hash of a key is kept."""

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select

from antiphon.store.database import Database
from antiphon.store.errors import KeyNameTaken
from antiphon.store.tables import api_keys


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key. Limits are None where the server's settings hold; `created_at` is in seconds since 1970.

    `hash` is the SHA-256 of the key in hexadecimal digits, `hint` the key's last characters.
    """

    hash: str
    name: str
    owner: str
    hint: str
    created_at: float
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_streams: int | None = None


_COLUMNS = tuple(api_keys.c[name] for name in StoredKey.__struct_fields__)


class KeyRecords:
    """The keys of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: StoredKey) -> None:
        """Stores a new key. Raises `KeyNameTaken`."""
        await self._database.write(lambda c: _add(c, key))

    async def all(self) -> list[StoredKey]:
        """Returns all keys, oldest first."""
        return await self._database.read(_all)

    async def find(self, key_hash: str) -> StoredKey | None:
        """Returns the key that has this hash, or None."""
        return await self._database.read(lambda c: _find(c, key_hash))

    async def delete(self, name: str) -> bool:
        """Forgets a key; False if there is none of this name."""
        gone = delete(api_keys).where(api_keys.c.name == name)
        return await self._database.write(lambda c: c.execute(gone).rowcount > 0)


def _add(connection: Connection, key: StoredKey) -> None:
    if connection.execute(select(api_keys.c.name).where(api_keys.c.name == key.name)).first():
        raise KeyNameTaken(key.name)
    connection.execute(insert(api_keys), {name: getattr(key, name) for name in key.__struct_fields__})


def _all(connection: Connection) -> list[StoredKey]:
    listed = select(*_COLUMNS).order_by(api_keys.c.created_at, api_keys.c.name)
    return [StoredKey(**row._asdict()) for row in connection.execute(listed)]


def _find(connection: Connection, key_hash: str) -> StoredKey | None:
    row = connection.execute(select(*_COLUMNS).where(api_keys.c.hash == key_hash)).first()
    return None if row is None else StoredKey(**row._asdict())
