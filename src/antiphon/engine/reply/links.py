"""Detection of links to known sources in streamed text."""

import re
from collections import deque
from urllib.parse import parse_qsl, unquote, urlsplit

from antiphon.wire.content import UrlCitation

MAX_URL = 4096
"""The longest URL to detect, in code points."""

_MAX_BRACKETS = 16
_SCHEMES = ("https://", "http://")
_LONGEST = len(_SCHEMES[0])
_ENDS = frozenset('<>"`|\\^{}。，、；：！？（）「」『』【】《》')
"""Characters that end a URL, besides white space and an unmatched closing bracket."""
_TRAILING = ".,;:!?'*_~"
"""Characters that end a sentence and not its URL, unless the source's has them."""
_TELLING = re.compile(r"[\[\](/\n]")
"""The characters to examine outside of URLs; all other text is skipped."""
_OPENING = {")": "(", "]": "["}


def url_key(url: str) -> str | None:
    """Return a key that is equal for equivalent URLs; None for an invalid URL.

    It ignores the scheme, a slash at the end, the fragment, `utm_` parameters and percent-encoding.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # The URL has an invalid IPv6 address.
        return None
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = "&".join(f"{name}={value}" for name, value in query if not name.startswith("utm_"))
    return f"{parts.netloc.lower()}{unquote(parts.path).rstrip('/')}?{kept}"


class LinkFinder:
    """An incremental search for links to known pages.

    A link is `[title](url)`, also in parentheses that contain nothing else, or a bare URL. A citation covers
    the whole link and has the URL as in the text, like at api.openai.com; its title is the page's. It is
    returned as soon as the end of the link is certain.

    Args:
        titles: The title of each known page, by the `url_key` of its URL.
    """

    def __init__(self, titles: dict[str, str]) -> None:
        self._titles = titles
        self._at = 0
        self._recent = ""
        # Brackets: the start of each, and whether it follows a parenthesis.
        self._brackets: deque[tuple[int, bool]] = deque(maxlen=_MAX_BRACKETS)
        self._label = (0, False)
        self._label_end: int | None = None
        # The position of a URL that belongs to `_label`.
        self._target: int | None = None
        self._url: list[str] | None = None
        self._url_start = 0
        self._nested: list[str] = []
        # A citation that depends on the next character, and the character that would change it.
        self._pending: tuple[str, UrlCitation] | None = None

    def feed(self, text: str) -> list[UrlCitation]:
        """Process text, and return the citations that are certain now."""
        found: list[UrlCitation] = []
        start = 0
        while start < len(text):
            if self._url is None and self._pending is None:
                telling = _TELLING.search(text, start)
                end = telling.start() if telling else len(text)
                self._pass(text[start:end])
                start = end
            if start < len(text):
                self._take(text[start], found)
                start += 1
        return found

    def flush(self) -> list[UrlCitation]:
        """Return the citations that end with the text."""
        found: list[UrlCitation] = []
        if self._url is not None:
            self._end_url("", found)
        if self._pending is not None:
            self._decide("", found)
        return found

    def _take(self, character: str, found: list[UrlCitation]) -> None:
        if self._pending is not None:
            self._decide(character, found)
        if self._url is None:
            self._outside(character)
        else:
            self._inside(character, found)
        self._pass(character)

    def _pass(self, text: str) -> None:
        self._recent = (self._recent + text[-_LONGEST:])[-_LONGEST:]
        self._at += len(text)

    def _outside(self, character: str) -> None:
        if character == "[":
            self._brackets.append((self._at, self._recent.endswith("(")))
        elif character == "]":
            if self._brackets:
                self._label, self._label_end = self._brackets.pop(), self._at
        elif character == "(":
            if self._label_end == self._at - 1:
                self._target = self._at + 1
        elif character == "/":
            written = self._recent + character
            scheme = next((scheme for scheme in _SCHEMES if written.lower().endswith(scheme)), None)
            if scheme is not None:
                self._url = [written[-len(scheme) :]]
                self._url_start = self._at + 1 - len(scheme)
        elif character == "\n":
            self._brackets.clear()

    def _inside(self, character: str, found: list[UrlCitation]) -> None:
        opening = _OPENING.get(character)
        unbalanced = opening is not None and self._nested[-1:] != [opening]
        if unbalanced or character.isspace() or character in _ENDS:
            self._end_url(character, found)
            self._outside(character)
            return
        if opening is not None:
            self._nested.pop()
        elif character in "([":
            self._nested.append(character)
        assert self._url is not None
        self._url.append(character)
        if len(self._url) > MAX_URL:
            self._url, self._nested = None, []

    def _end_url(self, character: str, found: list[UrlCitation]) -> None:
        """End the URL before `character`."""
        url = "".join(self._url or ())
        self._url, self._nested = None, []
        if character == ")" and self._url_start == self._target:
            (start, in_parentheses), end = self._label, self._at + 1
            citation = self._citation(url, start, end)
            waits_for = ")" if in_parentheses else ""
        else:
            bare = url.rstrip(_TRAILING)
            start = self._url_start
            citation = self._citation(url, start, start + len(url)) or self._citation(
                bare, start, start + len(bare)
            )
            # A URL that is the title of a link isn't a citation of its own.
            waits_for = "(" if character == "]" else ""
        if citation is None:
            return
        if waits_for:
            self._pending = (waits_for, citation)
        else:
            found.append(citation)

    def _citation(self, url: str, start: int, end: int) -> UrlCitation | None:
        key = url_key(url)
        if key is None or key not in self._titles:
            return None
        return UrlCitation(start_index=start, end_index=end, title=self._titles[key], url=url)

    def _decide(self, character: str, found: list[UrlCitation]) -> None:
        """Complete the pending citation, which depends on `character`."""
        assert self._pending is not None
        (awaited, citation), self._pending = self._pending, None
        if character != awaited:
            found.append(citation)
        elif awaited == ")":
            citation.start_index -= 1
            citation.end_index += 1
            found.append(citation)
