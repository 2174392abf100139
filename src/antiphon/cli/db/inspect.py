"""The commands `antiphon db check` and `antiphon db size`."""

from typing import TYPE_CHECKING

import click

from antiphon.cli.db.common import as_json, db_command, print_table

if TYPE_CHECKING:
    from antiphon.settings.schema import Settings


@as_json
@db_command("check")
def check(settings: "Settings", as_json: bool) -> None:
    """Find damage in the database and in the folder of files.

    The command checks the file of SQLite, links between objects, the version of the tables, and that each
    file has its content. It also counts the objects that servers still work on. The exit code is 1 if there
    are problems.
    """
    import json
    from functools import partial
    from pathlib import Path

    from antiphon.recording.matching.nearest import printable
    from antiphon.service.files.check import problems_of_folder
    from antiphon.store.upkeep.check import known_files, pending, problems_of, sizes_of_files
    from antiphon.store.upkeep.schema import reading, require_current

    files = settings.tools.file_search.files
    with reading(settings.database) as connection:
        require_current(connection)
        problems = [*problems_of(connection)]
        if files is not None:
            known = partial(known_files, connection)
            problems += problems_of_folder(Path(files), sizes_of_files(connection), known)
        work = pending(connection)
    if as_json:
        found = [{"kind": problem.kind, "text": problem.text} for problem in problems]
        click.echo(json.dumps({"problems": found, "pending": work}))
    else:
        for problem in problems:
            click.echo(printable(f"{problem.kind}: {problem.text}"))
        if not problems:
            click.echo("no problems")
        print_table([(f"pending {name}", f"{number:,}") for name, number in work.items()])
    if problems:
        click.get_current_context().exit(1)


@as_json
@db_command("size")
def size(settings: "Settings", as_json: bool) -> None:
    """Print the rows and bytes of each table, and the bytes of the folder of files.

    The sizes include indexes. Some builds of SQLite can't measure them.
    """
    import json
    from pathlib import Path

    from antiphon.service.files.check import size_of_folder
    from antiphon.store.connect import size_in_bytes
    from antiphon.store.upkeep.schema import reading
    from antiphon.store.upkeep.sizes import table_sizes

    with reading(settings.database) as connection:
        tables = table_sizes(connection)
        database = size_in_bytes(connection)
    files = settings.tools.file_search.files
    folder = 0 if files is None else size_of_folder(Path(files))
    if as_json:
        found = {each.name: {"rows": each.rows, "bytes": each.bytes} for each in tables}
        click.echo(json.dumps({"tables": found, "database_bytes": database, "files_bytes": folder}))
        return
    rows = [("table", "rows", "bytes")]
    rows += [
        (each.name, f"{each.rows:,}", "-" if each.bytes is None else f"{each.bytes:,}") for each in tables
    ]
    rows += [("database", "", f"{database:,}"), ("folder of files", "", f"{folder:,}")]
    print_table(rows)
