"""The commands `antiphon db`, which maintain the server's database."""

import click

from antiphon.cli.db.inspect import check, size
from antiphon.cli.db.prune import prune
from antiphon.cli.db.schema import path, upgrade
from antiphon.cli.db.transfer import backup, export, import_


@click.group(commands=[path, check, upgrade, size, prune, backup, export, import_])
def db() -> None:
    """Maintain the database and the folder of files.

    \b
    Examples:
      antiphon db check                  find damage
      antiphon db prune --dry-run        count the objects that have expired
      antiphon db backup backup.jsonl.gz back up the database and the files
      antiphon db import backup.jsonl.gz --database copy.db
                                         restore a backup into a new database

    All commands except import may run beside servers.
    """
