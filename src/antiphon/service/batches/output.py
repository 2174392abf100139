"""The output file and the error file of a batch."""

import hashlib
import time
from collections.abc import AsyncIterator

from msgspec import Struct

from antiphon.ids import SHORT
from antiphon.service.files.folder import FileFolder
from antiphon.store.vector_stores.rows import StoredFile

_BUFFER = 256 * 1024
"""Bytes that are written at once."""


class Written(Struct, frozen=True):
    """A file that a batch has created."""

    file: StoredFile
    """The file, whose content is stored, but not its record."""
    lines: int
    """Number of its lines."""


async def write_file(
    folder: FileFolder, batch_id: str, kind: str, lifetime: int | None, lines: AsyncIterator[str]
) -> Written | None:
    """Write a file of a batch; return None if it would have no lines.

    Args:
        folder: The folder of files.
        batch_id: The ID of the batch.
        kind: `output` or `error`.
        lifetime: The lifetime of the file in seconds; None for no end.
        lines: The lines without line breaks.
    """
    count, buffer = 0, bytearray()
    async with folder.create() as file:
        async for line in lines:
            count += 1
            buffer += line.encode() + b"\n"
            if len(buffer) >= _BUFFER:
                await file.write(bytes(buffer))
                buffer.clear()
        if not count:
            return None
        await file.write(bytes(buffer))
        # Another execution after a crash replaces the file.
        digest = hashlib.sha256(f"{batch_id}\n{kind}".encode()).hexdigest()
        file_id = f"file-{digest[: 2 * SHORT]}"
        await file.keep(file_id)
    now = time.time()
    stored = StoredFile(
        id=file_id,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
        purpose="batch_output",
        filename=f"{batch_id}_{kind}.jsonl",
        media_type="application/jsonl",
        bytes=file.size,
    )
    return Written(stored, count)
