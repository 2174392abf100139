"""Uploads of files in parts."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Literal

from msgspec import UNSET

from antiphon.engine.request_context import RequestContext
from antiphon.errors import InvalidRequest, StoreUnavailable
from antiphon.ids import SHORT
from antiphon.service.files.files import FileDetails, display_name, new_file, shown_file
from antiphon.service.files.folder import FileFolder
from antiphon.service.files.folder import Upload as Received
from antiphon.store import Store
from antiphon.store.uploads.uploads import StoredUpload
from antiphon.wire.files import File
from antiphon.wire.uploads import CompleteUpload, CreateUpload, Upload, UploadPart

MAX_PART_BYTES = 64 * 1024 * 1024
"""Largest part, as at api.openai.com."""
_MAX_PARTS = 10_000
_LIFETIME = 3600
"""Seconds until an upload expires, as at api.openai.com."""
_KEPT = 86_400.0
"""Seconds for which an expired upload is still found."""

Status = Literal["pending", "completed", "cancelled", "expired"]


class Uploads:
    """The use cases of `/v1/uploads`.

    Every method that takes an ID raises `ObjectNotFound` for an upload that doesn't exist or belongs to
    another owner.
    """

    def __init__(self, store: Store, folder: FileFolder) -> None:
        self._records = store.uploads
        self.folder = folder
        """The folder of files, which receives the parts."""

    async def create(self, context: RequestContext, request: CreateUpload) -> Upload:
        """Begin an upload.

        Raises:
            InvalidRequest: The file would be too large.
        """
        if request.bytes > self.folder.max_file_bytes:
            raise InvalidRequest(
                f"Invalid 'bytes': the file is larger than {self.folder.max_file_bytes} bytes.",
                code="integer_above_max_value",
                param="bytes",
            )
        now = context.clock()
        new = StoredUpload(
            id=context.ids("upload", SHORT),
            created_at=now,
            expires_at=now + _LIFETIME,
            filename=display_name(request.filename, "filename"),
            purpose=request.purpose,
            media_type=request.mime_type,
            bytes=request.bytes,
            file_seconds=None if request.expires_after is None else request.expires_after.seconds,
            status="pending",
        )
        await self._records.add(context.owner, new)
        return _shown(new, "pending")

    async def open_upload(self, owner: str, upload_id: str) -> StoredUpload:
        """Return an upload that accepts parts.

        Raises:
            InvalidRequest: It has ended or expired.
        """
        upload, is_open = await self._records.get(owner, upload_id)
        if not is_open:
            raise _not_open(upload)
        return upload

    async def add_part(self, context: RequestContext, upload: StoredUpload, received: Received) -> UploadPart:
        """Keep a received part.

        Raises:
            InvalidRequest: The part doesn't fit into the size of the file, or the upload has ended.
        """
        part_id = context.ids("part", SHORT)
        await received.keep(part_id)
        try:
            is_added = await self._records.add_part(upload, part_id, received.size, _MAX_PARTS)
        except StoreUnavailable:
            await self.folder.delete(part_id)
            raise
        if not is_added:
            await self.folder.delete(part_id)
            await self.open_upload(context.owner, upload.id)
            raise InvalidRequest(
                f"Invalid 'data': the parts have more than {upload.bytes} bytes, or there are more than "
                f"{_MAX_PARTS}.",
                code="invalid_value",
                param="data",
            )
        return UploadPart(id=part_id, created_at=int(context.clock()), upload_id=upload.id)

    async def complete(self, context: RequestContext, upload_id: str, request: CompleteUpload) -> Upload:
        """Join the parts to a file.

        Raises:
            InvalidRequest: The upload has ended, a part is unknown or repeated, or the size or the checksum
                differs.
        """
        upload = await self.open_upload(context.owner, upload_id)
        sizes = await self._records.parts(upload.id)
        _check_parts(upload, request.part_ids, sizes)
        details = FileDetails(
            filename=upload.filename,
            media_type=upload.media_type,
            purpose=upload.purpose,
            expires_after=upload.file_seconds,
        )
        file = new_file(context, details, upload.bytes)
        async with self.folder.create() as joined:
            digest = hashlib.md5(usedforsecurity=False)
            for part_id in request.part_ids:
                async with aclosing(self.folder.pieces(part_id)) as pieces:
                    async for piece in pieces:
                        digest.update(piece)
                        await joined.write(piece)
            if request.md5 is not None and request.md5.lower() != digest.hexdigest():
                raise InvalidRequest(
                    f"Invalid 'md5': the checksum of the parts is {digest.hexdigest()}.",
                    code="invalid_value",
                    param="md5",
                )
            await joined.keep(file.id)
        try:
            is_completed = await self._records.complete(context.owner, upload.id, file)
        except StoreUnavailable:
            await self.folder.delete(file.id)
            raise
        if not is_completed:
            await self.folder.delete(file.id)
            raise _not_open((await self._records.get(context.owner, upload.id))[0])
        return _shown(upload, "completed", shown_file(file))

    async def cancel(self, owner: str, upload_id: str) -> Upload:
        """Cancel an upload.

        Raises:
            InvalidRequest: It has ended or expired.
        """
        upload = await self.open_upload(owner, upload_id)
        if not await self._records.cancel(owner, upload.id):
            raise _not_open((await self._records.get(owner, upload.id))[0])
        return _shown(upload, "cancelled")

    async def delete_left_parts(self) -> None:
        """Delete the content of parts that no upload needs any more."""
        while parts := await self._records.left_parts():
            for part_id in parts:
                await self.folder.delete(part_id)
            await self._records.forget_parts(parts)
        await self._records.forget_ended(_KEPT)


def _check_parts(upload: StoredUpload, part_ids: Sequence[str], sizes: Mapping[str, int]) -> None:
    seen: set[str] = set()
    for position, part_id in enumerate(part_ids):
        if part_id not in sizes or part_id in seen:
            reason = "is repeated" if part_id in seen else "isn't a part of this upload"
            raise InvalidRequest(
                f"Invalid 'part_ids[{position}]': '{part_id[:100]}' {reason}.",
                code="invalid_value",
                param=f"part_ids[{position}]",
            )
        seen.add(part_id)
    total = sum(sizes[part_id] for part_id in part_ids)
    if total != upload.bytes:
        raise InvalidRequest(
            f"Invalid 'part_ids': the parts have {total} bytes. Expected {upload.bytes}, as in the upload.",
            code="invalid_value",
            param="part_ids",
        )


def _not_open(upload: StoredUpload) -> InvalidRequest:
    status = "expired" if upload.status == "pending" else upload.status
    return InvalidRequest(
        f"Upload with id '{upload.id}' is {status}. Create another upload.", code="upload_not_pending"
    )


def _shown(upload: StoredUpload, status: Status, file: File | None = None) -> Upload:
    return Upload(
        id=upload.id,
        bytes=upload.bytes,
        created_at=int(upload.created_at),
        expires_at=int(upload.expires_at),
        filename=upload.filename,
        purpose=upload.purpose,
        status=status,
        file=UNSET if file is None else file,
    )
