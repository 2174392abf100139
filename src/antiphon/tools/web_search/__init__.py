"""Web search as a hosted tool."""


def register_all() -> None:
    """Add this tool to the tables."""
    # Imported late: commands that read settings import the providers, and nothing else of the tool.
    from antiphon.engine.hosted.kinds import register_echo, register_kind
    from antiphon.tools.table import register
    from antiphon.tools.web_search.items import WebSearchItems, echo
    from antiphon.tools.web_search.tool import WebSearch
    from antiphon.wire.tools import (
        WebSearch20250826Tool,
        WebSearchPreview20250311Tool,
        WebSearchPreviewTool,
        WebSearchTool,
    )

    register_kind(WebSearchItems())
    register_echo(WebSearchTool, echo)
    for tool_type in (
        WebSearchTool,
        WebSearch20250826Tool,
        WebSearchPreviewTool,
        WebSearchPreview20250311Tool,
    ):
        register(tool_type, WebSearch)
