"""Uploads in parts."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from antiphon.wire.batches import OutputExpiresAfter
from antiphon.wire.files import File, FilePurpose


class CreateUpload(Struct, kw_only=True):
    """Body of `POST /v1/uploads`."""

    filename: Annotated[str, Meta(min_length=1, max_length=255)]
    purpose: FilePurpose
    bytes: Annotated[int, Meta(ge=1)]
    """Size of the whole file."""
    mime_type: Annotated[str, Meta(max_length=255)]
    expires_after: OutputExpiresAfter | None = None
    """Expiration of the file."""


class CompleteUpload(Struct, kw_only=True):
    """Body of `POST /v1/uploads/{id}/complete`."""

    part_ids: Annotated[list[str], Meta(min_length=1, max_length=10_000)]
    """IDs of the parts, in the order of their content."""
    md5: str | None = None
    """Checksum of the whole file, in hexadecimal digits."""


class Upload(Struct, kw_only=True):
    """Upload of a file in parts."""

    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: File | UnsetType = UNSET
    """File that a completed upload has become."""


class UploadPart(Struct, kw_only=True):
    """Part of an upload."""

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str
