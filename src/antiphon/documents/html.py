"""Text extraction from HTML pages, without scripts and styles."""

import re

from lxml import etree
from lxml.html import HTMLParser

_SKIPPED = frozenset({"script", "style", "noscript", "template", "svg", "iframe", "object"})
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details"),
        *(
            "dialog",
            "dir",
            "div",
            "dl",
            "dt",
            "fieldset",
            "figcaption",
            "figure",
            "footer",
            "form",
            "h1",
            "h2",
        ),
        *(
            "h3",
            "h4",
            "h5",
            "h6",
            "head",
            "header",
            "hr",
            "html",
            "legend",
            "li",
            "main",
            "menu",
            "nav",
            "ol",
        ),
        *("option", "p", "pre", "section", "select", "summary", "table", "tbody", "textarea", "tfoot"),
        *("thead", "title", "tr", "ul"),
    }
)
_CELLS = frozenset({"td", "th"})


def html_text(data: bytes) -> str:
    """Return the text of a page: a line per block, tabs between the cells of a row."""
    try:
        data.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = None  # The parser uses the page's own declaration.
    # `huge_tree` stays off, since it would remove the parser's limits on depth and size.
    root = etree.fromstring(data, HTMLParser(encoding=encoding, remove_comments=True, remove_pis=True))
    if root is None:  # The page is empty.
        return ""
    return _tidied("".join(_texts(root)))


def _texts(root: etree._Element) -> list[str]:
    texts: list[str] = []
    skipped = 0
    # Iterative, because pages may be nested very deeply.
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            skipped += element.tag in _SKIPPED
            if not skipped:
                texts += (_break(element), _folded(element.text))
        else:
            if not skipped:
                texts.append(_break(element))
            skipped -= element.tag in _SKIPPED
            if not skipped:
                texts.append(_folded(element.tail))
    return texts


def _break(element: etree._Element) -> str:
    if element.tag in _CELLS:
        return "\t"
    return "\n" if element.tag in _BLOCKS else ""


def _folded(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""


def _tidied(text: str) -> str:
    """Remove empty lines, and white space at line ends and next to tabs."""
    lines = (re.sub(r" *\t[ \t]*", "\t", line).strip() for line in text.split("\n"))
    return "\n".join(re.sub(r" {2,}", " ", line) for line in lines if line)
