"""One-line errors on standard error, with a traceback only on request."""

import difflib
import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import click

from antiphon.errors import AntiphonError, ConfigError

_SIMILAR = 0.75
"""Similarity from which on a known word is suggested for an unknown one."""

debug_flag = click.option("--debug", is_flag=True, help="Traceback of an error instead of one line.")
"""Decorator that adds the flag `--debug` to a command."""


class Failure(click.ClickException):
    """Failure of a command, such as a port in use or an unreadable database."""


class WrongSetting(Failure):
    """Wrong setting or argument."""

    exit_code = 2


@contextmanager
def one_line(debug: bool) -> Iterator[None]:
    """Convert errors to a `Failure`; with `debug`, let them pass with their traceback."""
    if debug:
        yield
        return
    sys.excepthook = _unexpected
    try:
        yield
    except ConfigError as error:
        raise WrongSetting(str(error)) from error
    except AntiphonError as error:
        raise Failure(error.message) from error
    except OSError as error:
        raise Failure(_explain(error)) from error


def usage_text(error: click.UsageError) -> str:
    """Return the message for a wrong command line, with the closest option or command."""
    command = error.ctx.command_path if error.ctx else "antiphon"
    if isinstance(error, click.NoSuchOption):
        parameters = error.cmd.params if error.cmd else []
        flags = [flag for each in parameters for flag in (*each.opts, *each.secondary_opts)]
        text = f"{error.option_name}: no such option; {_closest(error.option_name, flags) or 'see'}"
    elif isinstance(error, click.NoSuchCommand):
        commands = list(error.cmd.commands) if isinstance(error.cmd, click.Group) else []
        listed = f"use one of {', '.join(commands)}, or see"
        text = f"{error.command_name}: no such command; {_closest(error.command_name, commands) or listed}"
    else:
        text = error.format_message().rstrip(".")
        text = f"{text[:1].lower()}{text[1:]}; see"
    return f"{text} {command} --help"


def _closest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=_SIMILAR)
    return f"did you mean {close[0]}? See" if close else ""


def _explain(error: OSError) -> str:
    # asyncio includes the address in the error of a failed bind, so the message is kept in full.
    if error.errno == errno.EADDRINUSE:
        hint = "stop the other server, or choose a port with --port (0 picks a free one)"
        return f"{error.strerror or error}; {hint}"
    return str(error) if error.filename is not None else error.strerror or str(error)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    message = " ".join(str(error).split())
    click.echo(
        f"antiphon: unexpected {kind.__name__}: {message}; add --debug to show the traceback", err=True
    )
