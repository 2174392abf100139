"""The commands `antiphon recordings`, which inspect and maintain recordings."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

from antiphon.cli.failures import debug_flag, one_line

P = ParamSpec("P")

_path = click.Path(path_type=Path)  # The commands check existence with clearer errors than click's.
_directory = click.argument("directory", type=_path)
_directories = click.argument("directories", nargs=-1, required=True, type=_path)
_into = click.option("--into", required=True, metavar="DIRECTORY", type=_path, help="Output directory.")
_hits = click.option(
    "--hits", metavar="FILE", type=_path, help="Hit log of a run (--hit-log), to find unused recordings."
)


@click.group
def recordings() -> None:
    """Show, check and convert recordings of model and tool calls.

    \b
    Examples:
      antiphon recordings list recordings/
      antiphon recordings show recordings/ default.json
      antiphon recordings check recordings/ --hits hits.jsonl

    The name of a call is its file, followed by its number if the file contains several: default.json#3.
    """


def _command(name: str) -> Callable[[Callable[P, None]], click.Command]:
    """Return a decorator that adds a command with one-line errors to the group."""

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
    """List the recorded calls.

    Each line contains the name, the scope, the kind, the model, the last question, the kind of response and
    the size.
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
    """Print recorded conversations.

    NAMES are calls, files or scopes; without names, all conversations are printed.
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
@click.option(
    "--in", "directory", required=True, metavar="DIRECTORY", type=_path, help="Directory of recordings."
)
@click.option("--scope", default="default", show_default=True, help="Scope of the request.")
def explain(request: str, directory: Path, scope: str) -> None:
    """Show which recording matches a request.

    If none matches, the nearest recording and the differences are shown, and the exit code is 1. REQUEST is
    a file with the body of a chat request, to this server or to a backend; - is standard input.
    """
    import asyncio

    import msgspec

    from antiphon.engine.request_context import RequestContext
    from antiphon.errors import ConfigError, RecordingNotFound
    from antiphon.observe.record import Record
    from antiphon.observe.request_log import describe_hit
    from antiphon.recording.collection import Collection
    from antiphon.recording.seam.lookup import RecordingLookup
    from antiphon.wire.json import JSONObject

    try:
        with click.open_file(request, "rb") as file:
            body = msgspec.json.decode(file.read(), type=JSONObject)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"{request}: not a chat request: {error}") from None
    if not directory.is_dir():
        raise ConfigError(f"{directory}: the folder of recordings does not exist; check the path")
    record = Record("CLI", "recordings explain")
    context = RequestContext(scope=scope, observer=record)
    replay = RecordingLookup(Collection(directory))
    backend = ""
    if isinstance(model := body.get("model"), str):
        body["model"], backend = replay.recorded_model(model)
    try:
        asyncio.run(replay.get(body, context, backend))
    except RecordingNotFound as error:
        click.echo(error.message)
        click.get_current_context().exit(1)
    click.echo("\n".join(f"hit {describe_hit(hit)}" for hit in record.hits))


@_command("check")
@_directory
@_hits
@click.option(
    "--max-bytes", default=1_000_000, show_default=True, help="Size above which a file is oversize."
)
def check(directory: Path, hits: Path | None, max_bytes: int) -> None:
    """Find stale, unused, duplicate and oversize recordings.

    Unreadable files are listed too. The exit code is 1 if there are any findings. Recordings by llama-stack
    with different responses to the same request are also listed, but do not count as findings.
    """
    from antiphon.recording.care import check as checks

    problems = checks.check(directory, None if hits is None else checks.read_hits(hits), large=max_bytes)
    _print([f"{problem.kind}: {problem.text}" for problem in problems])
    if any(problem.is_fault for problem in problems):
        click.get_current_context().exit(1)


@_command("prune")
@_directory
@_hits
@click.option("--yes", is_flag=True, help="Removal of the calls; without this flag they are only listed.")
def prune(directory: Path, hits: Path | None, yes: bool) -> None:
    """Remove stale, duplicate and unused calls.

    Calls are unused if the hit log of a run does not contain them.
    """
    from antiphon.recording.care import check as checks

    problems = checks.check(directory, None if hits is None else checks.read_hits(hits))
    pruned = [problem for problem in problems if problem.kind in ("stale", "duplicate", "unused")]
    names = {name for problem in pruned for name in problem.names}
    if yes:
        checks.remove(directory, names)
    _print([f"{problem.kind}: {problem.text}" for problem in pruned])
    outcome = "removed" if yes else "to remove; add --yes to remove them"
    click.echo(f"{_count(len(names), 'call')} {outcome}")


@_command("import")
@_directories
@_into
def import_(directories: tuple[Path, ...], into: Path) -> None:
    """Convert recordings to Antiphon's format.

    The output has one file per scope; the input may have either format. Existing calls in the output
    directory are kept. If a secret is found, nothing is written.
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
    """Convert recordings to llama-stack's format.

    The output has one file per call; the input may have either format. Content that llama-stack's format
    cannot represent is omitted and listed: a second response to the same request, chunks before an error, and
    invalid JSON.
    """
    from antiphon.recording.care.convert import export_calls, read_all
    from antiphon.recording.matching.nearest import printable

    calls, problems = read_all(directories)
    done = export_calls(calls, into)
    click.echo(f"{_count(done.calls, 'call')} in {_count(done.files, 'file')} in {into}")
    for line in done.omitted:
        click.echo(f"antiphon: omitted: {printable(line)}", err=True)
    _tell(problems)


@_command("scan")
@_directories
@click.option(
    "--pattern", "patterns", multiple=True, metavar="NAME=REGEX", help="Additional pattern; may be repeated."
)
def scan(directories: tuple[Path, ...], patterns: tuple[str, ...]) -> None:
    """Find keys, tokens and passwords in recordings.

    Findings are masked in the output. The exit code is 1 if there are any.
    """
    from antiphon.recording.care.convert import read_all
    from antiphon.recording.files.secrets import find_in_call, user_pattern

    try:
        own = [user_pattern(*pattern.split("=", 1)) for pattern in patterns]
    except (TypeError, ValueError) as error:
        raise click.UsageError(f"--pattern: expected NAME=REGEX: {error}") from None
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
    """Print on standard error which files could not be read."""
    from antiphon.recording.matching.nearest import printable

    for problem in problems:
        click.echo(f"antiphon: unreadable: {printable(problem)}", err=True)


def _count(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"
