"""Settings of the hosted tools: the tables below `[tools]` in `antiphon.toml`."""

import re
from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

from antiphon.settings.values import Seconds, Secret, Setting, describe
from antiphon.wire.json import JSON

SearchProvider = Literal["duckduckgo", "tavily", "brave", "searxng"]
"""Who answers web searches."""
SEARCH_PROVIDERS: frozenset[str] = frozenset(get_args(SearchProvider))

McpTransport = Literal["auto", "http", "sse", "stdio"]
"""How an MCP server is reached; `auto` tries streamable HTTP, then SSE, or is stdio for a command."""


class ToolLimits(Struct, frozen=True, kw_only=True):
    """What keeps a tool from holding up or filling up a response."""

    timeout: Annotated[Seconds, Meta(description="Seconds that one call may take.")] = 60.0
    max_bytes: Annotated[
        int, Meta(gt=0, description="How much of a result is kept, in bytes; the rest is cut off.")
    ] = 1024 * 1024
    concurrency: Annotated[
        int, Meta(gt=0, description="How many calls run at the same time; more of them wait.")
    ] = 8


class WebSearchSettings(ToolLimits, frozen=True, kw_only=True):
    """The table `[tools.web_search]`."""

    provider: Annotated[
        SearchProvider,
        Meta(
            description="Who answers searches. Not given: the one whose variable is set, else `duckduckgo`, "
            "which needs no key."
        ),
    ] = "duckduckgo"
    base_url: Annotated[
        str | None, Meta(description="Where the provider's API begins, if elsewhere than usual.")
    ] = None
    api_key: Annotated[Secret | None, Meta(description="The key that is sent to the provider.")] = None
    api_key_env: Annotated[str | None, Meta(description="The environment variable that holds the key.")] = (
        None
    )
    open_pages: Annotated[
        bool,
        Meta(
            description="Let the model open pages and find text in them, for every request. Off: only for "
            'those with `search_context_size = "high"`.'
        ),
    ] = False
    timeout: Annotated[Seconds, Meta(description="Seconds that one call may take.")] = 20.0


class McpServerSettings(ToolLimits, frozen=True, kw_only=True):
    """One MCP server of the operator: a table `[tools.mcp.NAME]`. It may be private, or a command."""

    url: Annotated[str | None, Meta(description="Where the server is. Give this or `command`.")] = None
    command: Annotated[str | None, Meta(description="The program that is the server, over stdio.")] = None
    args: Annotated[tuple[str, ...], Meta(description="The arguments of the command.")] = ()
    env: Annotated[
        dict[str, Secret],
        Meta(description="Variables of the command; it gets these and the few that every program needs."),
    ] = {}
    transport: Annotated[
        McpTransport,
        Meta(description="How the server is reached; `auto` tries streamable HTTP first, then SSE."),
    ] = "auto"
    authorization: Annotated[Secret | None, Meta(description="The token that is sent as bearer token.")] = (
        None
    )
    authorization_env: Annotated[
        str | None, Meta(description="The environment variable that holds the token.")
    ] = None
    headers: Annotated[dict[str, Secret], Meta(description="Further headers of each request.")] = {}


class McpSettings(Struct, frozen=True, kw_only=True):
    """The tables below `[tools.mcp]`."""

    servers: dict[str, McpServerSettings] = {}
    """The operator's servers by name; requests name one as `connector_id` or by its label."""


class FileSearchSettings(ToolLimits, frozen=True, kw_only=True):
    """The table `[tools.file_search]`."""

    embedding_model: Annotated[
        str | None,
        Meta(
            description="The model that makes vectors of texts, for stores that name none. Without one the "
            "search is by words alone."
        ),
    ] = None
    files: Annotated[
        str | None,
        Meta(
            description="The folder of uploaded files. Default: the database's path with `.files`, or "
            "`$XDG_DATA_HOME/antiphon/files` with PostgreSQL; a temporary one where the state is in memory."
        ),
    ] = None
    max_file_bytes: Annotated[
        int, Meta(gt=0, description="The largest file that can be uploaded, in bytes.")
    ] = 512 * 1024 * 1024


class ToolsSettings(ToolLimits, frozen=True, kw_only=True):
    """The table `[tools]`: its limits hold for every tool that does not set its own."""

    max_rounds: Annotated[
        int, Meta(gt=0, description="How often one response may call the model, with tool calls between.")
    ] = 10
    web_search: WebSearchSettings = WebSearchSettings()
    mcp: McpSettings = McpSettings()
    file_search: FileSearchSettings = FileSearchSettings()

    def tables(self) -> dict[str, dict[str, JSON]]:
        """Returns the documented settings by the name of their table in `antiphon.toml`, secrets masked."""
        tables = {
            "tools": _values(self, TOOLS_SETTINGS),
            "tools.web_search": _values(self.web_search, WEB_SEARCH_SETTINGS),
            "tools.file_search": _values(self.file_search, FILE_SEARCH_SETTINGS),
        }
        for name, server in self.mcp.servers.items():
            tables[f"tools.mcp.{name}"] = _values(server, MCP_SERVER_SETTINGS)
        return tables


def _values(table: Struct, settings: tuple[Setting, ...]) -> dict[str, JSON]:
    values: dict[str, JSON] = {setting.name: getattr(table, setting.name) for setting in settings}
    if values.get("url"):
        # Some services want their key in the query.
        values["url"] = re.sub(r"\?.*", "?***", values["url"])
    return values


TOOLS_SETTINGS = describe(ToolsSettings)
"""The keys of `[tools]` itself."""
WEB_SEARCH_SETTINGS = describe(WebSearchSettings)
"""The keys of `[tools.web_search]`."""
MCP_SERVER_SETTINGS = describe(McpServerSettings)
"""The keys of a table `[tools.mcp.NAME]`."""
FILE_SEARCH_SETTINGS = describe(FileSearchSettings)
"""The keys of `[tools.file_search]`."""
