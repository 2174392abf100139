"""Object IDs in OpenAI's form: a prefix, an underscore and hexadecimal digits."""

import os
import secrets
import time
from collections import deque

INSTANCE = secrets.token_hex(16)
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

ITEM_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "mcp_call": "mcp",
    "image_generation_call": "ig",
    "computer_call": "cu",
    "computer_call_output": "cuo",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "shell_call": "sh",
    "shell_call_output": "sho",
    "apply_patch_call": "apc",
    "apply_patch_call_output": "apco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "tool_search_call": "tsc",
    "tool_search_output": "tso",
    "additional_tools": "at",
    "program": "cm",
    "program_output": "cmo",
    "compaction": "cmp",
}
"""ID prefix of each item type, without the underscore."""


_PREPARED = 256
_prepared: deque[str] = deque()
"""Unused digits, read in batches because each system call may switch threads."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_prepared.clear)  # Otherwise parent and child would share IDs.


def new_id(prefix: str, size: int = LONG) -> str:
    """Return a new unique ID, such as `resp_` and 50 hexadecimal digits.

    Args:
        prefix: Prefix without the underscore.
        size: Bytes, each written as two digits; at most 25.
    """
    # IDs of 32 digits or more begin with their preparation time in units of 2^20 ns. IDs created together are
    # neighbors in a database index, so that a transaction writes a few pages and not one page per ID.
    try:
        digits = _prepared.popleft()
    except IndexError:  # Checking the length first would race with other threads.
        began = f"{time.time_ns() >> 20:x}"
        random = secrets.token_bytes(LONG * _PREPARED).hex("-", LONG).split("-")
        many = [began + each[len(began) :] for each in random]
        digits = many.pop()
        _prepared.extend(many)
    if size == LONG:
        return f"{prefix}_{digits}"
    return f"{prefix}_{digits[: 2 * size] if size >= 16 else digits[-2 * size :]}"
