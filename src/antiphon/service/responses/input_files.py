"""Files and images that requests refer to by URL or by the id of an uploaded file."""

import asyncio
import base64
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from antiphon.engine.ports import ToolCalls
from antiphon.errors import AddressNotFetched, InvalidRequest, NotFound, StoreUnavailable, UpstreamBroken
from antiphon.net.guard import Guard
from antiphon.service.files.folder import FileFolder
from antiphon.service.items import visit_parts
from antiphon.store import Store
from antiphon.wire.content import ComputerScreenshot, ContentPart, InputFile, InputImage
from antiphon.wire.items import InputItem, Item
from antiphon.wire.json import JSON, JSONObject

MAX_BYTES = 50 * 1024 * 1024
"""Maximum size of all attachments of a request in bytes.

OpenAI's limit for file inputs: https://platform.openai.com/docs/guides/pdf-files
"""
_PROVIDER, _DOWNLOAD = "attachments", "download"
"""Names of downloads in recordings."""
_UNKNOWN_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})

Attachment = InputImage | ComputerScreenshot | InputFile
Seam = Callable[[ToolCalls], ToolCalls]


@dataclass(frozen=True, kw_only=True)
class Attachments:
    """The sources of attachments, for all requests of a server."""

    store: Store
    """The descriptions of uploaded files."""
    folder: FileFolder
    """The content of uploaded files."""
    guard: Guard
    """Decides which URLs the server may fetch."""
    seconds: float
    """Timeout of one download in seconds."""

    def begin(self, owner: str, seam: Seam) -> "Attaching":
        """Return the loader for the attachments of one request.

        Args:
            owner: The owner of the request.
            seam: Adds recording and replay to downloads.
        """
        return Attaching(self, owner, seam)


