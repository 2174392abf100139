"""Files and images that a request names instead of holding them: by URL or by the id of an uploaded file."""

import asyncio
import base64
import mimetypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from antiphon.engine.ports import ToolCalls
from antiphon.errors import AddressNotFetched, InvalidRequest, NotFound, StoreUnavailable, UpstreamBroken
from antiphon.net.guard import Guard
from antiphon.service.files.folder import FileFolder
from antiphon.service.items import content_parts
from antiphon.store import Store
from antiphon.wire.content import InputFile, InputImage
from antiphon.wire.items import InputItem, Item
from antiphon.wire.json import JSON, JSONObject

MAX_BYTES = 50 * 1024 * 1024
"""How much all attachments of a request may have together (OpenAI's limit for files as input)."""
_PROVIDER, _DOWNLOAD = "attachments", "download"
"""How downloads are called in recordings."""
_UNKNOWN_TYPES = frozenset({"", "application/octet-stream", "binary/octet-stream"})

Attachment = InputImage | InputFile
Seam = Callable[[ToolCalls], ToolCalls]


@dataclass(frozen=True, kw_only=True)
class Attachments:
    """Finds attachments, for the life of the server. `seconds` is how long one download may take."""

    store: Store
    folder: FileFolder
    guard: Guard
    seconds: float

    def begin(self, owner: str, seam: Seam) -> "Attaching":
        """Begins with a request; `seam` is what puts recording and replay around downloads."""
        return Attaching(self, owner, seam)


class Attaching:
    """Fills in the attachments of one request, in place: `file_data` for files, `image_url` for images.

    Images by URL are left to the backend. All errors name the part, as `input[0].content[1].file_url`.
    """

    def __init__(self, attachments: Attachments, owner: str, seam: Seam) -> None:
        self._attachments = attachments
        self._owner = owner
        self._seam = seam
        self._left = MAX_BYTES

    async def download(self, items: Sequence[InputItem], place: str | None) -> None:
        """Downloads what `file_url` names; `place` is where the items stand in the request.

        Done before the items are stored, so that a file is downloaded once, and a later turn does not depend
        on its address. Raises `InvalidRequest`, `AddressNotAllowed` and `AddressNotFetched`.
        """
        for part, where in _attachments(items, place):
            await self._download(part, where)

    async def load(self, items: Sequence[Item], place: str | None) -> None:
        """Loads what `file_id` names, and downloads what is left to download; what is stored stays as it is.

        Raises `NotFound` for a file that is not the owner's, `InvalidRequest` for a part that names nothing,
        and what `download` raises.
        """
        for part, where in _attachments(items, place):
            await self.load_part(part, where)

    async def load_part(self, part: Attachment, where: str) -> None:
        """Loads or downloads what one part names; `where` is its place. Raises what `load` raises."""
        _check_something_named(part, where)
        await self._download(part, where)
        if isinstance(part, InputFile) and part.file_url and not part.filename:
            part.filename = _name_in(part.file_url)
        if isinstance(part, InputFile) and part.file_id and not part.file_data:
            part.file_data, name = await self._loaded(part.file_id, f"{where}.file_id")
            part.filename = part.filename or name
        elif isinstance(part, InputImage) and part.file_id and not part.image_url:
            part.image_url, name = await self._loaded(part.file_id, f"{where}.file_id")
            if not part.image_url.startswith("data:image/"):
                raise InvalidRequest(
                    f"Invalid '{where}.file_id': the file '{name}' is not an image.",
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
        """The content of a file as a data URL, and its name."""
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
            raise StoreUnavailable(f"The bytes of the file {file_id} cannot be read.") from error
        media_type = (stored.media_type or "").partition(";")[0].strip().lower()
        if media_type in _UNKNOWN_TYPES:
            media_type = mimetypes.guess_type(stored.filename)[0] or "application/octet-stream"
        return f"data:{media_type};base64,{base64.b64encode(data).decode()}", stored.filename

    def _take(self, size: int, param: str) -> None:
        self._left -= size
        if self._left < 0:
            raise InvalidRequest(
                f"Invalid '{param}': all files of a request together may have {MAX_BYTES // 2**20} MB.",
                code="invalid_value",
                param=param,
            )


class _Download:
    """The one tool of the provider `attachments`: `download` of a `url`."""

    def __init__(self, attachments: Attachments, max_bytes: int, param: str) -> None:
        self._attachments = attachments
        self._max_bytes = max_bytes
        self._param = param

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        """Returns the `media_type` and, as base64, the `data` of what is at `url`; texts become UTF-8."""
        # Only when something is downloaded: they would lengthen every start.
        from antiphon.net.fetch import fetch
        from antiphon.net.readable import decoded_text

        url = arguments["url"]
        seconds = self._attachments.seconds
        fetched = await fetch(
            self._attachments.guard, url, seconds=seconds, max_bytes=self._max_bytes, param=self._param
        )
        if not fetched.is_whole:
            raise AddressNotFetched(
                f"Error while downloading {url.partition('?')[0][:300]}: all files of a request together may "
                f"have {MAX_BYTES // 2**20} MB.",
                param=self._param,
            )
        body = fetched.body
        if fetched.content_type.startswith("text/"):
            text = decoded_text(fetched)
            body = body if text is None else text.encode()
        return {"media_type": fetched.content_type, "data": base64.b64encode(body).decode()}


def _check_something_named(part: Attachment, where: str) -> None:
    if isinstance(part, InputImage) and not (part.image_url or part.file_id):
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


def _attachments(items: Sequence[InputItem], place: str | None) -> list[tuple[Attachment, str]]:
    """Returns every attachment with its place; without `place` they are of earlier turns: only `input`."""
    found: list[tuple[Attachment, str]] = []
    for position, item in enumerate(items):
        name, parts = content_parts(item)
        for index, part in enumerate(parts):
            if isinstance(part, Attachment):
                found.append((part, f"{place}[{position}].{name}[{index}]" if place else "input"))
    return found


def _name_in(url: str) -> str:
    """The name of the file at a URL: the last part of the path."""
    try:
        return PurePosixPath(unquote(urlsplit(url).path)).name or "file"
    except ValueError:
        return "file"


def _fields(answer: JSON) -> tuple[str, str]:
    """The data and the media type in what a download gave, which a recording may have said."""
    if isinstance(answer, dict):
        data, media_type = answer.get("data"), answer.get("media_type")
        if isinstance(data, str) and isinstance(media_type, str):
            return data, media_type
    raise UpstreamBroken("The recording of a downloaded file does not hold its media_type and data.")
