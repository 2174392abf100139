"""The command `antiphon config`, which prints the settings in effect."""

import json
import os
from pathlib import Path

import click
from msgspec.structs import asdict

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.options import effective_settings, setting_flags
from antiphon.settings.backends import BACKEND_SETTINGS, CAPABILITIES
from antiphon.settings.schema import SETTINGS
from antiphon.wire.json import JSON

_BACKEND = frozenset(setting.name for setting in (*BACKEND_SETTINGS, *CAPABILITIES))


@click.command
@setting_flags
@debug_flag
def config(debug: bool, **flags: JSON) -> None:
    """Show the settings in effect and their sources.

    The command accepts the flags of serve. The output has the format of antiphon.toml, with keys and
    passwords masked.
    """
    with one_line(debug):
        settings = effective_settings(flags)
    from antiphon.settings.load import files_of_settings

    for path in files_of_settings(os.environ, Path.cwd()):
        click.echo(f"# {'read' if path.exists() else 'not found:'} {path}")
    shown = settings.shown()
    for setting in SETTINGS:
        if setting.table is None:
            click.echo(_line(setting.file_key, shown[setting.name], settings.origins[setting.name]))
    for table in dict.fromkeys(setting.table for setting in SETTINGS if setting.table is not None):
        click.echo(f"\n[{table}]")
        for setting in SETTINGS:
            if setting.table == table:
                click.echo(_line(setting.file_key, shown[setting.name], settings.origins[setting.name]))
    for name, values in (settings.tools.tables() | settings.moderation.tables()).items():
        click.echo(f"\n[{name}]")
        for key, value in values.items():
            click.echo(_line(key, value))
    for backend in settings.models.values():
        click.echo(f"\n[models.{backend.name}]  # {backend.origin}")
        for name, value in {**asdict(backend), **asdict(backend.capabilities)}.items():
            if name in _BACKEND and value is not None:
                click.echo(_line(name, value))
    for notice in settings.notices:
        click.echo(f"antiphon: {notice}", err=True)


def _line(name: str, value: JSON, origin: str = "") -> str:
    """Return a setting as a line of antiphon.toml, or a comment if it is not set."""
    comment = f"  # {origin}" if origin else ""
    if value is None:
        return f"# {name} is not set"
    return f"{name} = {_toml(value)}{comment}"


def _toml(value: JSON) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, default=str, ensure_ascii=False)
