"""File uploads in multipart forms, written to disk as they arrive."""

from collections.abc import Mapping
from typing import get_args

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from antiphon.decode.explain import unsupported_value
from antiphon.errors import InvalidRequest, MissingParameter, RequestTooLarge
from antiphon.service.files.files import FileDetails, display_name
from antiphon.service.files.folder import Upload
from antiphon.wire.files import FilePurpose

_MAX_TEXT = 64 * 1024
"""Size limit of the form without the file, in bytes."""
_MAX_PARTS = 20
_LIFETIMES = (3600, 2_592_000)
"""Bounds of a file's lifetime, an hour and 30 days, as at api.openai.com."""


async def read_upload(request: Request, upload: Upload) -> FileDetails:
    """Write the form's `file` to `upload`, and return the details in the form.

    Raises:
        InvalidRequest: The form is malformed, or a field is missing or wrong.
        RequestTooLarge: The file or the form is over its limit.
    """
    return _details(await _received(request, upload, "file"))


async def read_named_file(request: Request, upload: Upload) -> str:
    """Write the form's `file` to `upload`, and return its name.

    Raises:
        InvalidRequest: The form is malformed, or the file is missing.
        RequestTooLarge: The file or the form is over its limit.
    """
    return _named(await _received(request, upload, "file"))[0]


async def read_part(request: Request, upload: Upload) -> None:
    """Write the form's `data` to `upload`.

    Raises:
        InvalidRequest: The form is malformed, or has no data.
        RequestTooLarge: The data or the form is over its limit.
    """
    form = await _received(request, upload, "data")
    if form.file is None:
        raise MissingParameter("data")


async def _received(request: Request, upload: Upload, field: str) -> "_Form":
    """Write the content of a field to `upload`, and return the form."""
    try:
        form = _Form(_boundary(request), field)
    except FormParserError as error:  # The boundary is too long.
        raise _unreadable(str(error)) from None
    async for piece in request.stream():
        if piece:
            await upload.write(form.feed(piece))
    form.finish()
    return form


class _Part(Struct):
    name: str
    filename: str | None
    media_type: str | None


class _Form:
    """A form as it arrives: it keeps the values, and returns the bytes of the file."""

    def __init__(self, boundary: bytes, field: str) -> None:
        self._field = field
        self.values: dict[str, str] = {}
        self.file: _Part | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )
        self._header = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._part: _Part | None = None
        self._parts = 0
        self._value = bytearray()
        self._text = 0
        self._arrived: list[bytes] = []
        self._whole = False

    def feed(self, piece: bytes) -> bytes:
        """Parse a piece of the form, and return the bytes in it that belong to the file."""
        self._arrived.clear()
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _unreadable(str(error)) from None
        arrived = b"".join(self._arrived)
        self._text += len(piece) - len(arrived)
        if self._text > _MAX_TEXT:
            raise RequestTooLarge(
                f"The form is too large without the file. Expected at most {_MAX_TEXT} bytes."
            )
        return arrived

    def finish(self) -> None:
        """Check the end of the form.

        Raises:
            InvalidRequest: The form is incomplete.
        """
        if not self._whole:
            raise _unreadable("it ends before its last boundary")

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise _unreadable(f"it has more than {_MAX_PARTS} parts")
        self._headers = {}
        self._value.clear()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value).strip()
        self._header = (bytearray(), bytearray())

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"name" not in options:
            raise _unreadable("a part has no name")
        filename = options.get(b"filename")
        self._part = _Part(
            name=_text(options[b"name"]),
            filename=None if filename is None else _text(filename),
            media_type=_text(self._headers.get(b"content-type", b"")) or None,
        )
        if self._part.name == self._field and filename is not None:
            if self.file is not None:
                raise _unreadable("it has more than one file")
            self.file = self._part

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part is self.file:
            self._arrived.append(data[start:end])
        else:
            self._value.extend(data[start:end])

    def _end_part(self) -> None:
        if self._part is not None and self._part is not self.file:
            self.values[self._part.name] = _text(bytes(self._value))

    def _end(self) -> None:
        self._whole = True


def _boundary(request: Request) -> bytes:
    given = request.headers.get("content-type", "")
    media_type, options = parse_options_header(given)
    if media_type != b"multipart/form-data" or not options.get(b"boundary"):
        raise InvalidRequest(
            f"Unsupported content type: '{given[:100]}'. This API method only accepts 'multipart/form-data' "
            "requests, but you specified another header. Please try again with "
            "'content-type: multipart/form-data'.",
            code="unsupported_content_type",
        )
    return options[b"boundary"]


def _named(form: _Form) -> tuple[str, str | None]:
    """Return the name and the media type of the file."""
    if form.file is None or not form.file.filename:
        if "file" in form.values or form.file is not None:
            raise InvalidRequest(
                "Invalid type for 'file': expected a file with a name.", code="invalid_type", param="file"
            )
        raise MissingParameter("file")
    return display_name(form.file.filename, "file"), form.file.media_type


def _details(form: _Form) -> FileDetails:
    filename, media_type = _named(form)
    return FileDetails(
        filename=filename,
        media_type=media_type,
        purpose=_purpose(form.values),
        expires_after=_lifetime(form.values),
    )


def _purpose(values: Mapping[str, str]) -> FilePurpose:
    given = values.get("purpose")
    if given is None:
        raise MissingParameter("purpose")
    for purpose in get_args(FilePurpose):
        if given == purpose:
            found: FilePurpose = purpose
            return found
    raise unsupported_value("purpose", given, get_args(FilePurpose))


def _lifetime(values: Mapping[str, str]) -> int | None:
    """Return the seconds in `expires_after`, whose keys are fields of the form."""
    anchor, seconds = values.get("expires_after[anchor]"), values.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor is None or seconds is None:
        raise MissingParameter("expires_after.anchor" if anchor is None else "expires_after.seconds")
    if anchor != "created_at":
        raise unsupported_value("expires_after.anchor", anchor, ["created_at"])
    least, most = _LIFETIMES
    if not seconds.isdecimal() or not least <= int(seconds[:20]) <= most:
        raise InvalidRequest(
            f"Invalid 'expires_after.seconds': expected an integer between {least} and {most}, but got "
            f"'{seconds[:20]}' instead.",
            code="invalid_value",
            param="expires_after.seconds",
        )
    return int(seconds)


def _text(value: bytes) -> str:
    text = value.decode(errors="replace")
    if "\0" in text:
        raise InvalidRequest("Invalid body: the character U+0000 is not allowed.", code="invalid_value")
    return text


def _unreadable(reason: str) -> InvalidRequest:
    return InvalidRequest(f"We could not parse your multipart form: {reason}.", code="invalid_form")
