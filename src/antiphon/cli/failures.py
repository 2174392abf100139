"""One-line errors on standard error, with a traceback only on request."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import click

from antiphon.errors import AntiphonError, ConfigError

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
