"""`antiphon config`: the settings in effect."""

import json
import os
from pathlib import Path

import click
from msgspec.structs import asdict

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.options import setting_flags
from antiphon.config import BACKEND_SETTINGS, CAPABILITIES
from antiphon.wire.json import JSON

_BACKEND = frozenset(setting.name for setting in (*BACKEND_SETTINGS, *CAPABILITIES))


@click.command
@setting_flags
@debug_flag
def config(debug: bool, **flags: JSON) -> None:
    """Show the settings in effect, and where each comes from.

    It takes the flags of serve, and prints what could stand in antiphon.toml. Keys and passwords are masked.
    """
    with one_line(debug):
        from antiphon.settings import load_settings

        settings = load_settings(flags, os.environ, Path.cwd())
    for name, value in settings.shown().items():
        click.echo(_line(name, value, settings.origins[name]))
    for backend in settings.models.values():
        click.echo(f"\n[models.{backend.name}]  # {backend.origin}")
        for name, value in {**asdict(backend), **asdict(backend.capabilities)}.items():
            if name in _BACKEND and value is not None:
                click.echo(_line(name, value))
    for notice in settings.notices:
        click.echo(f"antiphon: {notice}", err=True)


def _line(name: str, value: JSON, origin: str = "") -> str:
    """Writes a setting as a line of antiphon.toml; what is not set is a comment there."""
    comment = f"  # {origin}" if origin else ""
    if value is None:
        return f"# {name} is not set"
    return f"{name} = {json.dumps(value, default=str, ensure_ascii=False)}{comment}"
