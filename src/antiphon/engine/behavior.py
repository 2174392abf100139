"""Behavior that differs between dialects of the API."""

from typing import Literal

from msgspec import Struct

FileSearchFunction = Literal["file_search", "knowledge_search"]
"""The function by which the model searches files; each has its own description and wording of results."""


class Behavior(Struct, frozen=True, kw_only=True):
    """Choices that dialects of the API make differently; the defaults are api.openai.com's.

    `dialects/` has the other values, and the reasons for them.
    """

    uses_search_context_size: bool = True
    """Whether `search_context_size` affects web searches."""
    file_search_function: FileSearchFunction = "file_search"
    """The function that the model receives for file search."""
    drops_repeated_messages: bool = False
    """Whether the model does not receive a user message of the input that the history ends with.

    Only lists of input items can repeat it. The message is stored in any case.
    """
    repeats_tool_lists: bool = False
    """Whether every response with an MCP server begins with its list of tools, even if the context has it."""
    accepts_authorization_header: bool = False
    """Whether `headers` of an MCP server may contain `Authorization`."""
    sends_embedding_dimension: bool = True
    """Whether the embedding model receives the `embedding_dimension` of a vector store."""
    sends_search_arguments: bool = False
    """Whether web searches have events with the arguments of their function."""
    keeps_skipped_calls: bool = True
    """Whether a call that `max_tool_calls` prevents from running becomes an item."""
