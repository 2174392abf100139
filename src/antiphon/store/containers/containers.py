"""Records of containers and their files, whose contents are in a folder."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, select, update

from antiphon.store.containers.tables import container_files, containers
from antiphon.store.database import Database
from antiphon.store.errors import ObjectNotFound, TooManyContainers
from antiphon.store.paging import Rows, page_by_time
from antiphon.wire.lists import PageQuery

_MOST_EXPIRED = 100
"""The most expired containers to delete per call."""
_COLUMNS = (
    containers.c.id,
    containers.c.created_at,
    containers.c.last_active_at,
    containers.c.minutes,
    containers.c.name,
    containers.c.memory_limit,
    containers.c.runs,
)

Source = Literal["user", "assistant"]
"""The one who added a file: a client, or the code."""


class StoredContainer(Struct, frozen=True, kw_only=True):
    """A container."""

    id: str
    """The ID."""
    created_at: float
    """The time of creation."""
    last_active_at: float
    """The time of the last use."""
    minutes: int
    """The minutes without use after which it expires."""
    name: str
    """The client's name for it."""
    memory_limit: str
    """The memory limit in the API."""
    runs: int = 0
    """The number of times that it has run code."""


class StoredContainerFile(Struct, frozen=True, kw_only=True):
    """A file of a container."""

    id: str
    """The ID, and the name of the content in the folder of files."""
    container_id: str
    """The container."""
    created_at: float
    """The time at which it was added or changed."""
    bytes: int
    """The size."""
    path: str
    """The path below the folder of data."""
    source: Source
    """The one who added it."""
    digest: str
    """The SHA-256 of the content, in hexadecimal digits."""


