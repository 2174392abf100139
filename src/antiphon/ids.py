"""Ids with OpenAI's prefixes: a prefix, an underscore and hexadecimal digits (`wire.md` 3.5)."""

import os
import secrets
import time
from collections import deque

INSTANCE = secrets.token_hex(16)
"""Who this process is. Calls to backends carry it; a request that brings it has come round in a circle."""
INSTANCE_HEADER = "x-antiphon-instance"
LONG = 25
"""Random bytes of an id that a response makes: 50 hexadecimal digits."""
SHORT = 24
"""Random bytes of conversation ids, and of items made through the Conversations API."""
CALL = 12
"""Random bytes of the ids that backends know tool calls by: api.openai.com takes up to 40 characters."""

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
"""The prefix of each item type's ids, without the underscore."""


_PREPARED = 256
_prepared: deque[str] = deque()
"""Digits that no id has yet. Asking the system for each id anew lets another thread run in between."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_prepared.clear)  # Two processes do not give out the same ids.


def new_id(prefix: str, size: int = LONG) -> str:
    """Returns a fresh id such as `resp_` and 50 hexadecimal digits: two for each of `size`, at most 25.

    Those of 32 digits and more begin with the time at which they were prepared, in units of 2^20 ns. So ids
    that are made together stand together in the indexes of a database, and a transaction writes a few pages
    and not one for each of them.
    """
    try:
        digits = _prepared.popleft()
    except IndexError:  # Asked for and not looked before: another thread may take the last one.
        began = f"{time.time_ns() >> 20:x}"
        random = secrets.token_bytes(LONG * _PREPARED).hex("-", LONG).split("-")
        many = [began + each[len(began) :] for each in random]
        digits = many.pop()
        _prepared.extend(many)
    if size == LONG:
        return f"{prefix}_{digits}"
    return f"{prefix}_{digits[: 2 * size] if size >= 16 else digits[-2 * size :]}"
