"""Extraction of a web page's title, readable text and links."""

import codecs
import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lxml import etree
from lxml.html import HTMLParser

from antiphon.net.fetch import Fetched

_SKIPPED = frozenset(
    {
        *("script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "head"),
        *("nav", "footer", "aside", "form", "button", "select", "dialog"),
    }
)
"""Elements without text, and those for navigation instead of content."""
_BLOCKS = frozenset(
    {
        *(
            "address",
            "article",
            "blockquote",
            "br",
            "caption",
            "dd",
            "details",
            "div",
            "dl",
            "dt",
            "figcaption",
        ),
        *("figure", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre"),
        *("section", "summary", "table", "tr", "ul"),
    }
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = re.compile(r"text/.*|application/(?:.*[+])?(?:json|xml|yaml|javascript)|application/x-ndjson|")

_CHARSET = re.compile(
    r"(?:us-)?ascii|(?:iso-|latin|windows-|cp|koi8-|utf-16|shift|euc-|gb|big5|mac)[a-z0-9_-]{0,20}"
)
"""Supported text encodings; some others of Python take quadratic time."""


@dataclass(frozen=True)
class Readable:
    """The title and text of a page."""

    title: str | None
    """The title of an HTML page, at most 500 characters."""
    text: str
    """The readable text; may be empty."""


def readable(page: Fetched, max_characters: int) -> Readable | None:
    """Return the text of an HTML page or of plain text; None for anything else.

    Headings, list items and paragraphs have their own lines. Links have the form `[text](url)` with absolute
    URLs. The text ends after `max_characters`.
    """
    if page.content_type in _HTML:
        return _html(page, max_characters)
    if not _TEXT.fullmatch(page.content_type) or b"\x00" in page.body[:1024]:
        return None
    text = decoded_text(page)
    return Readable(None, (page.body.decode("utf-8", "replace") if text is None else text)[:max_characters])


def _html(page: Fetched, max_characters: int) -> Readable:
    text = decoded_text(page)
    body, encoding = (page.body, None) if text is None else (text.encode("utf-8", "replace"), "utf-8")
    # Without an encoding the parser uses the page's own declaration. `huge_tree` stays off, since it
    # would remove the parser's limits on depth and size.
    parser = HTMLParser(encoding=encoding, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError:  # The page has only white space.
        root = None
    if root is None:
        return Readable(None, "")
    title = _folded(root.findtext(".//title")).strip()
    found = "".join(_Walk(page.url, max_characters).texts(root))
    lines = (" ".join(line.split()) for line in found.split("\n"))
    return Readable(title[:500] or None, "\n".join(line for line in lines if line)[:max_characters])


class _Walk:
    """One traversal of a page, iterative because pages may be nested very deeply."""

    def __init__(self, base: str, max_characters: int) -> None:
        self._base = base
        self._left = max_characters
        self._skipped = 0
        self._links: list[str | None] = []

    def texts(self, root: etree._Element) -> list[str]:
        found: list[str] = []
        for event, element in etree.iterwalk(root, events=("start", "end")):
            new = self._start(element) if event == "start" else self._end(element)
            found.append(new)
            self._left -= len(new.strip())
            if self._left < 0:
                break
        return found

    def _start(self, element: etree._Element) -> str:
        self._skipped += element.tag in _SKIPPED
        opening = ""
        if element.tag == "a":
            self._links.append(self._target(element))
            opening = "[" if self._links[-1] else ""
        if self._skipped:
            return ""
        return f"{_break(element)}{_HEADINGS.get(str(element.tag), '')}{opening}{_folded(element.text)}"

    def _end(self, element: etree._Element) -> str:
        link = self._links.pop() if element.tag == "a" else None
        closing = "" if self._skipped else f"{f']({link})' if link else ''}{_break(element)}"
        self._skipped -= element.tag in _SKIPPED
        return closing if self._skipped else closing + _folded(element.tail)

    def _target(self, element: etree._Element) -> str | None:
        """Return the absolute URL of a link to another web page, or None."""
        href = element.get("href", "").strip()
        if not href or href.startswith("#"):
            return None
        try:
            url = urljoin(self._base, href)
            return url if urlsplit(url).scheme in ("http", "https") else None
        except ValueError:
            return None


def _break(element: etree._Element) -> str:
    if element.tag in ("td", "th"):
        return " "
    return "\n" if element.tag in _BLOCKS else ""


def _folded(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""


def decoded_text(page: Fetched) -> str | None:
    """Return the text, decoded as UTF-8 or by the server's charset, or None."""
    try:
        # A truncated body may end in the middle of a character.
        return codecs.getincrementaldecoder("utf-8")().decode(page.body, final=page.is_whole)
    except UnicodeDecodeError:
        pass
    if page.charset is None or not _CHARSET.fullmatch(page.charset.lower()):
        return None
    try:
        return page.body.decode(page.charset, "replace")
    except LookupError:
        return None
