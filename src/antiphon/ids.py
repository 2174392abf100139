"""Object IDs in OpenAI's form: a prefix, an underscore and hexadecimal digits."""

import os
import time
from contextvars import ContextVar

INSTANCE = os.urandom(16).hex()
"""Random ID of this process, sent with every backend request.

An incoming request with this ID comes from this server itself, through a backend URL that leads back to it.
"""
INSTANCE_HEADER = "x-antiphon-instance"
"""Header that carries `INSTANCE`."""
LONG = 25
"""Bytes of the ID of a response or an output item: 50 hexadecimal digits."""
SHORT = 24
"""Bytes of the IDs that the Conversations API assigns to conversations and items."""
CALL = 12
"""Bytes of a tool call ID; api.openai.com accepts up to 40 characters."""


current_request: ContextVar[str | None] = ContextVar("current_request", default=None)
"""The ID of the request, or of the background response, that the code runs for; None for other work."""
_TIMED = 16
"""Bytes from which on an ID begins with the time."""


def new_id(prefix: str, size: int = LONG) -> str:
    """Return a new unique ID, such as `resp_` and 50 hexadecimal digits.

    Args:
        prefix: Prefix without the underscore.
        size: Bytes, each written as two digits.
    """
    digits = os.urandom(size).hex()
    if size >= _TIMED:
        # In units of 2^20 ns. IDs created together are neighbors in a database index, so that a transaction
        # writes a few pages and not one page per ID.
        digits = f"{time.time_ns() >> 20:x}{digits}"[: 2 * size]
    return f"{prefix}_{digits}"
