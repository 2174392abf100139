"""Markdown of models and clients as safe HTML."""

from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

_MOST = 20_000
"""Characters of a text from which on it is shown as it is, because parsing takes too long."""
_TAGS = frozenset(
    {
        *("a", "blockquote", "br", "code", "del", "em", "hr", "li", "ol", "p", "pre", "s", "strong", "ul"),
        *("h1", "h2", "h3", "h4", "h5", "h6"),
        *("table", "tbody", "td", "th", "thead", "tr"),
    }
)
_ATTRIBUTES = {"a": {"href", "title"}, "code": {"class"}, "ol": {"start"}}
_SCHEMES = frozenset({"http", "https", "mailto"})


def markdown(text: str) -> Markup:
    """Return a text as HTML that runs nothing and loads nothing.

    HTML in the text is text, images are links, and links other than those of the web and of mail lead
    nowhere. The parser already omits everything else; the sanitizer makes sure of it.
    """
    if len(text) > _MOST:
        return Markup("<pre>{}</pre>").format(text)
    try:
        rendered: str = _parser().render(text)
    except RecursionError:
        return Markup("<pre>{}</pre>").format(escape(text))
    # The sanitizer's output is safe: it keeps only these tags and attributes.
    return Markup(  # noqa: S704
        nh3.clean(
            rendered,
            tags=set(_TAGS),
            attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
            url_schemes=set(_SCHEMES),
            url_relative="deny",
            link_rel="noopener noreferrer nofollow",
        )
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False})
    return parser.enable(["table", "strikethrough"]).disable("image")
