"""The command `antiphon serve`, which runs the server."""

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.options import effective_settings, setting_flags
from antiphon.wire.json import JSON


@click.command
@setting_flags
@click.option("--print-url", is_flag=True, help="Base URL of the API as the only standard output.")
@debug_flag
def serve(print_url: bool, debug: bool, **flags: JSON) -> None:
    """Serve the API until interrupted.

    \b
    Examples:
      antiphon serve                          discover backends automatically
      antiphon serve --replay recordings/     replay recordings
      antiphon serve --port 0 --print-url     pick a free port and print the URL, for tests

    Every flag is also an environment variable (ANTIPHON_PORT) and a key in antiphon.toml (port). Flags take
    precedence over variables, variables over ./antiphon.toml, and that file over the user's config.toml.
    """
    with one_line(debug):
        from antiphon.serving.serve import run

        run(effective_settings(flags), print_url=print_url)
