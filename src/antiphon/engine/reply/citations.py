"""Citations of search results in the text of an answer. Pure: feed deltas, get text and annotations."""

import re
from collections.abc import Iterable

import msgspec

from antiphon.engine.reply.links import LinkFinder, url_key
from antiphon.wire.content import Annotation, FileCitation, OutputText, UrlCitation
from antiphon.wire.items import FileSearchCall, Item, Message, WebSearchCall
from antiphon.wire.json import JSON

_MARK = re.compile(r" ?<\|([^<>|]+)\|>")
"""How models are told to cite files (`engine/hosted.py`), with the one space that most put before it."""
_WORD = re.compile(r"[\w-]+")


class Sources(msgspec.Struct, frozen=True):
    """What the text of an answer can cite."""

    titles: dict[str, str]
    """The title of each page by the `url_key` of its address."""
    files: dict[str, str]
    """The name of each file by its id."""


def sources_of(items: Iterable[Item]) -> Sources | None:
    """Returns what web and file searches among the items have found; None if they have found nothing.

    What earlier answers cite is a source, too: a caller may send them without the searches.
    """
    titles: dict[str, str] = {}
    files: dict[str, str] = {}
    for item in items:
        if isinstance(item, Message):
            if item.role == "assistant" and not isinstance(item.content, str):
                for part in item.content:
                    if isinstance(part, OutputText) and part.annotations:
                        _add_cited(titles, files, part.annotations)
        elif isinstance(item, WebSearchCall):
            action = item.action or {}
            for page in (*(item.results or ()), *_list(action.get("sources")), action):
                _add_page(titles, page)
        elif isinstance(item, FileSearchCall):
            for result in item.results or ():
                _add_file(files, result)
    return Sources(titles, files) if titles or files else None


def marked_text(part: OutputText) -> str:
    """Returns the text as the model wrote it: a mark stands again wherever the text cites a file.

    The model sees its own way of citing in its history. A file id that stands in the text has no mark.
    """
    pieces: list[str] = []
    done = 0
    citations = [note for note in part.annotations or () if isinstance(note, FileCitation)]
    for citation in sorted(citations, key=lambda note: note.index):
        start = max(citation.index, 0)
        if part.text.startswith(citation.file_id, start):
            continue
        pieces.append(part.text[done:start])
        done = max(done, start)
        before = pieces[-1] or (pieces[-2] if len(pieces) > 1 else "")
        pieces.append(f"{' ' if before and not before[-1].isspace() else ''}<|{citation.file_id}|>")
    return "".join([*pieces, part.text[done:]])


class Citer:
    """Finds the citations in the text of one content part, however it is cut into deltas.

    A mark `<|file id|>` is taken out of the text, with the space before it, and becomes a citation at that
    place. A mark that names no known file stays: it is not ours to drop what a model wrote. A file id that
    stands in the text as a word, and a link to a known page, stay and are cited. Indices are code points of
    the text without marks. Only what may become a mark is held back: never more than the longest mark.
    """

    def __init__(self, sources: Sources) -> None:
        self._files = sources.files
        self._held = ""
        self._length = 0
        self._links = LinkFinder(sources.titles) if sources.titles else None
        self._longest_id = max(map(len, sources.files), default=0)
        self._word = ""

    def feed(self, delta: str) -> tuple[str, list[Annotation]]:
        """Returns the text that is certain by now, and the annotations whose cited text has ended in it."""
        found: list[Annotation] = []
        if not self._files:
            self._scan(delta, found)
            return delta, found
        text = self._held + delta
        pieces: list[str] = []
        done = 0
        for mark in _MARK.finditer(text):
            file_id = mark[1]
            if file_id in self._files:
                pieces.append(text[done : mark.start()])
                self._scan(pieces[-1], found)
                found.append(self._file_citation(file_id, self._length))
                done = mark.end()
        certain = self._certain(text, done)
        pieces.append(text[done:certain])
        self._scan(pieces[-1], found)
        self._held = text[certain:]
        return "".join(pieces), found

    def flush(self) -> tuple[str, list[Annotation]]:
        """Returns what is held back, because the text has ended, and the last annotations."""
        text, self._held = self._held, ""
        found: list[Annotation] = []
        self._scan(text, found)
        last: list[FileCitation | UrlCitation] = []
        if self._word in self._files:
            last.append(self._file_citation(self._word, self._length - len(self._word)))
        if self._links is not None:
            last += self._links.flush()
        self._word = ""
        last.sort(key=_end)
        return text, [*found, *last]

    def _certain(self, text: str, done: int) -> int:
        """The length of `text` without an end that may be the beginning of a mark and the space before it."""
        start = text.rfind("<", done)
        if start < 0 or not self._may_be_mark(text[start:]):
            start = len(text)
        return start - 1 if start > done and text[start - 1] == " " else start

    def _may_be_mark(self, text: str) -> bool:
        if len(text) > self._longest_id + 3:
            return False
        return any(f"<|{file_id}|>".startswith(text) for file_id in self._files)

    def _scan(self, text: str, found: list[Annotation]) -> None:
        """Looks for citations that stay in the text, in its next piece."""
        ended: list[FileCitation | UrlCitation] = []
        if self._files:
            self._scan_words(text, ended)
        if self._links is not None:
            ended += self._links.feed(text)
        self._length += len(text)
        ended.sort(key=_end)  # The order in which they end does not hang on the deltas.
        found += ended

    def _scan_words(self, text: str, ended: list[FileCitation | UrlCitation]) -> None:
        """Looks for file ids among the words; a word at the end of the text may go on in the next piece."""
        text, start = self._word + text, self._length - len(self._word)
        self._word = ""
        for word in _WORD.finditer(text):
            if word.end() == len(text):
                self._word = word[0][: self._longest_id + 1]  # Cut, but still too long to be an id.
            elif word[0] in self._files:
                ended.append(self._file_citation(word[0], start + word.start()))

    def _file_citation(self, file_id: str, index: int) -> FileCitation:
        return FileCitation(file_id=file_id, filename=self._files[file_id], index=index)


def _end(citation: FileCitation | UrlCitation) -> int:
    if isinstance(citation, UrlCitation):
        return citation.end_index
    return citation.index + len(citation.file_id)


def _add_page(titles: dict[str, str], page: JSON) -> None:
    url, title = (page.get("url"), page.get("title")) if isinstance(page, dict) else (None, None)
    key = url_key(url) if isinstance(url, str) else None
    if key is None:
        return
    if isinstance(title, str) and title:
        titles[key] = title
    else:
        titles.setdefault(key, str(url))


def _add_file(files: dict[str, str], result: JSON) -> None:
    file_id, name = result.get("file_id"), result.get("filename")
    if isinstance(file_id, str) and file_id:
        files[file_id] = name if isinstance(name, str) else file_id


def _add_cited(titles: dict[str, str], files: dict[str, str], annotations: list[Annotation]) -> None:
    for note in annotations:
        if isinstance(note, FileCitation):
            files.setdefault(note.file_id, note.filename or note.file_id)
        elif isinstance(note, UrlCitation):
            _add_page(titles, {"url": note.url, "title": note.title})


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
