"""Reads a PDF in a process of its own: `python -m antiphon.documents.pdf FILE MAX_CHARACTERS`.

The text of the pages goes to standard output, as pypdf gives it, a line break between two pages. What is
wrong with the file goes there too, and the exit code is 2 then.
"""

import logging
import sys
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import FileNotDecryptedError, PyPdfError

MAX_PAGES = 5000
_MEMORY = 2 * 1024**3
"""Bytes of memory that the process may use: pages can unpack to many times their size."""
_SECONDS = 60


class _Unreadable(Exception):
    """The file is no PDF that can be read; the text says why."""


def pdf_text(path: Path, max_characters: int) -> str:
    """Returns the text of a PDF. Raises `_Unreadable`."""
    reader = PdfReader(path)
    if len(reader.pages) > MAX_PAGES:
        raise _Unreadable(f"it has more than {MAX_PAGES} pages")
    pages: list[str] = []
    size = 0
    for page in reader.pages:
        pages.append(page.extract_text())
        size += len(pages[-1]) + 1
        if size > max_characters:
            raise _Unreadable(f"it has more than {max_characters:,} characters")
    return "\n".join(pages)


def main(path: str, max_characters: str) -> int:
    """Prints the text or the reason, and returns the exit code."""
    _limit_resources()
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it has much to say about careless PDFs
    try:
        text, code = pdf_text(Path(path), int(max_characters)), 0
    except _Unreadable as error:
        text, code = str(error), 2
    except FileNotDecryptedError:
        text, code = "it is protected by a password", 2
    except (MemoryError, RecursionError):
        text, code = "it needs too much memory", 2
    # What broken files make pypdf raise is no closed list (its tracker has them all); this process does
    # nothing else, so that nothing else is hidden.
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
        return  # there the time limit of whoever started the process has to do
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
