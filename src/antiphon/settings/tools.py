"""Settings of the hosted tools: the tables below `[tools]` in `antiphon.toml`."""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from antiphon.settings.embedding_inputs import EmbeddingInput
from antiphon.settings.values import Seconds, Secret, Setting, describe
from antiphon.wire.json import JSON

McpTransport = Literal["auto", "http", "sse", "stdio"]
"""Transport to an MCP server.

For a URL, `auto` tries streamable HTTP and then SSE; for a command it is `stdio`.
"""


class SearchProviderNeeds(Struct, frozen=True, kw_only=True):
    """The needs of a search provider that settings can name."""

    name: str
    """Name of the provider."""
    needs: Literal["api_key", "base_url"] | None = None
    """The setting that the provider needs."""
    variable: str = ""
    """Environment variable that can have the value of this setting."""
    base_url: str | None = None
    """The usual base URL; None for a provider that needs one."""


class ToolLimits(Struct, frozen=True, kw_only=True):
    """Limits on the duration, size and number of a tool's calls."""

    timeout: Annotated[Seconds, Meta(description="Timeout of one call in seconds.")] = 60.0
    max_bytes: Annotated[
        int, Meta(gt=0, description="Maximum size of a result in bytes; longer results are truncated.")
    ] = 1024 * 1024
    concurrency: Annotated[
        int, Meta(gt=0, description="Maximum number of concurrent calls; further calls wait.")
    ] = 8


class WebSearchSettings(ToolLimits, frozen=True, kw_only=True):
    """Table `[tools.web_search]`."""

    provider: Annotated[
        str,
        Meta(
            description="Search provider. If not set: the provider whose environment variable is set, "
            "otherwise `duckduckgo`, which needs no API key."
        ),
    ] = "duckduckgo"
    base_url: Annotated[
        str | None, Meta(description="Base URL of the provider's API, if not the usual one.")
    ] = None
    api_key: Annotated[Secret | None, Meta(description="API key for the provider.")] = None
    api_key_env: Annotated[
        str | None, Meta(description="Environment variable that contains the API key.")
    ] = None
    proxy: Annotated[
        Secret | None,
        Meta(
            description="HTTP proxy to the provider; `none` for a direct connection. If not set: the proxy "
            "of the environment."
        ),
    ] = None
    open_pages: Annotated[
        bool,
        Meta(
            description="Whether the model may open pages and find text in them, in every request. If off: "
            'only in requests with `search_context_size = "high"`.'
        ),
    ] = False
    timeout: Annotated[Seconds, Meta(description="Timeout of one call in seconds.")] = 20.0


class ImageGenerationSettings(ToolLimits, frozen=True, kw_only=True):
    """Table `[tools.image_generation]`."""

    base_url: Annotated[
        str | None,
        Meta(
            description="Base URL of an images backend, such as `https://api.openai.com/v1`. If not set: the "
            "tool `image_generation` gets a 400."
        ),
    ] = None
    api_key: Annotated[Secret | None, Meta(description="API key for the images backend.")] = None
    api_key_env: Annotated[
        str | None, Meta(description="Environment variable that contains the API key.")
    ] = None
    model: Annotated[
        str | None,
        Meta(description="Model of all images. If not set: the model of the tool, or else `gpt-image-1`."),
    ] = None
    proxy: Annotated[
        Secret | None,
        Meta(
            description="HTTP proxy to the images backend; `none` for a direct connection. If not set: the "
            "proxy of the environment."
        ),
    ] = None
    timeout: Annotated[Seconds, Meta(description="Timeout of one call in seconds.")] = 300.0
    max_bytes: Annotated[
        int, Meta(gt=0, description="Maximum size of an answer in bytes, with partial images.")
    ] = 64 * 1024 * 1024


class McpServerSettings(ToolLimits, frozen=True, kw_only=True):
    """Table `[tools.mcp.NAME]`: an MCP server of the operator.

    Unlike servers that requests name, it may be a command or have a private address.
    """

    url: Annotated[str | None, Meta(description="URL of the server. Set this or `command`.")] = None
    command: Annotated[str | None, Meta(description="Program that runs the server over stdio.")] = None
    args: Annotated[tuple[str, ...], Meta(description="Arguments of the command.")] = ()
    env: Annotated[
        dict[str, Secret],
        Meta(description="Environment variables of the command, besides the few that every program needs."),
    ] = {}
    transport: Annotated[
        McpTransport,
        Meta(description="Transport to the server; `auto` tries streamable HTTP first, then SSE."),
    ] = "auto"
    authorization: Annotated[Secret | None, Meta(description="Bearer token for the server.")] = None
    authorization_env: Annotated[
        str | None, Meta(description="Environment variable that contains the token.")
    ] = None
    headers: Annotated[dict[str, Secret], Meta(description="Additional headers of each request.")] = {}
    proxy: Annotated[
        Secret | None,
        Meta(
            description="HTTP proxy to the server; `none` for a direct connection. If not set: the proxy of "
            "the environment."
        ),
    ] = None


class McpSettings(Struct, frozen=True, kw_only=True):
    """Tables below `[tools.mcp]`."""

    servers: dict[str, McpServerSettings] = {}
    """Operator's servers by name, which requests select by `connector_id` or label."""


KEYWORD_ONLY = "none"
"""Value of `embedding_model` for keyword search only."""


