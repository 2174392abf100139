"""Command-line flags generated from the table of settings, and the settings in effect."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from antiphon.settings.schema import SETTINGS, Settings
from antiphon.settings.values import Setting, kind_text
from antiphon.wire.json import JSON

Command = TypeVar("Command", bound=Callable[..., None])


def setting_flags(command: Command) -> Command:
    """Add a flag for every setting to a command.

    The command receives text, a boolean for a switch, or None for an absent flag. The loader of the settings
    checks and converts the values, as it does for variables and files.
    """
    for setting in reversed(SETTINGS):
        default = default_text(setting)
        text = f"{setting.doc} [default: {default}]" if default else setting.doc
        flag, name, kind = setting.flag, setting.name, kind_text(setting)
        if kind == "switch":
            command = click.option(f"{flag}/--no{flag[1:]}", name, default=None, help=text)(command)
        elif kind == "list":
            command = click.option(flag, name, multiple=True, callback=_given, metavar="TEXT", help=text)(
                command
            )
        else:
            metavar = f"[{kind}]" if "|" in kind else kind.upper()
            command = click.option(flag, name, metavar=metavar, help=text)(command)
    return command


def effective_settings(flags: Mapping[str, JSON]) -> Settings:
    """Return the settings in effect for a command.

    Raises:
        ConfigError: A setting is wrong.
    """
    from antiphon.settings.load import load_settings
    from antiphon.tools.web_search.providers import SEARCH_PROVIDERS

    return load_settings(flags, os.environ, Path.cwd(), SEARCH_PROVIDERS)


def _given(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
    return list(values) or None


def default_text(setting: Setting) -> str:
    """Return the default as text.

    Returns:
        An empty string if there is no default, or if the setting's own text contains it.
    """
    if setting.default in (None, (), "", {}) or setting.default is msgspec.NODEFAULT:
        return ""
    if isinstance(setting.default, bool):
        return "on" if setting.default else "off"
    return str(setting.default)
