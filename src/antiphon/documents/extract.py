"""The text of a file."""

from pathlib import Path
from typing import Literal

DocumentCode = Literal["server_error", "unsupported_file", "invalid_file"]
"""The codes that `last_error` of a vector store's file may have (OpenAI's description)."""


class DocumentError(Exception):
    """A file's text cannot be had; `message` says why, in words for whoever uploaded it."""

    def __init__(self, code: DocumentCode, message: str) -> None:
        super().__init__(message)
        self.code: DocumentCode = code
        self.message = message


def extract(path: Path, filename: str, media_type: str | None) -> str:
    """Returns the text of the file at `path`; `filename` and `media_type` are what its uploader called it.

    Blocks: call it in a thread. Time, memory and the length of the text are bounded. Raises `DocumentError`.
    """
    raise NotImplementedError
