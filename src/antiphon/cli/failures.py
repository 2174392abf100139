"""Errors as an operator meets them: one line on standard error, and no traceback unless it is asked for."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import click

from antiphon.errors import AntiphonError, ConfigError

debug_flag = click.option("--debug", is_flag=True, help="Show the traceback of an error.")


class Failure(click.ClickException):
    """Something failed: a port in use, a database that cannot be read."""


class WrongSetting(Failure):
    """What the operator wrote is wrong."""

    exit_code = 2


@contextmanager
def one_line(debug: bool) -> Iterator[None]:
    """Turns errors into a `Failure`; with `debug` they pass as they are, traceback and all."""
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
    # asyncio words the address into the error of a failed bind, so the message is kept whole.
    if error.errno == errno.EADDRINUSE:
        hint = "stop the other server, or choose a port with --port (0: any free one)"
        return f"{error.strerror or error}; {hint}"
    return str(error) if error.filename is not None else error.strerror or str(error)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    message = " ".join(str(error).split())
    click.echo(f"antiphon: unexpected {kind.__name__}: {message} (--debug shows where)", err=True)
