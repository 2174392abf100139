"""The command `antiphon`: one module per command. What a command does not use is not imported."""

import sys

import click

from antiphon import __version__
from antiphon.cli.config import config
from antiphon.cli.keys import keys
from antiphon.cli.recordings import recordings
from antiphon.cli.serve import serve


class ServeByDefault(click.Group):
    """A group that runs `serve` when no command is named, with whatever flags there are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ("--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(cls=ServeByDefault, commands=[serve, config, keys, recordings])
@click.version_option(__version__, message="%(prog)s %(version)s")
def antiphon() -> None:
    """Serve the OpenAI Responses and Conversations APIs from any Chat Completions backend.

    \b
    Examples:
      antiphon                            serve on http://127.0.0.1:8321/v1
      antiphon --port 9000                the same on another port
      antiphon serve --replay recordings/ answer from recordings, without any backend
      antiphon config                     show the settings and where each comes from
      antiphon keys create alice          make a key for a caller
      antiphon recordings list DIRECTORY  show what is recorded there

    Without a command, antiphon serves.
    """


def main() -> None:
    """Runs the program and exits: 0 done, 1 something failed, 2 the command or a setting is wrong."""
    try:
        sys.exit(antiphon.main(prog_name="antiphon", standalone_mode=False))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "antiphon"
        _fail(f"{error.format_message().rstrip('.')} (see {command} --help)", error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except click.Abort:
        _fail("interrupted", 130)


def _fail(message: str, exit_code: int) -> None:
    click.echo("antiphon: " + " ".join(message.split()), err=True)
    sys.exit(exit_code)
