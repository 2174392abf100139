"""Uploaded files."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

FilePurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]


class File(Struct, kw_only=True):
    """`expires_at` is absent where the file does not expire; `status` is deprecated, but required."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | UnsetType = UNSET
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"] = "processed"


class DeletedFile(Struct):
    id: str
    object: Literal["file"] = "file"
    deleted: bool = True
