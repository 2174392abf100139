"""Citations of search results in streamed text."""

import re
from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from antiphon.engine.reply.links import LinkFinder, url_key
from antiphon.wire.content import (
    Annotation,
    ContainerFileCitation,
    FileCitation,
    OutputText,
    UrlCitation,
)
from antiphon.wire.items import CodeInterpreterCall, FileSearchCall, Item, Message, WebSearchCall
from antiphon.wire.json import JSON

_MARK = re.compile(r" ?<\|([^<>|]+)\|>")
"""The mark with which models cite files (see `engine/hosted`), and a space before."""
_WORD = re.compile(r"[\w-]+")
_SANDBOX = "sandbox:"
"""The scheme with which models link files of containers."""
_DATA = "/mnt/data/"


_Citation = FileCitation | UrlCitation | ContainerFileCitation
"""A citation of a place in the text."""


class Sources(msgspec.Struct, frozen=True):
    """The sources that a text can cite."""

    titles: dict[str, str]
    """The title of each page, by the `url_key` of its URL."""
    files: dict[str, str]
    """The name of each file, by its ID."""
    written: dict[str, ContainerFileCitation] = {}
    """The citation of each file of a container, by its path and without indices."""
    charts: list[ContainerFileCitation] = []
    """The charts that the text follows, which need no link."""


def sources_of(items: Iterable[Item]) -> Sources | None:
    """Return the results of the web and file searches among the items, or None.

    The citations of earlier messages are sources too, since a client may send these without the searches.
    """
    titles: dict[str, str] = {}
    files: dict[str, str] = {}
    written: dict[str, ContainerFileCitation] = {}
    charts: list[ContainerFileCitation] = []
    for item in items:
        if isinstance(item, Message):
            charts = []
            if item.role == "assistant" and not isinstance(item.content, str):
                for part in item.content:
                    if isinstance(part, OutputText) and part.annotations:
                        _add_cited(titles, files, part.annotations)
                        _add_linked(written, part.annotations)
        elif isinstance(item, WebSearchCall):
            action = item.action or {}
            for page in (*(item.results or ()), *_list(action.get("sources")), action):
                _add_page(titles, page)
        elif isinstance(item, FileSearchCall):
            for result in item.results or ():
                _add_file(files, result)
        elif isinstance(item, CodeInterpreterCall):
            for output in item.outputs or ():
                _add_written(written, charts, item, output)
    return Sources(titles, files, written, charts) if titles or files or written else None


