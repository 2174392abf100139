"""The process that reads a PDF.

Usage: `python -m antiphon.documents.pdf FILE MAX_CHARACTERS`.

The process writes the text of the pages to standard output, as pypdf returns it, with a line break between
pages. Pages that position each word by itself, as those of Google Docs do, are read by the places of their
words. If the file can't be read, it writes the reason there instead and exits with 2.
"""

import logging
import re
import sys
from pathlib import Path

from pypdf import PageObject, PdfReader
from pypdf.errors import FileNotDecryptedError, PyPdfError

MAX_PAGES = 5000
_MEMORY = 2 * 1024**3
"""Memory limit in bytes: pages may decompress to many times their size."""
_SECONDS = 60
_MANY_LINES = 5
_MOST = 0.6
"""Share of the lines that hold a single word, from which on a page is read by the places of its words."""


class _Unreadable(Exception):
    """An unreadable PDF; the text is the reason."""


def pdf_text(path: Path, max_characters: int) -> str:
    """Return the text of a PDF."""
    reader = PdfReader(path)
    if len(reader.pages) > MAX_PAGES:
        raise _Unreadable(f"it has more than {MAX_PAGES} pages")
    pages: list[str] = []
    size = 0
    for page in reader.pages:
        pages.append(_page_text(page))
        size += len(pages[-1]) + 1
        if size > max_characters:
            raise _Unreadable(f"it has more than {max_characters:,} characters")
    return "\n".join(pages)


def _page_text(page: PageObject) -> str:
    """Return the text of a page.

    pypdf's plain mode breaks the line at each word that has a text object of its own. Its layout mode, which
    compares the places of words on the page, is slower and fails for some fonts.
    """
    plain = page.extract_text()
    lines = [line.split() for line in plain.splitlines() if line.strip()]
    single = sum(len(words) == 1 for words in lines)
    if len(lines) < _MANY_LINES or single < _MOST * len(lines):
        return plain
    try:
        layout = page.extract_text(extraction_mode="layout", layout_mode_space_vertically=False)
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return plain
    return re.sub(r"(?<=\S) {2,}", " ", layout)


def main(path: str, max_characters: str) -> int:
    """Print the text or the reason for the failure, and return the exit code."""
    _limit_resources()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # It logs much about careless PDFs.
    try:
        text, code = pdf_text(Path(path), int(max_characters)), 0
    except _Unreadable as error:
        text, code = str(error), 2
    except FileNotDecryptedError:
        text, code = "it is protected by a password", 2
    except (MemoryError, RecursionError):
        text, code = "it needs too much memory", 2
    # Broken files make pypdf raise many types of errors, as its issue tracker shows. Catching all of
    # these hides no other error, since this process does nothing else.
    except (
        PyPdfError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        OSError,
    ) as error:
        text, code = f"it is damaged ({str(error)[:200] or type(error).__name__})", 2
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return code


def _limit_resources() -> None:
    if sys.platform == "win32":
        return  # The parent process still enforces its time limit.
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