class Attaching:
    """The loader that completes the attachments of one request, in place.

    It sets `file_data` of files and `image_url` of images. The backend fetches images with a URL itself;
    `judge_urls` judges them. All errors have the path of the part as `param`, such as
    `input[0].content[1].file_url`.
    """

    def __init__(self, attachments: Attachments, owner: str, seam: Seam) -> None:
        self._attachments = attachments
        self._owner = owner
        self._seam = seam
        self._left = MAX_BYTES

    async def download(self, items: Sequence[InputItem], place: str | None) -> None:
        """Download the files with a `file_url`.

        Call this before the items are stored: each file is then downloaded once, and later responses don't
        depend on its URL.

        Args:
            items: The items of the request.
            place: The path of the items in the request.

        Raises:
            InvalidRequest: The URL is invalid, or the files exceed the size limit.
            AddressNotAllowed: The URL leads to a private address.
            AddressNotFetched: The download failed.
        """
        for part, where in await _attachments(items, place):
            await self._download(part, where)

    async def load(self, items: Sequence[Item], place: str | None) -> None:
        """Load the files with a `file_id`, and download the remaining ones.

        The stored items remain unchanged.

        Args:
            items: The items of the context.
            place: The path of the items in the request; None for items of earlier responses.

        Raises:
            NotFound: The owner has no such file.
            InvalidRequest: A part refers to no file, or `download` raises it.
            AddressNotAllowed: The URL leads to a private address.
            AddressNotFetched: The download failed.
        """
        for part, where in await _attachments(items, place):
            await self.load_part(part, where)

    async def load_part(self, part: Attachment, where: str) -> None:
        """Load or download the file of one part, whose path in the request is `where`.

        Raises:
            AntiphonError: See `load`.
        """
        _check_something_named(part, where)
        await self._download(part, where)
        if isinstance(part, InputFile) and part.file_url and not part.filename:
            part.filename = _name_in(part.file_url)
        if isinstance(part, InputFile) and part.file_id and not part.file_data:
            part.file_data, name = await self._loaded(part.file_id, f"{where}.file_id")
            part.filename = part.filename or name
        elif isinstance(part, InputImage | ComputerScreenshot) and part.file_id and not part.image_url:
            part.image_url, name = await self._loaded(part.file_id, f"{where}.file_id")
            if not part.image_url.startswith("data:image/"):
                raise InvalidRequest(
                    f"Invalid '{where}.file_id': the file '{name}' is not an image. Expected an image file.",
                    code="invalid_value",
                    param=f"{where}.file_id",
                )

    async def _download(self, part: Attachment, where: str) -> None:
        if isinstance(part, InputFile) and part.file_url and not part.file_data:
            part.file_data = await self._downloaded(part.file_url, part.filename or None, f"{where}.file_url")

    async def _downloaded(self, url: str, name: str | None, param: str) -> str:
        download = _Download(self._attachments, self._left, param)
        answer = await self._seam(download).call(_PROVIDER, _DOWNLOAD, {"url": url})
        data, media_type = _fields(answer)
        self._take(len(data) * 3 // 4, param)
        if media_type in _UNKNOWN_TYPES:
            media_type = mimetypes.guess_type(name or _name_in(url))[0] or "application/octet-stream"
        return f"data:{media_type};base64,{data}"

    async def _loaded(self, file_id: str, param: str) -> tuple[str, str]:
        """Return the content of a file as a data URL, and its name."""
        try:
            stored = await self._attachments.store.files.get(self._owner, file_id)
        except NotFound as error:
            error.param = param
            raise
        self._take(stored.bytes, param)
        path = self._attachments.folder.path_of(stored.id)
        try:
            data = await asyncio.to_thread(path.read_bytes)
        except OSError as error:
            raise StoreUnavailable(
                f"The content of the file '{file_id}' is not readable. Upload the file again."
            ) from error
        media_type = (stored.media_type or "").partition(";")[0].strip().lower()
        if media_type in _UNKNOWN_TYPES:
            media_type = mimetypes.guess_type(stored.filename)[0] or "application/octet-stream"
        return f"data:{media_type};base64,{base64.b64encode(data).decode()}", stored.filename

    def _take(self, size: int, param: str) -> None:
        self._left -= size
        if self._left < 0:
            raise InvalidRequest(
                f"Invalid '{param}': the files of the request are too large. Expected at most "
                f"{MAX_BYTES // 2**20} MB in total.",
                code="invalid_value",
                param=param,
            )


class _Download:
    """The only tool of the provider `attachments`: `download`, which takes a `url`."""

    is_repeatable: Literal[True] = True

    def __init__(self, attachments: Attachments, max_bytes: int, param: str) -> None:
        self._attachments = attachments
        self._max_bytes = max_bytes
        self._param = param

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Return the `media_type` and the `data` at `url`: as base64, texts as UTF-8."""
        # Imported on the first download, because the modules would slow down every start.
        from antiphon.net.fetch import fetch
        from antiphon.net.readable import decoded_text

        url = arguments["url"]
        seconds = self._attachments.seconds
        fetched = await fetch(
            self._attachments.guard, url, seconds=seconds, max_bytes=self._max_bytes, param=self._param
        )
        if not fetched.is_whole:
            raise AddressNotFetched(
                f"Error while downloading {url.partition('?')[0][:300]}: the files of the request exceed "
                f"{MAX_BYTES // 2**20} MB in total.",
                param=self._param,
            )
        body = fetched.body
        if fetched.content_type.startswith("text/"):
            text = decoded_text(fetched)
            body = body if text is None else text.encode()
        return {"media_type": fetched.content_type, "data": base64.b64encode(body).decode()}


def _check_something_named(part: Attachment, where: str) -> None:
    if isinstance(part, InputImage | ComputerScreenshot) and not (part.image_url or part.file_id):
        names = "'image_url' and 'file_id'"
    elif isinstance(part, InputFile) and not (part.file_data or part.file_id or part.file_url):
        names = "'file_data', 'file_id' and 'file_url'"
    else:
        return
    raise InvalidRequest(
        f"Missing required parameter in '{where}': expected one of {names}.",
        code="missing_required_parameter",
        param=where,
    )


async def _attachments(items: Sequence[InputItem], place: str | None) -> list[tuple[Attachment, str]]:
    """Return every attachment with its path; without `place` the path is `input`."""
    found: list[tuple[Attachment, str]] = []

    def visit(part: ContentPart, where: str) -> None:
        if isinstance(part, Attachment):
            found.append((part, where))

    await visit_parts(items, place, visit)
    return found


def _name_in(url: str) -> str:
    """Return the name of the file at a URL: the last part of its path."""
    try:
        return PurePosixPath(unquote(urlsplit(url).path)).name or "file"
    except ValueError:
        return "file"


def _fields(answer: JSON) -> tuple[str, str]:
    """Return the data and the media type of a download, which may be a recorded one."""
    if isinstance(answer, dict):
        data, media_type = answer.get("data"), answer.get("media_type")
        if isinstance(data, str) and isinstance(media_type, str):
            return data, media_type
    raise UpstreamBroken("The recording of a download is invalid. Expected 'media_type' and 'data'.")
