"""Generator for parts of the documentation.

It runs as `python -m scripts.docs` or `make docs`. A generated part is between `<!-- begin NAME -->` and
`<!-- end NAME -->` in README.md or docs/*.md.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import get_args

import click
from msgspec.structs import asdict

from antiphon.cli import antiphon
from antiphon.cli.options import default_text
from antiphon.cli.recordings import recordings
from antiphon.dialects.llama_stack import DIFFERENCES, Era
from antiphon.observe.fields import FIELDS
from antiphon.observe.telemetry import names, series
from antiphon.settings.backends import BACKEND_SETTINGS, CAPABILITIES, PRESETS
from antiphon.settings.moderation import CHECK_SETTINGS, MODERATION_SETTINGS
from antiphon.settings.schema import SETTINGS
from antiphon.settings.tools import (
    CODE_INTERPRETER_SETTINGS,
    FILE_SEARCH_SETTINGS,
    IMAGE_GENERATION_SETTINGS,
    MCP_SERVER_SETTINGS,
    TOOLS_SETTINGS,
    WEB_SEARCH_SETTINGS,
)
from antiphon.settings.values import Setting, kind_text
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from scripts.install_size import dependencies

ROOT = Path(__file__).resolve().parent.parent
HELP_WIDTH = 100

_PART = re.compile(r"(<!-- begin (?P<name>\w+) -->\n).*?(<!-- end (?P=name) -->)", re.DOTALL)


def pages(root: Path) -> list[Path]:
    """Return the Markdown files that may contain generated parts."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def parts(text: str) -> set[str]:
    """Return the names of the generated parts of a page."""
    return {match["name"] for match in _PART.finditer(text)}


def fill(text: str) -> str:
    """Return the page with every generated part replaced.

    Raises:
        KeyError: The page names an unknown part.
    """
    return _PART.sub(lambda match: match[1] + GENERATORS[match["name"]]() + match[3], text)


def commands() -> str:
    """Return the help text of the program and of each of its commands."""
    return "".join(
        f"## {name}\n\n```text\n{_help(name, command)}\n```\n\n"
        for name, command in _commands("antiphon", antiphon)
    )


def recordings_commands() -> str:
    """Return the table of the commands for recordings."""
    rows = [
        [f"`antiphon recordings {name}`", command.get_short_help_str(HELP_WIDTH)]
        for name, command in sorted(recordings.commands.items())
    ]
    return _table(["command", "description"], rows)


def dependency_sizes() -> str:
    """Return the table of the packages of a plain installation, with their sum."""
    known = sorted(dependencies().items(), key=lambda entry: -entry[1].megabytes)
    rows = [[f"`{name}`", f"{entry.megabytes:.1f}", entry.why] for name, entry in known]
    total = sum(entry.megabytes for _, entry in known)
    return _table(["package", "MB", "reason"], [*rows, ["all", f"{total:.1f}", ""]])


def _commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all its subcommands, with their full names."""
    yield name, command
    if isinstance(command, click.Group):
        for inner, each in command.commands.items():
            yield from _commands(f"{name} {inner}", each)


def _help(name: str, command: click.Command) -> str:
    width = HELP_WIDTH
    context = click.Context(
        command, info_name=name, terminal_width=width, max_content_width=width, **antiphon.context_settings
    )
    return "\n".join(line.rstrip() for line in command.get_help(context).splitlines())


def settings() -> str:
    """Return the table of the server's settings."""
    rows = [
        [f"`{each.key}`", f"`{each.flag}`", f"`{each.env}`", kind_text(each), default_text(each), each.doc]
        for each in SETTINGS
    ]
    return _table(["key", "flag", "variable", "value", "default", "meaning"], rows)


def backend_settings() -> str:
    """Return the table of the keys of `[models.NAME]`, without capability switches."""
    return _keys(BACKEND_SETTINGS)


def tools_settings() -> str:
    """Return the table of the keys of `[tools]`."""
    return _keys(TOOLS_SETTINGS)


def web_search_settings() -> str:
    """Return the table of the keys of `[tools.web_search]`."""
    providers = "|".join(provider.name for provider in SEARCH_PROVIDERS)
    return _keys(_without_limits(WEB_SEARCH_SETTINGS), {"provider": providers})


def image_generation_settings() -> str:
    """Return the table of the keys of `[tools.image_generation]`."""
    return _keys(IMAGE_GENERATION_SETTINGS)


