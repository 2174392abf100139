"""The command `antiphon logs`, which lists responses and refused requests."""

import re
import time
from typing import TYPE_CHECKING

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.log.layout import colored, cut, duration, has_color, moment, printable, width
from antiphon.cli.log.opening import database_option, with_store

if TYPE_CHECKING:
    from antiphon.service.log.entries import Log
    from antiphon.store import Store
    from antiphon.store.log.rows import LogQuery
    from antiphon.wire.log import LogEntry

SHORT_ID = 22
"""Characters of an ID in a list: they contain the time and a random part."""
_MOST = 10_000
_POLL = 0.5
"""Seconds between two looks for new lines."""
_FOLLOWED = 200
"""The most lines of one look."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_RUNNING = ("queued", "in_progress")


class Since(click.ParamType[float]):
    """A duration before now, such as `90s`, `15m`, `1h`, `7d`, or a date or time in ISO 8601."""

    name = "time"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time in seconds since 1970."""
        if isinstance(value, float):
            return value
        if found := re.fullmatch(r"(\d{1,9})([smhdw])", value):
            return time.time() - int(found[1]) * _UNITS[found[2]]
        from datetime import datetime

        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            self.fail(f"{value!r} is not a duration such as 1h, nor a time such as 2026-11-30T12:00", param)


@click.command
@click.option("-f", "--follow", is_flag=True, help="Wait for further lines until interrupted.")
@click.option(
    "-n", "--number", type=click.IntRange(1, _MOST), default=20, show_default=True, help="Number of lines."
)
@click.option("--model", help="Model of the request, as the client named it.")
@click.option(
    "--status", help="Status: completed, failed, incomplete, cancelled, in_progress, queued, refused."
)
@click.option("--tool", help="Name of a tool that was called.")
@click.option("--conversation", "conversation_id", metavar="ID", help="Conversation of the responses.")
@click.option("--key", "key_name", metavar="NAME", help="Name of the API key.")
@click.option("--since", type=Since(), help="Age or time from which on lines are listed, such as 1h.")
@click.option("-q", "--query", "text", help="Words in inputs and outputs; the last one may be cut off.")
@click.option("--errors", is_flag=True, help="Only failed, incomplete, cancelled and refused ones.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@database_option
@debug_flag
def logs(
    follow: bool,
    number: int,
    as_json: bool,
    database: str | None,
    debug: bool,
    **conditions: str | float | None,
) -> None:
    """List the last responses and refused requests, the newest at the end.

    \b
    Examples:
      antiphon logs -f                        show each response when it ends
      antiphon logs --errors --since 1d       list the failures of one day
      antiphon logs -q "ferry timetable"      search inputs and outputs
      antiphon logs --tool web_search --json  list as JSON, one object per line

    The columns are time, ID, status, model, duration, time to the first token, input and output tokens,
    tools, and the last input. The command reads the server's database, whether or not the server runs.
    """
    with one_line(debug):
        import msgspec

        from antiphon.store.log.rows import LogQuery

        query = msgspec.structs.replace(LogQuery(limit=number), **conditions)
        try:
            with_store(database, lambda store: _list(store, query, follow=follow, as_json=as_json))
        except KeyboardInterrupt:
            if not follow:
                raise


async def _list(store: "Store", query: "LogQuery", *, follow: bool, as_json: bool) -> None:
    from antiphon.service.log.entries import Log

    log = Log(store)
    began = time.time()
    found = (await log.page(query)).data
    _print(found[::-1], as_json=as_json)
    if not found and not follow:
        click.echo("antiphon: no lines; the log has the responses of this database", err=True)
    if follow:
        await _follow(log, query, found, began, as_json=as_json)


async def _follow(
    log: "Log", query: "LogQuery", printed: "list[LogEntry]", began: float, *, as_json: bool
) -> None:
    """Print responses when they end, and refused requests."""
    import asyncio

    import msgspec

    wants_running = query.status in _RUNNING
    running = [entry.created_at for entry in printed if entry.status in _RUNNING]
    done = {entry.id for entry in printed if wants_running or entry.status not in _RUNNING}
    since = min([began - 1, *running])
    while True:
        await asyncio.sleep(_POLL)
        recent = msgspec.structs.replace(query, since=max(since, query.since or 0), limit=_FOLLOWED)
        found = (await log.page(recent)).data
        new = [
            entry
            for entry in reversed(found)
            if entry.id not in done and (wants_running or entry.status not in _RUNNING)
        ]
        _print(new, as_json=as_json)
        done = (done | {entry.id for entry in new}) & {entry.id for entry in found} | {
            entry.id for entry in new
        }


def _print(entries: "list[LogEntry]", *, as_json: bool) -> None:
    import msgspec

    is_colored, columns = has_color(), width()
    for entry in entries:
        click.echo(
            msgspec.json.encode(entry).decode() if as_json else line(entry, columns, is_colored=is_colored)
        )


def line(entry: "LogEntry", columns: int, *, is_colored: bool = False) -> str:
    """Return a line of the list, of at most some columns."""
    summary = entry.summary
    tokens = "-" if summary.input is None else f"{summary.input}->{summary.output}"
    error = summary.error
    text = summary.text
    if error is not None:
        text = f"{error.code or error.type}: {error.message or ''}"
    cells = [
        f"{moment(entry.created_at):>11}",
        entry.id[:SHORT_ID].ljust(SHORT_ID),
        entry.status.ljust(11),
        cut(printable(entry.model) or "-", 24).ljust(16),
        f"{duration(summary.seconds):>7}",
        f"{duration(summary.first):>6}",
        f"{tokens:>9}",
    ]
    if summary.tools:
        cells.append(cut(printable(",".join(summary.tools)), 40))
    plain = cut("  ".join([*cells, printable(text)]).rstrip(), columns)
    head = "  ".join(cells[:2]) + "  "
    return head + colored(cells[2], entry.status, is_colored=is_colored) + plain[len(head) + len(cells[2]) :]
