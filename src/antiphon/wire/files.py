"""Uploaded files."""

from typing import Literal

from msgspec import Struct

FilePurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]


class File(Struct, kw_only=True):
    """Uploaded file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    """Time of expiration; null if the file does not expire."""
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"] = "processed"
    """Deprecated in OpenAI's API, but required by its clients."""


class DeletedFile(Struct):
    """Response to `DELETE /v1/files/{id}`."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True