def mcp_settings() -> str:
    """Return the table of the keys of `[tools.mcp.NAME]`."""
    return _keys(_without_limits(MCP_SERVER_SETTINGS))


def file_search_settings() -> str:
    """Return the table of the keys of `[tools.file_search]`."""
    return _keys(_without_limits(FILE_SEARCH_SETTINGS))


def moderation_settings() -> str:
    """Return the table of the keys of `[moderation]`."""
    return _keys(MODERATION_SETTINGS)


def check_settings() -> str:
    """Return the table of the keys of `[moderation.checks.NAME]`."""
    return _keys(CHECK_SETTINGS)


def code_interpreter_settings() -> str:
    """Return the table of the keys of `[tools.code_interpreter]`."""
    return _keys(CODE_INTERPRETER_SETTINGS)


def _without_limits(settings: Iterable[Setting]) -> list[Setting]:
    """Return the settings of a tool that are not inherited from `[tools]`."""
    return [each for each in settings if each not in TOOLS_SETTINGS]


def _keys(settings: Iterable[Setting], values: Mapping[str, str] | None = None) -> str:
    """Return the table of some keys.

    Args:
        settings: Settings with these keys.
        values: Texts of values by key, where they do not follow from the type.
    """
    texts = values or {}
    rows = [
        [f"`{each.name}`", texts.get(each.name, kind_text(each)), default_text(each), each.doc]
        for each in settings
    ]
    return _table(["key", "value", "default", "meaning"], rows)


def capabilities() -> str:
    """Return the table of the capability switches and their presets."""
    rows = [
        [f"`{each.name}`", each.doc, *(_value(asdict(preset)[each.name]) for preset in PRESETS.values())]
        for each in CAPABILITIES
    ]
    return _table(["key", "meaning", *(f"`{kind}`" for kind in PRESETS)], rows)


def dialects() -> str:
    """Return the table of the differences between llama-stack and OpenAI."""
    rows = [
        [each.what, *("yes" if era in each.eras else "no" for era in get_args(Era)), each.reason]
        for each in DIFFERENCES
    ]
    return _table(["difference", *(f"`{era}`" for era in get_args(Era)), "reason"], rows)


def log_fields() -> str:
    """Return the table of the fields of log lines."""
    return _table(
        ["field", "lines", "meaning"], [[f"`{each.name}`", each.lines, each.meaning] for each in FIELDS]
    )


def metrics() -> str:
    """Return the table of the metrics for Prometheus."""
    rows = [
        [f"`{each.shown}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.meaning]
        for each in series.ALL
    ]
    return _table(["metric", "type", "labels", "meaning"], rows)


def spans() -> str:
    """Return the table of the spans."""
    return _table(["span", "meaning"], [[f"`{each.name}`", each.meaning] for each in names.SPANS])


def span_attributes() -> str:
    """Return the table of the attributes of spans."""
    return _table(["attribute", "value"], [[f"`{each.name}`", each.meaning] for each in names.ATTRIBUTES])


def otlp_metrics() -> str:
    """Return the table of the metrics that OTLP exporters send."""
    rows = [
        [f"`{each.name}`", f"`{each.latest or each.name}`", each.unit, each.meaning]
        for each in names.OTLP_METRICS
    ]
    return _table(["metric", "latest name", "unit", "meaning"], rows)


def _value(value: bool | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    # A bar would end its cell.
    lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)
    return "\n".join(lines) + "\n"


GENERATORS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "recordings_commands": recordings_commands,
    "settings": settings,
    "backend_settings": backend_settings,
    "tools_settings": tools_settings,
    "web_search_settings": web_search_settings,
    "image_generation_settings": image_generation_settings,
    "mcp_settings": mcp_settings,
    "file_search_settings": file_search_settings,
    "moderation_settings": moderation_settings,
    "check_settings": check_settings,
    "code_interpreter_settings": code_interpreter_settings,
    "capabilities": capabilities,
    "dialects": dialects,
    "log_fields": log_fields,
    "metrics": metrics,
    "spans": spans,
    "span_attributes": span_attributes,
    "otlp_metrics": otlp_metrics,
    "dependency_sizes": dependency_sizes,
}


def main() -> None:
    """Write all generated parts."""
    for page in pages(ROOT):
        text = page.read_text(encoding="utf-8")
        page.write_text(fill(text), encoding="utf-8")


if __name__ == "__main__":
    main()
