"""Text extraction from PDF, HTML and plain text (Markdown, JSON, CSV, code)."""

import codecs
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Literal

MAX_CHARACTERS = 20_000_000
"""The longest text in characters, about 5 million tokens: OpenAI's limit per file."""
MAX_BYTES = 64 * 1024 * 1024
"""Size limit of text, HTML and PDF files."""
PDF_SECONDS = 60.0
"""Time limit in seconds for reading a PDF."""

DocumentCode = Literal["server_error", "unsupported_file", "invalid_file"]
"""Error codes in `last_error` of a vector store file, defined by OpenAI.

Source: https://platform.openai.com/docs/api-reference/vector-stores-files/file-object
"""

_HTML_ENDINGS = (".html", ".htm", ".xhtml")
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_FORMATS = {
    b"PK\x03\x04": "a ZIP archive, or an Office document",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"\x1f\x8b": "compressed with gzip",
}
"""The first bytes of unsupported formats that people upload by mistake."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # Before UTF-16, whose mark this one begins with.
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\r\f\x1b\x08"})
"""Bytes that no text contains, in any encoding."""


class DocumentError(Exception):
    """A failed extraction; `message` is the reason, written for the uploader."""

    def __init__(self, code: DocumentCode, message: str) -> None:
        super().__init__(message)
        self.code: DocumentCode = code
        self.message = message


def extract(path: Path, filename: str, media_type: str | None) -> str:
    """Return the text of a file.

    The call blocks, so run it in a thread. Time, memory and the length of the text are limited: archives
    aren't opened, and a separate process reads PDFs.

    Args:
        path: The file to read.
        filename: The uploader's name for the file.
        media_type: The uploader's media type for the file.

    Raises:
        DocumentError: The file can't be read or has no supported format.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DocumentError("invalid_file", f"The file has more than {MAX_BYTES // 2**20} MB.")
        with path.open("rb") as file:
            beginning = file.read(1024)
            if b"%PDF-" in beginning:  # The header may follow other bytes.
                return _pdf_text(path)
            data = beginning + file.read()
    except OSError as error:
        raise DocumentError("server_error", f"The file cannot be read: {error.strerror}.") from error
    kind = (media_type or "").partition(";")[0].strip().lower()
    ending = PurePosixPath(filename.lower()).suffix
    if ending in _HTML_ENDINGS or kind in _HTML_TYPES:
        from antiphon.documents.html import html_text  # Imported late: it slows down startup.

        text = html_text(data)
    else:
        text = _plain_text(data)
    return _bounded(text)


def _plain_text(data: bytes) -> str:
    """Decode by the byte order mark, or else as UTF-8, or else as Windows-1252.

    Windows-1252 includes the printable characters of Latin-1.
    """
    for beginning, name in _FORMATS.items():
        if data.startswith(beginning):
            raise _unsupported(f"it is {name}")
    mark = next((encoding for mark, encoding in _BYTE_ORDER_MARKS if data.startswith(mark)), None)
    if mark is None and data.translate(None, _CONTROLS) != data:
        raise _unsupported("it is not text")
    for encoding in (mark,) if mark else ("utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise _unsupported("its text is in an unknown encoding")


def _unsupported(reason: str) -> DocumentError:
    return DocumentError(
        "unsupported_file",
        f"The file cannot be searched: {reason}. Supported are PDF, HTML and text of any kind.",
    )


def _bounded(text: str) -> str:
    if len(text) > MAX_CHARACTERS:
        raise DocumentError("invalid_file", f"The file has more than {MAX_CHARACTERS:,} characters.")
    # PostgreSQL can't store NUL, and UTF-8 can't encode lone surrogates.
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _pdf_text(path: Path) -> str:
    """Run `antiphon.documents.pdf` in a process with limited time and memory."""
    # -P prevents imports from the server's working directory.
    command = [sys.executable, "-P", "-m", "antiphon.documents.pdf", str(path), str(MAX_CHARACTERS)]
    try:
        done = subprocess.run(  # noqa: S603 - the command is our own, and the path is one argument
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PDF_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DocumentError("invalid_file", f"Reading the PDF took over {PDF_SECONDS:g} s.") from error
    except OSError as error:
        raise DocumentError("server_error", f"The PDF cannot be read: {error.strerror}.") from error
    if done.returncode == 0:
        return _bounded(done.stdout.decode())
    # The process exits with 2 if its output is the reason for the failure.
    reason = done.stdout.decode() if done.returncode == 2 else "it needs too much memory or time"
    raise DocumentError("invalid_file", f"The PDF cannot be read: {reason}.")
