"""`antiphon serve`: the server."""

import os
from pathlib import Path

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.options import setting_flags
from antiphon.wire.json import JSON


@click.command
@setting_flags
@click.option("--print-url", is_flag=True, help="Print nothing but the API's base URL on standard output.")
@debug_flag
def serve(print_url: bool, debug: bool, **flags: JSON) -> None:
    """Serve the API until interrupted.

    \b
    Examples:
      antiphon serve                          find backends by itself
      antiphon serve --replay recordings/     answer from recordings
      antiphon serve --port 0 --print-url     for tests: any free port, told on standard output

    Every flag is also a variable (ANTIPHON_PORT) and a key in antiphon.toml (port). Flags win over
    variables, variables over ./antiphon.toml, that over the user's config.toml.
    """
    with one_line(debug):
        from antiphon.serving.serve import run
        from antiphon.settings.load import load_settings

        run(load_settings(flags, os.environ, Path.cwd()), print_url=print_url)
