"""Names of settings and tables in configuration files, and suggestions for unknown names."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from antiphon.errors import ConfigError
from antiphon.settings.schema import SETTINGS
from antiphon.settings.values import Setting
from antiphon.wire.json import JSON


def check_names(
    given: Mapping[str, JSON],
    known: Iterable[Setting],
    where: str,
    tables: Sequence[str] = (),
    table: str = "",
) -> None:
    """Check that all given names are known.

    Args:
        given: Values by name; an unknown one that is a table is reported as a table.
        known: Settings with the known names.
        where: Source of the names, for messages.
        tables: Names of the known tables.
        table: Table that contains the names, followed by a dot; empty for the top level.

    Raises:
        ConfigError: A name is unknown; the message suggests the closest known name and lists all.
    """
    names = [setting.file_key for setting in known]
    full = [f"[{table}{each}]" for each in tables]
    for name, value in given.items():
        if name in names or name in tables:
            continue
        if isinstance(value, dict) and tables:
            written = f"[{table}{name[:60]}]"
            raise ConfigError(f"{where}: unknown table {written}{suggestion(written, full)}")
        raise ConfigError(f"{where}: unknown setting {name[:60]!r}{suggestion(name, [*names, *full])}")


def check_places(given: Mapping[str, JSON], known: Sequence[Setting], where: str) -> None:
    """Check that no given name belongs to another table of the file.

    Args:
        given: Values by name.
        known: Settings of this table.
        where: Source of the names, for messages.

    Raises:
        ConfigError: A name belongs to another table; the message names it.
    """
    here = {setting.file_key for setting in known}
    for setting in SETTINGS:
        if setting.file_key in given and setting.file_key not in here:
            place = f"belongs to [{setting.table}]" if setting.table else "is not part of a table"
            fix = f"below [{setting.table}]" if setting.table else "above the first table"
            raise ConfigError(f"{where}: {setting.file_key} {place}; write it {fix}")


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: the closest known name, and all of them."""
    found, listed = closest(name, names), f"se one of {', '.join(names)}"
    return f"; did you mean {found}? U{listed}" if found else f"; u{listed}"


def closest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that is most similar to `name`; None if none is similar enough."""
    return next(iter(difflib.get_close_matches(name[:100], list(names), n=1, cutoff=cutoff)), None)
