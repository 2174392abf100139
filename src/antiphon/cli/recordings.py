"""`antiphon recordings`: what a directory of recordings holds, and its care."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

from antiphon.cli.failures import debug_flag, one_line

P = ParamSpec("P")

_path = click.Path(path_type=Path)  # The commands' own errors are plainer than click's.
_directory = click.argument("directory", type=_path)
_directories = click.argument("directories", nargs=-1, required=True, type=_path)
_into = click.option("--into", required=True, metavar="DIRECTORY", type=_path, help="Where to write.")
_hits = click.option(
    "--hits", metavar="FILE", type=_path, help="A run's hit log (--hit-log): what it did not use is unused."
)


@click.group
def recordings() -> None:
    """Show, check and convert recordings of model and tool calls.

    \b
    Examples:
      antiphon recordings list recordings/
      antiphon recordings show recordings/ default.json
      antiphon recordings check recordings/ --hits hits.jsonl

    A call is named by its file, and by its number there where the file holds several: default.json#3.
    """


def _command(name: str) -> Callable[[Callable[P, None]], click.Command]:
    """Adds a command to the group; its errors are one line."""

    def decorate(function: Callable[P, None]) -> click.Command:
        @wraps(function)
        def run(debug: bool, *args: P.args, **kwargs: P.kwargs) -> None:
            with one_line(debug):
                function(*args, **kwargs)

        return recordings.command(name)(debug_flag(run))

    return decorate


@_command("list")
@_directory
def list_calls(directory: Path) -> None:
    """List the calls, a line each.

    A line has the name, the scope, the kind, the model, what was asked last, how it was answered, the size.
    """
    from antiphon.recording.care.convert import read_all
    from antiphon.recording.care.show import line

    calls, problems = read_all([directory])
    _print([line(call) for call in calls])
    _tell(problems)


@_command("show")
@_directory
@click.argument("names", nargs=-1)
def show(directory: Path, names: tuple[str, ...]) -> None:
    """Print what was said.

    NAMES are calls, files or scopes; without any, everything is printed.
    """
    from antiphon.recording.care.convert import read_all
    from antiphon.recording.care.show import conversation

    calls, problems = read_all([directory])
    unknown = set(names).difference(*((call.name, call.file, call.scope) for call in calls))
    if unknown:
        raise click.UsageError(f"no call, file or scope in {directory} is named {', '.join(sorted(unknown))}")
    click.echo(
        conversation([call for call in calls if not names or {call.name, call.file, call.scope} & {*names}])
    )
    _tell(problems)


@_command("explain")
@click.argument("request", type=click.Path(allow_dash=True))
@click.option("--in", "directory", required=True, metavar="DIRECTORY", type=_path, help="The recordings.")
@click.option("--scope", default="default", show_default=True, help="The scope that asks.")
def explain(request: str, directory: Path, scope: str) -> None:
    """Say what answers a chat request, or why nothing does.

    REQUEST is a file with the body of the request, to this server or to a backend; - is standard input. The
    exit code is 1 when nothing answers.
    """
    import msgspec

    from antiphon.engine.request_context import RequestContext
    from antiphon.errors import ConfigError, RecordingNotFound
    from antiphon.observe.record import Record
    from antiphon.observe.request_log import describe_hit
    from antiphon.recording.collection import Collection
    from antiphon.recording.seam.replay import Replay
    from antiphon.wire.json import JSONObject

    try:
        with click.open_file(request, "rb") as file:
            body = msgspec.json.decode(file.read(), type=JSONObject)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"{request}: no chat request: {error}") from None
    if not directory.is_dir():
        raise ConfigError(f"{directory}: no such directory of recordings")
    record = Record("CLI", "recordings explain")
    context = RequestContext(scope=scope, observer=record)
    replay = Replay(Collection(directory))
    backend = ""
    if isinstance(model := body.get("model"), str):
        body["model"], backend = replay.recorded_model(model)
    try:
        replay.get(body, context, backend)
    except RecordingNotFound as error:
        click.echo(error.message)
        click.get_current_context().exit(1)
    click.echo("\n".join(f"hit {describe_hit(hit)}" for hit in record.hits))


@_command("check")
@_directory
@_hits
@click.option("--max-bytes", default=1_000_000, show_default=True, help="A larger file is oversize.")
def check(directory: Path, hits: Path | None, max_bytes: int) -> None:
    """Find what is stale, unused, duplicate, oversize.

    And what cannot be read. The exit code is 1 if anything is found. Recordings of llama-stack's that answer
    the same question differently are listed too, but are no fault.
    """
    from antiphon.recording.care import check as checks

    problems = checks.check(directory, None if hits is None else checks.read_hits(hits), large=max_bytes)
    _print([f"{problem.kind}: {problem.text}" for problem in problems])
    if any(problem.is_fault for problem in problems):
        click.get_current_context().exit(1)


@_command("prune")
@_directory
@_hits
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
def prune(directory: Path, hits: Path | None, yes: bool) -> None:
    """Remove what is stale, duplicate or unused.

    Unused are the calls that a run's hit log does not name.
    """
    from antiphon.recording.care import check as checks

    problems = checks.check(directory, None if hits is None else checks.read_hits(hits))
    pruned = [problem for problem in problems if problem.kind in ("stale", "duplicate", "unused")]
    names = {name for problem in pruned for name in problem.names}
    if yes:
        checks.remove(directory, names)
    _print([f"{problem.kind}: {problem.text}" for problem in pruned])
    outcome = "removed" if yes else "to remove; --yes removes them"
    click.echo(f"{_count(len(names), 'call')} {outcome}")


@_command("import")
@_directories
@_into
def import_(directories: tuple[Path, ...], into: Path) -> None:
    """Convert to Antiphon's format.

    It has one file for each scope, and either format is read. What stands there already is kept. Nothing is
    written when a secret is found.
    """
    from antiphon.recording.care.convert import import_calls, read_all

    calls, problems = read_all(directories)
    done = import_calls(calls, into)
    click.echo(f"{_count(done.calls, 'call')} in {_count(done.files, 'file')} in {into}")
    _tell(problems)


@_command("export")
@_directories
@_into
def export(directories: tuple[Path, ...], into: Path) -> None:
    """Convert to llama-stack's format.

    It has one file for each call, and either format is read. What llama-stack's format cannot hold is told: a
    second answer to one question, chunks before an error.
    """
    from antiphon.recording.care.convert import export_calls, read_all

    calls, problems = read_all(directories)
    done = export_calls(calls, into)
    click.echo(f"{_count(done.calls, 'call')} in {_count(done.files, 'file')} in {into}")
    for line in done.left_out:
        click.echo(f"antiphon: left out: {line}", err=True)
    _tell(problems)


@_command("scan")
@_directories
@click.option(
    "--pattern", "patterns", multiple=True, metavar="NAME=REGEX", help="Also find this; may be repeated."
)
def scan(directories: tuple[Path, ...], patterns: tuple[str, ...]) -> None:
    """Find keys, tokens and passwords.

    What is found is masked, and the exit code is 1.
    """
    from antiphon.recording.care.convert import read_all
    from antiphon.recording.files.secrets import find_in_call, user_pattern

    try:
        own = [user_pattern(*pattern.split("=", 1)) for pattern in patterns]
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"--pattern takes NAME=REGEX: {error}") from None
    calls, problems = read_all(directories)
    found = [f"{call.name}: {finding}" for call in calls for finding in find_in_call(call, own)]
    _print(found)
    _tell(problems)
    if found:
        click.get_current_context().exit(1)


def _print(lines: list[str]) -> None:
    from antiphon.recording.matching.nearest import printable

    for line in lines:
        click.echo(printable(line))


def _tell(problems: list[str]) -> None:
    """Says what could not be read, beside what a command prints."""
    from antiphon.recording.matching.nearest import printable

    for problem in problems:
        click.echo(f"antiphon: unreadable: {printable(problem)}", err=True)


def _count(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
