"""Access of commands to the log in the server's database."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from antiphon.service.services import Services
    from antiphon.settings.schema import Settings
    from antiphon.store import Store

R = TypeVar("R")

database_option = click.option(
    "--database", metavar="TEXT", help="Database of the server, if not the configured one."
)
"""Decorator that adds the option `--database` to a command."""


def settings_of(database: str | None) -> "Settings":
    """Return the settings in effect, whose database must exist.

    Raises:
        ConfigError: A setting is wrong, or the database doesn't exist.
    """
    from antiphon.cli.options import effective_settings
    from antiphon.errors import ConfigError

    settings = effective_settings({"database": database})
    if settings.database == ":memory:":
        raise ConfigError("database: nothing persists in memory; set the path of a file, or a URL")
    path = settings.database.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).expanduser().exists():
        raise ConfigError(f"{path}: no such database; start a server, or set --database")
    return settings


def with_store(database: str | None, work: "Callable[[Store], Awaitable[R]]") -> R:
    """Run `work` on the server's database, whether or not the server runs.

    Raises:
        AntiphonError: The database failed, or `work` did.
    """
    import asyncio

    from antiphon.store import Store

    settings = settings_of(database)

    async def run() -> R:
        store = await Store.open(settings.database)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


def with_services(database: str | None, work: "Callable[[Services], Awaitable[R]]") -> R:
    """Run `work` on the use cases of a server with the settings in effect, beside any running server.

    Raises:
        AntiphonError: The database failed, or `work` did.
    """
    import asyncio

    from antiphon.serving.services import opened_services

    settings = settings_of(database)

    async def run() -> R:
        async with opened_services(settings) as services:
            return await work(services)

    return asyncio.run(run())
