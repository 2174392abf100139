"""The input file of a batch: its lines, and the check of all of them."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Raw, Struct

from antiphon.wire.batches import BatchEndpoint, BatchError
from antiphon.wire.json import JSON

MOST_LINES = 50_000
"""Maximum number of requests in a batch, as at api.openai.com."""
_MOST_ERRORS = 100
"""Errors of an input file that are reported."""
_MAX_ID = 512
_READ = 256 * 1024
"""Bytes from which on lines are handed on; memory has at most this and one more line."""
_BOM = b"\xef\xbb\xbf"


class Line(Struct, frozen=True):
    """A line of the input file that isn't empty."""

    number: int
    """The number of the line, from 1."""
    text: bytes | None
    """The text; None if the line is too long."""


class LineRequest(Struct, frozen=True):
    """The request in a line; all fields are required, and `check` reports what is missing."""

    custom_id: JSON = None
    method: JSON = None
    url: JSON = None
    body: Raw = Raw(b"null")


class _Body(Struct, frozen=True):
    model: JSON = None
    stream: JSON = None
    background: JSON = None


decode_line = msgspec.json.Decoder(LineRequest).decode
_decode_body = msgspec.json.Decoder(_Body).decode


async def read_lines(path: Path, most: int) -> AsyncGenerator[list[Line], None]:
    """Yield the lines of an input file that aren't empty, some at a time.

    Args:
        path: The path of the file.
        most: Size limit of a line in bytes; longer ones have no text.

    Raises:
        FileNotFoundError: The file was deleted.
    """
    with await asyncio.to_thread(path.open, "rb") as file:
        number, more = 0, True
        while more:
            lines, number, more = await asyncio.to_thread(_read, file, number, most)
            if lines:
                yield lines


def _read(file: BinaryIO, number: int, most: int) -> tuple[list[Line], int, bool]:
    lines: list[Line] = []
    size = 0
    while size < _READ:
        text = file.readline(most + 2)
        if not text:
            return lines, number, False
        number += 1
        size += len(text)
        is_long = len(text.rstrip(b"\r\n")) > most
        if is_long and not text.endswith(b"\n"):
            _skip(file, most)
        if number == 1:
            text = text.removeprefix(_BOM)
        text = text.strip()
        if text or is_long:
            lines.append(Line(number, None if is_long else text))
    return lines, number, True


def _skip(file: BinaryIO, most: int) -> None:
    """Skip the rest of a line."""
    while (text := file.readline(most)) and not text.endswith(b"\n"):
        pass


class InputCheck:
    """The check of an input file, line by line.

    Args:
        endpoint: The endpoint of the batch.
    """

    def __init__(self, endpoint: BatchEndpoint) -> None:
        self.errors: list[BatchError] = []
        """The first errors."""
        self.total = 0
        """Number of requests."""
        self.model: str | None = None
        """The model of all requests."""
        self._endpoint = endpoint
        self._ids: set[bytes] = set()

    def finish(self) -> None:
        """Check the file as a whole, after all lines."""
        if self.total == 0 and not self.errors:
            self._add("empty_file", "The input file is empty. Please ensure that the batch is not empty.")

    @property
    def is_full(self) -> bool:
        """Whether no more lines are to be checked."""
        return len(self.errors) >= _MOST_ERRORS or self.total > MOST_LINES

    def check(self, lines: list[Line]) -> None:
        """Check some lines; the time that it takes is that of decoding them."""
        for line in lines:
            if self.is_full:
                return
            self.total += 1
            if self.total > MOST_LINES:
                text = f"The input file has more than {MOST_LINES} requests. Split it into several batches."
                self._add("too_many_requests", text, line=line.number)
                return
            self._check(line)

    def _check(self, line: Line) -> None:
        if line.text is None:
            self._add("request_too_large", "This line is too long.", line=line.number)
            return
        try:
            request = decode_line(line.text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._add("invalid_json_line", "This line is not parseable as valid JSON.", line=line.number)
            return
        self._check_id(request, line.number)
        self._check_target(request, line.number)
        self._check_body(request, line.number)

    def _check_id(self, request: LineRequest, line: int) -> None:
        given = request.custom_id
        if not self._is_text("custom_id", given, line):
            return
        if not 0 < len(given) <= _MAX_ID:
            text = f"Invalid 'custom_id': expected a string with 1 to {_MAX_ID} characters."
            self._add("invalid_value", text, "custom_id", line)
            return
        digest = hashlib.blake2b(given.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._ids:
            text = (
                f"The custom_id '{given[:100]}' for this request is a duplicate of another request. The "
                "custom_id parameter must be unique for each request in a batch."
            )
            self._add("duplicate_custom_id", text, "custom_id", line)
        self._ids.add(digest)

    def _check_target(self, request: LineRequest, line: int) -> None:
        if self._is_text("method", request.method, line) and request.method != "POST":
            text = f"Invalid method: '{request.method[:20]}'. Only 'POST' is supported."
            self._add("invalid_method", text, "method", line)
        if self._is_text("url", request.url, line) and request.url != self._endpoint:
            text = (
                f"The URL '{request.url[:100]}' for this request does not match the endpoint of the batch, "
                f"which is '{self._endpoint}'."
            )
            self._add("invalid_url", text, "url", line)

    def _check_body(self, request: LineRequest, line: int) -> None:
        if bytes(request.body) == b"null":
            self._add("missing_required_parameter", "Missing required parameter: 'body'.", "body", line)
            return
        try:
            body = _decode_body(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._add("invalid_type", "Invalid type for 'body': expected an object.", "body", line)
            return
        for name in ("stream", "background"):
            if getattr(body, name) not in (None, False):
                text = f"Unsupported parameter: '{name}' is not supported in a batch."
                self._add("unsupported_parameter", text, f"body.{name}", line)
        if not self._is_text("body.model", body.model, line):
            return
        if self.model is None:
            self.model = body.model
        elif self.model != body.model:
            text = (
                f"The model '{body.model[:100]}' for this request does not match the rest of the batch. Each "
                "batch must contain requests for a single model."
            )
            self._add("mismatched_model", text, "body.model", line)

    def _is_text(self, param: str, value: JSON, line: int) -> bool:
        if value is None:
            self._add("missing_required_parameter", f"Missing required parameter: '{param}'.", param, line)
        elif not isinstance(value, str):
            self._add("invalid_type", f"Invalid type for '{param}': expected a string.", param, line)
        return isinstance(value, str)

    def _add(self, code: str, text: str, param: str | None = None, line: int | None = None) -> None:
        self.errors.append(BatchError(code, text, param, line))
