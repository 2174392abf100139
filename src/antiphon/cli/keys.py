"""The commands `antiphon keys`, which manage the API keys of clients."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from antiphon.cli.failures import debug_flag, one_line

if TYPE_CHECKING:
    from antiphon.store.keys import KeyRecords, StoredKey

R = TypeVar("R")

_LIMIT = click.IntRange(min=1)
_database = click.option(
    "--database", metavar="TEXT", help="Database of the server, if not the configured one."
)


@click.group
def keys() -> None:
    """Create, list and revoke API keys.

    \b
    Examples:
      antiphon keys create alice              create a key for alice, with access to her objects only
      antiphon keys create alice-2 --owner alice
                                              create another key for the same objects
      antiphon keys create prometheus --scope metrics
                                              create a key that reads the metrics and nothing else
      antiphon keys revoke alice              revoke the first key

    As long as a key exists, every request needs one, and the server may listen on addresses that other
    machines can reach. Running servers apply changes within five seconds.
    """


@keys.command
@click.argument("name", required=False)
@click.option("--owner", metavar="NAME", help="Owner of the objects that the key can access. [default: NAME]")
@click.option("--requests-per-minute", type=_LIMIT, help="Request limit in place of the server's.")
@click.option("--tokens-per-minute", type=_LIMIT, help="Token limit in place of the server's.")
@click.option("--concurrent-streams", type=_LIMIT, help="Stream limit in place of the server's.")
@click.option(
    "--scope",
    type=click.Choice(["metrics"]),
    help="Access to the metrics of the server, not to the API.",
)
@_database
@debug_flag
def create(
    name: str | None,
    owner: str | None,
    scope: str | None,
    database: str | None,
    debug: bool,
    **limits: int | None,
) -> None:
    """Create an API key and print it; it cannot be shown again.

    Clients without a key, and those with the key of the settings, have the owner `local`.
    """
    with one_line(debug):
        from antiphon.service.access.keys import create_key
        from antiphon.service.access.limits import Limits

        async def work(records: "KeyRecords") -> "tuple[str, StoredKey, bool]":
            key, stored = await create_key(records, name, owner, Limits(**limits), scope)
            return key, stored, len(await records.all()) == 1

        key, stored, is_first = _with_keys(database, work)
    click.echo(key)
    click.echo(
        f"antiphon: created key {stored.name} for owner {stored.owner}; save it now, it is shown only once",
        err=True,
    )
    if is_first:
        click.echo(
            "antiphon: this is the first key; running servers require a key within five seconds", err=True
        )


@keys.command("list")
@_database
@debug_flag
def list_keys(database: str | None, debug: bool) -> None:
    """List the API keys.

    Each line contains the name, the owner, the end of the key, its creation date, its scope and limits.
    """
    with one_line(debug):
        found = _with_keys(database, lambda records: records.all())
    rows = [_row(key) for key in found]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not rows:
        click.echo("antiphon: no keys exist; create one with antiphon keys create", err=True)


@keys.command
@click.argument("name")
@_database
@debug_flag
def revoke(name: str, database: str | None, debug: bool) -> None:
    """Revoke an API key; its owner's data is kept."""
    with one_line(debug):
        from antiphon.errors import ConfigError

        if not _with_keys(database, lambda records: records.delete(name)):
            raise ConfigError(f"no key is named {name!r}; list all keys with antiphon keys list")
    click.echo(f"antiphon: revoked {name}; running servers reject it within five seconds", err=True)


def _with_keys(database: str | None, work: "Callable[[KeyRecords], Awaitable[R]]") -> R:
    """Run `work` on the keys in the server's database."""
    import asyncio

    from antiphon.cli.options import effective_settings
    from antiphon.errors import ConfigError
    from antiphon.store import Store

    settings = effective_settings({"database": database})
    if settings.database == ":memory:":
        raise ConfigError(
            "database: no key persists in memory; set the path of a file, or use ANTIPHON_API_KEY"
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
    scope = [] if key.access is None else [key.access]
    own = ", ".join([*scope, *(f"{limit} {what}" for limit, what in limits if limit is not None)])
    return [key.name, key.owner, f"...{key.hint}", day, own]