class FileSearchSettings(ToolLimits, frozen=True, kw_only=True):
    """Table `[tools.file_search]`."""

    embedding_model: Annotated[
        str | None,
        Meta(
            description="Embedding model for vector stores that specify none; `none` for keyword search "
            "only. If not set: the only embedding model of the backends, if there is exactly one."
        ),
    ] = None
    embedding_inputs: Annotated[
        dict[str, EmbeddingInput],
        Meta(
            description="Tables by model id with `query_prefix`, `passage_prefix`, `query_input_type` and "
            "`passage_input_type`: what the model receives with queries and with passages of files. If not "
            "set: by the model's name."
        ),
    ] = {}
    index_from: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Meta(
            description="Number of chunks of a vector store from which PostgreSQL searches its vectors with "
            "an approximate index (HNSW of pgvector 0.8 or later). If not set: never; all are compared.",
        ),
    ] = None
    files: Annotated[
        str | None,
        Meta(
            description="Directory of uploaded files. Default: the database's path followed by `.files`; "
            "with PostgreSQL `$XDG_DATA_HOME/antiphon/files`; with state in memory a temporary directory."
        ),
    ] = None
    max_file_bytes: Annotated[int, Meta(gt=0, description="Maximum size of an uploaded file in bytes.")] = (
        512 * 1024 * 1024
    )


class CodeInterpreterSettings(ToolLimits, frozen=True, kw_only=True):
    """Table `[tools.code_interpreter]`."""

    max_bytes: Annotated[
        int, Meta(gt=0, description="Maximum size of what one call prints in bytes; the rest is dropped.")
    ] = 64 * 1024
    concurrency: Annotated[
        int, Meta(gt=0, description="Maximum number of concurrent calls; further calls wait.")
    ] = 4
    max_memory_bytes: Annotated[
        int,
        Meta(
            ge=128 * 1024 * 1024,
            le=4 * 1024**3,
            description="Maximum memory of an interpreter in bytes. Requests for more are refused.",
        ),
    ] = 1024**3
    max_disk_bytes: Annotated[
        int, Meta(gt=0, description="Maximum size of the files of a container in bytes.")
    ] = 64 * 1024 * 1024
    max_containers: Annotated[int, Meta(gt=0, description="Maximum number of containers of one owner.")] = 100
    interpreters: Annotated[
        int,
        Meta(
            gt=0,
            description="Number of interpreters that a server process keeps. For a further one, it ends the "
            "interpreter that has been idle for longest; the files of its container remain.",
        ),
    ] = 8


class ToolsSettings(ToolLimits, frozen=True, kw_only=True):
    """Table `[tools]`, whose limits apply to every tool that doesn't set its own."""

    max_rounds: Annotated[
        int, Meta(gt=0, description="Maximum number of model calls per response, with tool calls in between.")
    ] = 10
    web_search: WebSearchSettings = WebSearchSettings()
    """Table `[tools.web_search]`."""
    mcp: McpSettings = McpSettings()
    """Tables below `[tools.mcp]`."""
    file_search: FileSearchSettings = FileSearchSettings()
    """Table `[tools.file_search]`."""
    code_interpreter: CodeInterpreterSettings = CodeInterpreterSettings()
    """Table `[tools.code_interpreter]`."""
    image_generation: ImageGenerationSettings = ImageGenerationSettings()
    """Table `[tools.image_generation]`."""

    def tables(self) -> dict[str, dict[str, JSON]]:
        """Return the documented settings by their tables, with secrets masked."""
        tables = {
            "tools": _values(self, TOOLS_SETTINGS),
            "tools.web_search": _values(self.web_search, WEB_SEARCH_SETTINGS),
            "tools.file_search": _values(self.file_search, FILE_SEARCH_SETTINGS),
            "tools.code_interpreter": _values(self.code_interpreter, CODE_INTERPRETER_SETTINGS),
            "tools.image_generation": _values(self.image_generation, IMAGE_GENERATION_SETTINGS),
        }
        inputs = self.file_search.embedding_inputs
        tables["tools.file_search"]["embedding_inputs"] = msgspec.to_builtins(inputs)
        for name, server in self.mcp.servers.items():
            tables[f"tools.mcp.{name}"] = _values(server, MCP_SERVER_SETTINGS)
        return tables


def _values(table: Struct, settings: tuple[Setting, ...]) -> dict[str, JSON]:
    values: dict[str, JSON] = {setting.name: getattr(table, setting.name) for setting in settings}
    if values.get("url"):
        # Some services expect their key in the query.
        values["url"] = re.sub(r"\?.*", "?***", values["url"])
    return values


TOOLS_SETTINGS = describe(ToolsSettings)
"""Keys of `[tools]` itself."""
WEB_SEARCH_SETTINGS = describe(WebSearchSettings)
"""Keys of `[tools.web_search]`."""
IMAGE_GENERATION_SETTINGS = describe(ImageGenerationSettings)
"""Keys of `[tools.image_generation]`."""
MCP_SERVER_SETTINGS = describe(McpServerSettings)
"""Keys of a table `[tools.mcp.NAME]`."""
FILE_SEARCH_SETTINGS = describe(FileSearchSettings)
"""Keys of `[tools.file_search]`."""
CODE_INTERPRETER_SETTINGS = describe(CodeInterpreterSettings)
"""Keys of `[tools.code_interpreter]`."""
