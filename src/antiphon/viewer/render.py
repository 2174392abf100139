"""Rendering of templates, which escape every text."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from antiphon.viewer import items, text
from antiphon.viewer.markdown import markdown

_FOLDER = Path(__file__).parent
STATIC = _FOLDER / "static"
"""Folder of the style sheet and the script."""


def render(template: str, values: dict[str, object]) -> str:
    """Return a template of this package with values."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "blocks": items.blocks,
        "cut": text.cut,
        "duration": text.duration,
        "excerpt": text.excerpt,
        "iso": text.iso,
        "markdown": markdown,
        "moment": text.moment,
        "plain": text.plain,
        "pretty": text.pretty,
        "size": text.size,
        "title": items.title,
    }
    return environment
