"""The text of a file: PDF, HTML, and whatever is plain text (Markdown, JSON, CSV, code)."""

import codecs
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Literal

MAX_CHARACTERS = 20_000_000
"""The longest text: about 5 million tokens, which is OpenAI's limit for one file."""
MAX_BYTES = 64 * 1024 * 1024
"""The largest file that is read as text or HTML, and the largest PDF."""
PDF_SECONDS = 60.0
"""How long the reading of a PDF may take."""

DocumentCode = Literal["server_error", "unsupported_file", "invalid_file"]
"""The codes that `last_error` of a vector store's file may have (OpenAI's description)."""

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
"""What files begin with that people upload by mistake."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\r\f\x1b\x08"})
"""Bytes that stand in no text, whatever its encoding."""


class DocumentError(Exception):
    """A file's text cannot be had; `message` says why, in words for whoever uploaded it."""

    def __init__(self, code: DocumentCode, message: str) -> None:
        super().__init__(message)
        self.code: DocumentCode = code
        self.message = message


def extract(path: Path, filename: str, media_type: str | None) -> str:
    """Returns the text of the file at `path`; `filename` and `media_type` are what its uploader called it.

    Blocks: call it in a thread. Time, memory and the length of the text are bounded: archives are not
    opened, and PDFs are read by a process of their own. Raises `DocumentError`.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DocumentError("invalid_file", f"The file has more than {MAX_BYTES // 2**20} MB.")
        with path.open("rb") as file:
            beginning = file.read(1024)
            if b"%PDF-" in beginning:  # it need not be the first thing in the file
                return _pdf_text(path)
            data = beginning + file.read()
    except OSError as error:
        raise DocumentError("server_error", f"The file cannot be read: {error.strerror}.") from error
    kind = (media_type or "").partition(";")[0].strip().lower()
    ending = PurePosixPath(filename.lower()).suffix
    if ending in _HTML_ENDINGS or kind in _HTML_TYPES:
        from antiphon.documents.html import html_text  # Only for HTML: it would lengthen every start.

        text = html_text(data)
    else:
        text = _plain_text(data)
    return _bounded(text)


def _plain_text(data: bytes) -> str:
    """Decodes by the byte order mark, else as UTF-8, else as Windows-1252, which has all of Latin-1."""
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
    # NUL cannot be stored by PostgreSQL; a lone surrogate cannot be written as UTF-8.
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _pdf_text(path: Path) -> str:
    """Has the PDF read by `antiphon.documents.pdf` in a process that can be ended, with limited memory."""
    # -P: nothing is imported from the folder that the server happens to run in.
    command = [sys.executable, "-P", "-m", "antiphon.documents.pdf", str(path), str(MAX_CHARACTERS)]
    try:
        done = subprocess.run(  # noqa: S603 - the command is our own, and the path one argument
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PDF_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DocumentError("invalid_file", f"Reading the PDF took over {PDF_SECONDS:g} s.") from error
    except OSError as error:
        raise DocumentError("server_error", f"The PDF cannot be read: {error.strerror}.") from error
    if done.returncode == 0:
        return _bounded(done.stdout.decode())
    # 2 is how the reader says that it has put its reason into words.
    reason = done.stdout.decode() if done.returncode == 2 else "it needs too much memory or time"
    raise DocumentError("invalid_file", f"The PDF cannot be read: {reason}.")
