"""The commands `antiphon db backup`, `antiphon db export` and `antiphon db import`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from antiphon.cli.db.common import count, db_command

if TYPE_CHECKING:
    from antiphon.settings.schema import Settings

_file = click.argument("file", type=click.Path(path_type=Path))
_EVERY = 0.2
"""Seconds between two lines about the progress."""


@_file
@db_command("backup")
def backup(settings: "Settings", file: Path) -> None:
    """Back up the database and the contents of the files to FILE.

    The backup has the state of one moment, even while servers run. It can be imported into SQLite and
    PostgreSQL. FILE is created with permissions for the user alone, because it contains secrets. A name that
    ends with .gz compresses it.
    """
    from antiphon.service.backup import write_backup

    files = settings.tools.file_search.files
    write_backup(settings.database, None if files is None else Path(files), file, _watched)
    click.echo(f"antiphon: wrote {file}; keep it secret: it contains what the database contains", err=True)


@_file
@db_command("export")
def export(settings: "Settings", file: Path) -> None:
    """Export the database to FILE, without the contents of the files.

    The export is a backup without contents; see antiphon db backup.
    """
    from antiphon.service.backup import write_backup

    write_backup(settings.database, None, file, _watched)
    click.echo(f"antiphon: wrote {file}; it lacks the contents of files: copy their folder", err=True)


@_file
@db_command("import")
def import_(settings: "Settings", file: Path) -> None:
    """Import a backup or an export into an empty database.

    The database must be new, and no server may use it. If something fails, nothing is imported. The contents
    of a backup's files are written to the folder of files.
    """
    from antiphon.service.backup import restore_backup
    from antiphon.store.upkeep.schema import location_of

    files = settings.tools.file_search.files
    assert files is not None  # Only a database in memory has a temporary folder.
    done = restore_backup(settings.database, Path(files), file, _watched)
    parts = f"{count(done.rows, 'row')} and {count(done.files, 'file')}"
    click.echo(f"antiphon: imported {parts} into {location_of(settings.database)}", err=True)
    if done.missing:
        missing = count(done.missing, "file")
        click.echo(f"antiphon: omitted {missing} that clients deleted during the backup", err=True)


def _watched(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Pass lines on, and print their number to a terminal."""
    import sys
    import time

    if not sys.stderr.isatty():
        yield from lines
        return
    shown = time.monotonic()
    for number, line in enumerate(lines, 1):
        if time.monotonic() - shown > _EVERY:
            shown = time.monotonic()
            click.echo(f"\r{number:,} lines", nl=False, err=True)
        yield line
    click.echo("\r\033[K", nl=False, err=True)
