"""The command `antiphon doctor`, which checks an installation."""

import sys
from typing import TYPE_CHECKING

import click

from antiphon.cli.failures import debug_flag, one_line
from antiphon.cli.options import effective_settings, setting_flags
from antiphon.wire.json import JSON

if TYPE_CHECKING:
    from antiphon.doctor.findings import Section

_COLORS = {"ok": "green", "degraded": "yellow", "error": "red", "skipped": "bright_black"}


@click.command
@setting_flags
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="BACKEND/MODEL",
    help="Model to call; may be repeated. [default: a small one of each backend]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=20.0,
    show_default=True,
    help="Timeout of one check in seconds; a backend has four times as long.",
)
@click.option("--json", "as_json", is_flag=True, help="Findings as one JSON object.")
@debug_flag
def doctor(models: tuple[str, ...], timeout: float, as_json: bool, debug: bool, **flags: JSON) -> None:
    """Check settings, database, backends, tools and port.

    \b
    Examples:
      antiphon doctor                          check everything
      antiphon doctor --model ollama/qwen3:4b  call this model
      antiphon doctor --json                   findings for a program

    The command makes about ten tiny calls to one model of each backend, which may cost a fraction of a cent,
    and one web search. It changes nothing, and accepts the flags of serve. The exit code is 1 if there is an
    error; a degraded ability is none.
    """
    with one_line(debug):
        import asyncio

        import msgspec

        from antiphon.doctor.examine import examine

        settings = effective_settings(flags)
        show = (lambda _: None) if as_json else _show
        report = asyncio.run(examine(settings, models, timeout, show))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        click.echo(_summary(report.sections))
    sys.exit(1 if report.status == "error" else 0)


def _show(section: "Section") -> None:
    """Print a section, with the texts of others as plain text."""
    click.echo(_plain(f"{section.area} {section.subject}".rstrip()))
    for finding in section.findings:
        status = click.style(f"{finding.status:8}", fg=_COLORS[finding.status])
        click.echo(f"  {status}  {_plain(f'{finding.check}: {finding.message}')}", color=_color())
        if finding.fix is not None:
            click.echo(f"            {_plain(finding.fix)}")


def _summary(sections: "list[Section]") -> str:
    found = [finding.status for section in sections for finding in section.findings]
    counts = [(found.count("error"), "error"), (found.count("degraded"), "degraded")]
    named = [f"{count} {name}{'s' if name == 'error' and count != 1 else ''}" for count, name in counts]
    return ", ".join(named)


def _color() -> bool | None:
    """Return False if the user wants no colors; None lets the terminal decide."""
    import os

    return False if os.environ.get("NO_COLOR") else None


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
