"""The `antiphon` command, with one module per subcommand.

Commands import the server's packages inside their functions, so that each loads only what it uses.
"""

import sys

import click

from antiphon.build import version_text
from antiphon.cli.config import config
from antiphon.cli.db import db
from antiphon.cli.doctor import doctor
from antiphon.cli.failures import usage_text
from antiphon.cli.keys import keys
from antiphon.cli.log.forks import diff, replay_run
from antiphon.cli.log.logs import logs
from antiphon.cli.log.show import show
from antiphon.cli.recordings import recordings
from antiphon.cli.serve import serve


class ServeByDefault(click.Group):
    """Command group that runs `serve` when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse `args`, with `serve` in front unless they name a command."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help", "--version")):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=ServeByDefault,
    commands=[serve, config, db, diff, doctor, keys, logs, recordings, replay_run, show],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version_text(), message="%(prog)s %(version)s")
def antiphon() -> None:
    """Serve the OpenAI Responses and Conversations APIs from any backend.

    The backends are servers of the Chat Completions API.

    \b
    Examples:
      antiphon                            serve on http://127.0.0.1:8321/v1
      antiphon --port 9000                serve on another port
      antiphon serve --replay recordings/ replay recordings, without any backend
      antiphon config                     show the settings and their sources
      antiphon db backup backup.jsonl     back up the database and the files
      antiphon doctor                     check the database, the backends and the tools
      antiphon keys create alice          create an API key for a client
      antiphon logs -f                    show each response when it ends
      antiphon show -1                    show the steps of the last response
      antiphon recordings list DIRECTORY  list the recordings in a directory

    Without a command, antiphon runs serve.
    """


def main() -> None:
    """Run the program and exit.

    The exit code is 0 for success, 1 for a failure, and 2 for a wrong command or setting.
    """
    try:
        sys.exit(antiphon.main(prog_name="antiphon", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        # A group without a command shows its help, as --help does.
        click.echo(error.format_message())
        sys.exit(0)
    except click.UsageError as error:
        _fail(usage_text(error), error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except click.Abort:
        _fail("interrupted", 130)


def _fail(message: str, exit_code: int) -> None:
    click.echo("antiphon: " + " ".join(message.split()), err=True)
    sys.exit(exit_code)
