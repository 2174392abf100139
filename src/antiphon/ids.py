"""Object IDs in OpenAI's form: a prefix, an underscore and hexadecimal digits."""

import os
import time

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
        began = f"{time.time_ns() >> 20:x}"
        digits = began + digits[len(began) :]
    return f"{prefix}_{digits}"