def marked_text(part: OutputText) -> str:
    """Return the text as the model wrote it, with a mark for each file citation.

    In its history, the model sees its own form of citations. A file ID in the text has no mark.
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
    """An incremental search for the citations in the text of one content part.

    A mark `<|file ID|>` is removed from the text, with a space before it, and becomes a citation at its
    position. A mark for an unknown file remains, since the model may mean anything else by it. A file ID that
    is a word of the text, and a link to a known page, remain and are cited. Indices are code points of the
    text without marks. Only a possible mark is held back, so at most the length of the longest mark.
    """

    def __init__(self, sources: Sources) -> None:
        self._files = sources.files
        self._written = _WrittenFinder(sources.written) if sources.written else None
        self._charts = sources.charts
        self._held = ""
        self._length = 0
        self._links = LinkFinder(sources.titles) if sources.titles else None
        self._longest_id = max(map(len, sources.files), default=0)
        self._word = ""

    def feed(self, delta: str) -> tuple[str, list[Annotation]]:
        """Return the text that is certain now, and the annotations that it completes."""
        found: list[Annotation] = [*self._charts]
        self._charts = []
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
        """Return the text held back and the last annotations, at the end of the text."""
        text, self._held = self._held, ""
        found: list[Annotation] = []
        self._scan(text, found)
        last: list[_Citation] = []
        if self._word in self._files:
            last.append(self._file_citation(self._word, self._length - len(self._word)))
        if self._links is not None:
            last += self._links.flush()
        if self._written is not None:
            last += self._written.flush()
        self._word = ""
        last.sort(key=_end)
        return text, [*found, *last]

    def _certain(self, text: str, done: int) -> int:
        """Return the length of `text` without a possible start of a mark and its space."""
        start = text.rfind("<", done)
        if start < 0 or not self._may_be_mark(text[start:]):
            start = len(text)
        return start - 1 if start > done and text[start - 1] == " " else start

    def _may_be_mark(self, text: str) -> bool:
        if len(text) > self._longest_id + 3:
            return False
        return any(f"<|{file_id}|>".startswith(text) for file_id in self._files)

    def _scan(self, text: str, found: list[Annotation]) -> None:
        """Find the citations that remain in the text, in the next part of it."""
        ended: list[_Citation] = []
        if self._files:
            self._scan_words(text, ended)
        if self._written is not None:
            ended += self._written.feed(text)
        if self._links is not None:
            ended += self._links.feed(text)
        self._length += len(text)
        ended.sort(key=_end)  # The order must not depend on how the stream splits the text.
        found += ended

    def _scan_words(self, text: str, ended: list[_Citation]) -> None:
        """Find file IDs among the words; a last word may continue in the next part."""
        text, start = self._word + text, self._length - len(self._word)
        self._word = ""
        for word in _WORD.finditer(text):
            if word.end() == len(text):
                self._word = word[0][: self._longest_id + 1]  # Truncated, but still too long to be an ID.
            elif word[0] in self._files:
                ended.append(self._file_citation(word[0], start + word.start()))

    def _file_citation(self, file_id: str, index: int) -> FileCitation:
        return FileCitation(file_id=file_id, filename=self._files[file_id], index=index)


class _WrittenFinder:
    """An incremental search for links to files of containers, `sandbox:/mnt/data/name`.

    A citation covers the address, like at api.openai.com. It is returned once the next character is known.
    """

    def __init__(self, written: dict[str, ContainerFileCitation]) -> None:
        forms = {form: path for path in written for form in (path, quote(path))}
        self._files = {_SANDBOX + form: written[path] for form, path in forms.items()}
        longest_first = sorted(self._files, key=len, reverse=True)
        self._form = re.compile(rf"(?:{'|'.join(map(re.escape, longest_first))})(?![\w/-])")
        self._longest = len(longest_first[0])
        self._recent = ""
        self._start = 0

    def feed(self, text: str) -> list[ContainerFileCitation]:
        """Process text, and return the citations that are certain now."""
        text = self._recent + text
        found: list[ContainerFileCitation] = []
        done = max(len(text) - self._longest, 0)
        for match in self._form.finditer(text):
            if match.end() < len(text) and not self._may_be_longer(text[match.start() :], match[0]):
                found.append(self._citation(match))
                done = max(done, match.end())
            else:
                done = min(done, match.start())
        self._recent = text[done:]
        self._start += done
        return found

    def flush(self) -> list[ContainerFileCitation]:
        """Return the citation that ends with the text."""
        found = [self._citation(match) for match in self._form.finditer(self._recent)]
        self._recent = ""
        return found

    def _may_be_longer(self, text: str, form: str) -> bool:
        """Return whether the text, which begins with a form, may turn out to begin with a longer one."""
        return any(len(other) > len(form) and other.startswith(text) for other in self._files)

    def _citation(self, match: re.Match[str]) -> ContainerFileCitation:
        start, end = self._start + match.start(), self._start + match.end()
        return msgspec.structs.replace(self._files[match[0]], start_index=start, end_index=end)


def _end(citation: _Citation) -> int:
    if isinstance(citation, UrlCitation | ContainerFileCitation):
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


def _add_linked(written: dict[str, ContainerFileCitation], annotations: list[Annotation]) -> None:
    for note in annotations:
        if isinstance(note, ContainerFileCitation) and note.end_index:
            written.setdefault(_DATA + note.filename, note)


def _add_written(
    written: dict[str, ContainerFileCitation],
    charts: list[ContainerFileCitation],
    item: CodeInterpreterCall,
    output: JSON,
) -> None:
    for file in _list(output.get("files")) if isinstance(output, dict) else ():
        if not isinstance(file, dict):
            continue
        file_id, path = file.get("file_id"), file.get("path")
        if isinstance(file_id, str) and isinstance(path, str) and path.startswith(_DATA):
            name = path.removeprefix(_DATA)
            citation = ContainerFileCitation(
                container_id=item.container_id, file_id=file_id, filename=name, start_index=0, end_index=0
            )
            written[path] = citation
            if name == f"{file_id}.png":
                charts.append(citation)


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
