"""The commands `antiphon replay-run` and `antiphon diff`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.log.opening import database_option, with_services, with_store

if TYPE_CHECKING:
    from antiphon.service.log.compare import ComparedRun
    from antiphon.service.log.entries import LoggedResponse
    from antiphon.service.log.fork import Changes
    from antiphon.service.services import Services
    from antiphon.store import Store

_MOST_INSTRUCTIONS = 1024 * 1024
"""The most characters of a file with instructions."""


@click.command("replay-run", context_settings={"ignore_unknown_options": True})
@click.argument("name", metavar="ID")
@click.option(
    "--from",
    "step",
    type=click.IntRange(1),
    required=True,
    metavar="STEP",
    help="Number of the first model call that is made again.",
)
@click.option("--model", help="Another model.")
@click.option(
    "--instructions",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with other instructions.",
)
@click.option("--input", "text", metavar="TEXT", help="Another text in place of the last message.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@database_option
@debug_flag
def replay_run(
    name: str, database: str | None, debug: bool, as_json: bool, file: Path | None, **given: str | int | None
) -> None:
    """Fork a response: repeat it from one of its model calls on.

    The model and tool calls before STEP are answered from the log; antiphon show ID lists their numbers. The
    result is a new stored response with a link to the original. It has the owner of the original, and is in
    no conversation. The log has no tokens of MCP servers, so those of the request are missing.

    \b
    Examples:
      antiphon replay-run -1 --from 2             make the second model call again
      antiphon replay-run -1 --from 1 --model openai/gpt-4o
                                                  run the same input with another model
    """
    with one_line(debug):
        from antiphon.cli.log.pages import Shown, json_text, plain
        from antiphon.service.log.fork import Changes

        step, model, text = given["step"], given["model"], given["text"]
        instructions = None if file is None else file.read_text(encoding="utf-8")[:_MOST_INSTRUCTIONS]
        changes = Changes(
            step=int(step or 1),
            model=None if model is None else str(model),
            instructions=instructions,
            input=None if text is None else str(text),
        )
        logged = with_services(database, lambda services: _forked(services, name, changes))
        shown = Shown(logged, [], [])
        click.echo(json_text(shown) if as_json else plain(shown))


async def _forked(services: "Services", name: str, changes: "Changes") -> "LoggedResponse":
    from antiphon.engine.request_context import RequestContext
    from antiphon.service.log.entries import Log
    from antiphon.service.log.fork import Forks

    log = Log(services.store)
    original = await log.get(None, await log.find(None, name))
    context = RequestContext(owner=original.entry.owner, key=original.entry.key, seal=services.sealing)
    async with await Forks(log, services.responses).fork(context, original.entry.id, changes) as run:
        async for _ in run.events():
            pass
        return await log.get(None, run.loop.response.id)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("left", metavar="ID1")
@click.argument("right", metavar="ID2")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@database_option
@debug_flag
def diff(left: str, right: str, database: str | None, debug: bool, as_json: bool) -> None:
    """Compare two responses step by step, and mark the first difference.

    Each ID is the ID of a response, a unique beginning of it, or -1 for the newest one. Two directories of
    recordings are compared in the same way, call by call. The exit code is 1 if the steps differ.

    \b
    Examples:
      antiphon diff resp_18ecd12409 -1      compare a response with the newest one
      antiphon diff recordings/ recordings-new/
                                            compare two recorded runs
    """
    with one_line(debug):
        import msgspec

        from antiphon.cli.log.sides import side_by_side
        from antiphon.service.log.compare import compared

        if Path(left).is_dir() and Path(right).is_dir():
            one, other = _recorded(left), _recorded(right)
        else:
            one, other = with_store(database, lambda store: _both(store, left, right))
        comparison = compared(one, other)
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(comparison), indent=2).decode())
        else:
            click.echo(side_by_side(comparison))
    if comparison.first is not None:
        raise click.exceptions.Exit(1)


def _recorded(directory: str) -> "ComparedRun":
    from antiphon.cli.log.recorded import run_of_recordings
    from antiphon.recording.collection import read_calls

    problems: list[str] = []
    run = run_of_recordings(directory, read_calls(Path(directory), problems))
    for problem in problems:
        click.echo(f"antiphon: {problem}", err=True)
    return run


async def _both(store: "Store", left: str, right: str) -> "tuple[ComparedRun, ComparedRun]":
    from antiphon.service.log.compare import run_of
    from antiphon.service.log.entries import Log

    log = Log(store)
    one, other = [run_of(await log.get(None, await log.find(None, name))) for name in (left, right)]
    return one, other
