"""The commands `antiphon db path` and `antiphon db upgrade`."""

from typing import TYPE_CHECKING

import click

from antiphon.cli.db.common import db_command

if TYPE_CHECKING:
    from antiphon.settings.schema import Settings


@click.option("--files", is_flag=True, help="Path of the folder of files instead.")
@db_command("path")
def path(settings: "Settings", files: bool) -> None:
    """Print the path or URL of the database, without a password."""
    from antiphon.settings.values import mask_url

    click.echo(settings.tools.file_search.files if files else mask_url(settings.database))


@db_command("upgrade")
def upgrade(settings: "Settings") -> None:
    """Bring the tables up to date, and print what was done.

    A server does the same when it starts. Servers of the older version may run on until you restart them.
    """
    from antiphon.store.upkeep.schema import upgrade_schema

    done = upgrade_schema(settings.database)
    if not done.applied:
        click.echo(f"{done.location}: up to date")
        return
    for name in done.applied:
        click.echo(f"applied {name}")
    click.echo(f"{done.location}: {'created' if done.is_new else 'upgraded'}")
