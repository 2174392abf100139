"""Prompts and their versions."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import (
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Row,
    Select,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from antiphon.store.database import Database
from antiphon.store.errors import NotLatestVersion, PromptNotFound
from antiphon.store.tables import metadata

prompts = Table(
    "prompts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("default_version", Integer, nullable=False),
    Column("latest_version", Integer, nullable=False),
)
Index("prompts_by_time", prompts.c.owner, prompts.c.created_at, prompts.c.id)

prompt_versions = Table(
    "prompt_versions",
    metadata,
    Column("prompt_id", Text, ForeignKey("prompts.id", ondelete="CASCADE"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("variables", Text, nullable=False),  # The names, as a JSON list
    PrimaryKeyConstraint("prompt_id", "version"),
)


def m005_prompts(connection: Connection) -> None:
    """Add the tables of prompts."""
    metadata.create_all(connection, [prompts, prompt_versions])


class StoredPrompt(Struct, frozen=True, kw_only=True):
    """One version of a prompt."""

    id: str
    """The ID of the prompt."""
    version: int
    """The number of the version."""
    text: str
    """The text with placeholders for the variables."""
    variables: list[str]
    """The names of the variables."""
    is_default: bool
    """Whether this is the default version."""


class PromptRecords:
    """The prompts of all owners."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, owner: str, prompt: StoredPrompt, created_at: float) -> None:
        """Store a new prompt and its first version; `created_at` is seconds since 1970."""
        row = {
            "id": prompt.id,
            "owner": owner,
            "created_at": created_at,
            "default_version": prompt.version,
            "latest_version": prompt.version,
        }

        def run(connection: Connection) -> None:
            connection.execute(insert(prompts), row)
            connection.execute(insert(prompt_versions), _version_row(prompt))

        await self._database.write(run)

    async def get(self, owner: str, prompt_id: str, version: int | None = None) -> StoredPrompt:
        """Return a version of a prompt, by default its default version.

        Raises:
            PromptNotFound: The prompt or the version doesn't exist, or has another owner.
        """
        wanted = prompts.c.default_version if version is None else version
        chosen = _of(owner, prompt_id).where(prompt_versions.c.version == wanted)
        found = await self._database.read(lambda c: c.execute(chosen).first())
        if found is None:
            raise PromptNotFound(prompt_id, version)
        return _stored(found)

    async def versions(self, owner: str, prompt_id: str) -> list[StoredPrompt]:
        """Return all versions of a prompt, oldest first.

        Raises:
            PromptNotFound: The prompt doesn't exist, or has another owner.
        """
        chosen = _of(owner, prompt_id).order_by(prompt_versions.c.version)
        found = await self._database.read(lambda c: c.execute(chosen).all())
        if not found:
            raise PromptNotFound(prompt_id)
        return [_stored(row) for row in found]

    async def defaults(self, owner: str) -> list[StoredPrompt]:
        """Return the default versions of an owner's prompts, newest prompt first."""
        chosen = (
            _joined()
            .where(prompts.c.owner == owner, prompt_versions.c.version == prompts.c.default_version)
            .order_by(prompts.c.created_at.desc(), prompts.c.id.desc())
        )
        return [_stored(row) for row in await self._database.read(lambda c: c.execute(chosen).all())]

    async def add_version(self, owner: str, prompt: StoredPrompt) -> None:
        """Store another version, which becomes the default if `prompt.is_default`.

        Raises:
            PromptNotFound: The prompt doesn't exist, or has another owner.
            NotLatestVersion: The new version doesn't follow the latest one.
        """
        changes = {"latest_version": prompt.version}
        if prompt.is_default:
            changes["default_version"] = prompt.version
        own = (prompts.c.id == prompt.id) & (prompts.c.owner == owner)
        following = update(prompts).where(own, prompts.c.latest_version == prompt.version - 1).values(changes)

        def run(connection: Connection) -> None:
            if connection.execute(following).rowcount == 0:
                latest = connection.execute(select(prompts.c.latest_version).where(own)).scalar()
                if latest is None:
                    raise PromptNotFound(prompt.id)
                raise NotLatestVersion(prompt.id, prompt.version - 1, latest)
            connection.execute(insert(prompt_versions), _version_row(prompt))

        await self._database.write(run)

    async def set_default(self, owner: str, prompt_id: str, version: int) -> None:
        """Make a version the default.

        Raises:
            PromptNotFound: The prompt or the version doesn't exist, or has another owner.
        """
        there = select(prompt_versions.c.version).where(
            prompt_versions.c.prompt_id == prompt_id, prompt_versions.c.version == version
        )
        own = (prompts.c.id == prompt_id) & (prompts.c.owner == owner)
        changed = update(prompts).where(own, there.exists()).values(default_version=version)
        if await self._database.write(lambda c: c.execute(changed).rowcount) == 0:
            raise PromptNotFound(prompt_id, version)

    async def delete(self, owner: str, prompt_id: str) -> bool:
        """Delete a prompt and all its versions; return False if it doesn't exist."""
        gone = delete(prompts).where(prompts.c.id == prompt_id, prompts.c.owner == owner)
        return await self._database.write(lambda c: c.execute(gone).rowcount > 0)


def _joined() -> Select[str, int, str, str, int]:
    return select(
        prompts.c.id,
        prompt_versions.c.version,
        prompt_versions.c.text,
        prompt_versions.c.variables,
        prompts.c.default_version,
    ).join_from(prompts, prompt_versions)


def _of(owner: str, prompt_id: str) -> Select[str, int, str, str, int]:
    return _joined().where(prompts.c.id == prompt_id, prompts.c.owner == owner)


def _stored(row: Row[str, int, str, str, int]) -> StoredPrompt:
    return StoredPrompt(
        id=row.id,
        version=row.version,
        text=row.text,
        variables=_decode_variables(row.variables),
        is_default=row.version == row.default_version,
    )


def _decode_variables(text: str) -> list[str]:
    return msgspec.json.decode(text, type=list[str])


def _encode_variables(variables: Sequence[str]) -> str:
    return msgspec.json.encode(variables).decode()


def _version_row(prompt: StoredPrompt) -> dict[str, str | int]:
    return {
        "prompt_id": prompt.id,
        "version": prompt.version,
        "text": prompt.text,
        "variables": _encode_variables(prompt.variables),
    }
