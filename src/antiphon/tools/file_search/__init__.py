"""File search in vector stores as a hosted tool."""

from antiphon.engine.hosted.kinds import register_echo, register_kind
from antiphon.tools.file_search.items import FileSearchItems, KnowledgeSearchItems, echo
from antiphon.tools.file_search.tool import FileSearch
from antiphon.tools.table import register
from antiphon.wire.tools import FileSearchTool


def register_all() -> None:
    """Add this tool to the tables."""
    register_kind(FileSearchItems())
    register_kind(KnowledgeSearchItems())
    register_echo(FileSearchTool, echo)
    register(FileSearchTool, FileSearch)
