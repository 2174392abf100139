"""The command `antiphon db prune`."""

from typing import TYPE_CHECKING

import click

from antiphon.cli.db.common import as_json, db_command, print_table

if TYPE_CHECKING:
    from antiphon.settings.schema import Settings
    from antiphon.store.retention.expired import ExpiringKind


@click.option("--dry-run", is_flag=True, help="Only the numbers of expired objects, without their removal.")
@as_json
@db_command("prune")
def prune(settings: "Settings", dry_run: bool, as_json: bool) -> None:
    """Delete the objects that are older than [retention] allows.

    A server does the same every minute. Without [retention], nothing expires.
    """
    import asyncio
    import json

    from antiphon.service.retention import ages_of
    from antiphon.store.upkeep.schema import reading, require_current

    with reading(settings.database) as connection:
        require_current(connection)
    ages = ages_of(settings)
    found = asyncio.run(_prune(settings, ages, dry_run)) if ages else {}
    if as_json:
        click.echo(json.dumps(found))
    elif found:
        print_table([(kind, f"{number:,}") for kind, number in found.items()])
    if not ages:
        click.echo("antiphon: [retention] is not set, so nothing expires", err=True)
    elif dry_run:
        click.echo("antiphon: nothing was deleted; omit --dry-run to delete these objects", err=True)


async def _prune(
    settings: "Settings", ages: "dict[ExpiringKind, float]", dry_run: bool
) -> "dict[ExpiringKind, int]":
    from antiphon.service.files.folder import FileFolder
    from antiphon.service.retention import Retention
    from antiphon.store import Store

    files = settings.tools.file_search
    store = await Store.open(settings.database, synchronous=settings.sqlite_synchronous)
    try:
        retention = Retention(store, FileFolder.open(files.files, files.max_file_bytes), ages)
        if dry_run:
            return await retention.count()
        found = await retention.apply()
        await store.deletions.remove_all()
        return found
    finally:
        await store.close()
