"""`antiphon keys`: who may call the server."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from antiphon.cli.failures import debug_flag, one_line

if TYPE_CHECKING:
    from antiphon.store.keys import KeyRecords, StoredKey

R = TypeVar("R")

_LIMIT = click.IntRange(min=1)
_database = click.option("--database", metavar="TEXT", help="The server's database, if not the usual one.")


@click.group
def keys() -> None:
    """Make, list and revoke the keys with which callers use the server.

    \b
    Examples:
      antiphon keys create alice              a key for alice, who sees her own objects only
      antiphon keys create alice-2 --owner alice
                                              one more key for the same objects
      antiphon keys revoke alice              the first one is no good any more

    While there is a key, every request needs one, and the server may listen on other hosts than this one.
    Running servers notice within five seconds.
    """


@keys.command
@click.argument("name", required=False)
@click.option("--owner", metavar="NAME", help="Whose objects the key opens. [default: its own name]")
@click.option("--requests-per-minute", type=_LIMIT, help="Instead of the server's own limit.")
@click.option("--tokens-per-minute", type=_LIMIT, help="Instead of the server's own limit.")
@click.option("--concurrent-streams", type=_LIMIT, help="Instead of the server's own limit.")
@_database
@debug_flag
def create(
    name: str | None, owner: str | None, database: str | None, debug: bool, **limits: int | None
) -> None:
    """Make a key and print it; it cannot be shown again.

    Callers without a key, and those with the key of the settings, are the owner `local`.
    """
    with one_line(debug):
        from antiphon.service.access.keys import create_key
        from antiphon.service.access.limits import Limits

        key, stored = _with_keys(database, lambda records: create_key(records, name, owner, Limits(**limits)))
    click.echo(key)
    click.echo(
        f"antiphon: the key {stored.name} of the owner {stored.owner}; keep it, it is not shown again",
        err=True,
    )


@keys.command("list")
@_database
@debug_flag
def list_keys(database: str | None, debug: bool) -> None:
    """List the keys.

    A line has the name, the owner, the end of the key, the day on which it was made, and its own limits.
    """
    with one_line(debug):
        found = _with_keys(database, lambda records: records.all())
    rows = [_row(key) for key in found]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not rows:
        click.echo("antiphon: there are no keys; antiphon keys create makes one", err=True)


@keys.command
@click.argument("name")
@_database
@debug_flag
def revoke(name: str, database: str | None, debug: bool) -> None:
    """Make a key useless; what its owner has is kept."""
    with one_line(debug):
        from antiphon.errors import ConfigError

        if not _with_keys(database, lambda records: records.delete(name)):
            raise ConfigError(f"there is no key named {name!r}; antiphon keys list shows all")
    click.echo(f"antiphon: {name} is revoked; running servers refuse it within five seconds", err=True)


def _with_keys(database: str | None, work: "Callable[[KeyRecords], Awaitable[R]]") -> R:
    """Runs `work` on the keys of the server's database."""
    import asyncio

    from antiphon.errors import ConfigError
    from antiphon.settings.load import load_settings
    from antiphon.store import Store

    settings = load_settings({"database": database}, os.environ, Path.cwd())
    if settings.database == ":memory:":
        raise ConfigError(
            "database: it is kept in memory, where no key lasts; use a file, or ANTIPHON_API_KEY"
        )

    async def run() -> R:
        store = await Store.open(settings.database)
        try:
            return await work(store.keys)
        finally:
            await store.close()

    return asyncio.run(run())


def _row(key: "StoredKey") -> list[str]:
    from datetime import UTC, datetime

    limits = (
        (key.requests_per_minute, "requests/min"),
        (key.tokens_per_minute, "tokens/min"),
        (key.concurrent_streams, "streams"),
    )
    day = datetime.fromtimestamp(key.created_at, UTC).date().isoformat()
    own = ", ".join(f"{limit} {what}" for limit, what in limits if limit is not None)
    return [key.name, key.owner, f"...{key.hint}", day, own]
