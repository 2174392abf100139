"""Parts that the commands of `antiphon db` share."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.options import effective_settings
from antiphon.errors import ConfigError

if TYPE_CHECKING:
    from antiphon.settings.schema import Settings

P = ParamSpec("P")

as_json = click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
"""Decorator that adds the flag `--json` to a command."""


def db_command(name: str) -> "Callable[[Callable[Concatenate[Settings, P], None]], click.Command]":
    """Return a decorator that makes a command of a function of the settings in effect.

    The command has the options `--database` and `--debug`, and one-line errors.
    """

    def decorate(function: "Callable[Concatenate[Settings, P], None]") -> click.Command:
        @click.option("--database", metavar="TEXT", help="Database of the server, if not the configured one.")
        @debug_flag
        @wraps(function)
        def run(database: str | None, debug: bool, *args: P.args, **kwargs: P.kwargs) -> None:
            with one_line(debug):
                settings = effective_settings({"database": database})
                if settings.database == ":memory:":
                    raise ConfigError("database: nothing persists in memory; set the path of a file")
                function(settings, *args, **kwargs)

        return click.command(name)(run)

    return decorate


def count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows of a name and numbers, which are aligned to the right."""
    first, *others = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, others, strict=True)]
        click.echo("  ".join([name.ljust(first), *cells]))