class ContainerRecords:
    """The containers of all owners; expired ones are hidden even before their deletion."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    async def create(self, owner: str, new: StoredContainer, most: int) -> None:
        """Store a new container.

        Raises:
            TooManyContainers: The owner has `most` containers.
        """
        now = self._clock()
        row = {name: getattr(new, name) for name in new.__struct_fields__}
        row |= {"owner": owner, "deadline": now + 60 * new.minutes}

        def run(connection: Connection) -> None:
            held = select(func.count()).select_from(containers).where(_is_visible(owner, now))
            if connection.execute(held).scalar_one() >= most:
                raise TooManyContainers(most)
            connection.execute(insert(containers), row)

        await self._database.write(run)

    async def get(self, owner: str, container_id: str) -> StoredContainer:
        """Return a container.

        Raises:
            ObjectNotFound: It doesn't exist, has expired, or has another owner.
        """
        chosen = select(*_COLUMNS).where(_is_visible(owner, self._clock()), containers.c.id == container_id)
        found = await self._database.read(lambda c: c.execute(chosen).first())
        if found is None:
            raise ObjectNotFound("Container", container_id)
        return StoredContainer(**found._asdict())

    async def page(self, owner: str, query: PageQuery, name: str | None) -> Rows[StoredContainer]:
        """Return a page of the owner's containers, optionally with one name.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        listed = select(*_COLUMNS).where(_is_visible(owner, self._clock()))
        if name is not None:
            listed = listed.where(containers.c.name == name)
        rows, has_more = await self._database.read(
            lambda c: page_by_time(c, listed, (containers.c.created_at, containers.c.id), query)
        )
        return Rows([StoredContainer(**row._asdict()) for row in rows], has_more)

    async def touch(self, container_id: str, now: float, *, runs: int = 0) -> None:
        """Note a use of a container, which begins its time of expiry again.

        Args:
            container_id: The container.
            now: The time in seconds since 1970.
            runs: The number of times that it runs code.
        """
        values = {
            "last_active_at": now,
            "deadline": self._clock() + 60 * containers.c.minutes,
            "runs": containers.c.runs + runs,
        }
        used = update(containers).where(containers.c.id == container_id).values(values)
        await self._database.write(lambda c: c.execute(used))

    async def delete(self, owner: str, container_id: str) -> list[str] | None:
        """Delete a container, and return the IDs of its files; None if there is no such container."""
        condition = _is_visible(owner, self._clock()) & (containers.c.id == container_id)

        def run(connection: Connection) -> list[str] | None:
            if connection.execute(select(containers.c.id).where(condition)).first() is None:
                return None
            return _delete(connection, [container_id])

        return await self._database.write(run)

    async def delete_expired(self) -> list[str] | None:
        """Delete some expired containers of all owners.

        Returns:
            The IDs of their files; None if no container has expired.
        """
        expired = select(containers.c.id).where(containers.c.deadline < self._clock()).limit(_MOST_EXPIRED)
        found = await self._database.read(lambda c: c.execute(expired).scalars().all())
        return await self._database.write(lambda c: _delete(c, found)) if found else None

    async def files(self, container_id: str) -> list[StoredContainerFile]:
        """Return all files of a container."""
        chosen = _files(container_id).order_by(container_files.c.path)
        return [_file(row) for row in await self._database.read(lambda c: c.execute(chosen).all())]

    async def file_page(self, container_id: str, query: PageQuery) -> Rows[StoredContainerFile]:
        """Return a page of the files of a container.

        Raises:
            CursorNotFound: The cursor isn't in the list.
        """
        key = (container_files.c.created_at, container_files.c.id)
        rows, has_more = await self._database.read(
            lambda c: page_by_time(c, _files(container_id), key, query)
        )
        return Rows([_file(row) for row in rows], has_more)

    async def file(self, container_id: str, file_id: str) -> StoredContainerFile:
        """Return a file of a container.

        Raises:
            ObjectNotFound: The container has no such file.
        """
        chosen = _files(container_id).where(container_files.c.id == file_id)
        found = await self._database.read(lambda c: c.execute(chosen).first())
        if found is None:
            raise ObjectNotFound("Container file", file_id)
        return _file(found)

    async def put_files(
        self, container_id: str, new: Sequence[StoredContainerFile], removed: Sequence[str]
    ) -> list[str]:
        """Add files in the place of those with the same paths, and remove others.

        Args:
            container_id: The container.
            new: The files.
            removed: The paths of files to remove.

        Returns:
            The IDs of files that are gone.

        Raises:
            ObjectNotFound: The container doesn't exist any more.
        """
        rows = [{name: getattr(file, name) for name in file.__struct_fields__} for file in new]
        replaced = container_files.c.path.in_([*(file.path for file in new), *removed])
        condition = (container_files.c.container_id == container_id) & replaced

        def run(connection: Connection) -> list[str]:
            exists = select(containers.c.id).where(containers.c.id == container_id)
            if connection.execute(exists).first() is None:
                raise ObjectNotFound("Container", container_id)
            old = connection.execute(select(container_files.c.id).where(condition)).scalars().all()
            connection.execute(delete(container_files).where(condition))
            if rows:
                connection.execute(insert(container_files), rows)
            kept = {file.id for file in new}
            return [file_id for file_id in old if file_id not in kept]

        return await self._database.write(run)

    async def delete_file(self, container_id: str, file_id: str) -> bool:
        """Delete a file of a container; return False if there is none."""
        chosen = (container_files.c.container_id == container_id) & (container_files.c.id == file_id)
        done = await self._database.write(lambda c: c.execute(delete(container_files).where(chosen)).rowcount)
        return done > 0


def _is_visible(owner: str, now: float) -> ColumnElement[bool]:
    return (containers.c.owner == owner) & (containers.c.deadline >= now)


def _files(container_id: str) -> Select[str, str, float, int, str, str, str]:
    columns = container_files.c
    return select(
        columns.id,
        columns.container_id,
        columns.created_at,
        columns.bytes,
        columns.path,
        columns.source,
        columns.digest,
    ).where(columns.container_id == container_id)


def _file(row: Row[str, str, float, int, str, str, str]) -> StoredContainerFile:
    return StoredContainerFile(**row._asdict())


def _delete(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Delete containers, and return the IDs of their files."""
    condition = container_files.c.container_id.in_(ids)
    found = connection.execute(select(container_files.c.id).where(condition)).scalars().all()
    connection.execute(delete(container_files).where(condition))
    connection.execute(delete(containers).where(containers.c.id.in_(ids)))
    return [*found]
