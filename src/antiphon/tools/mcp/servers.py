"""Which MCP server a tool of a request means, and with which credentials. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from antiphon.errors import InvalidRequest
from antiphon.net.addresses import parse_url
from antiphon.settings.tools import McpServerSettings, ToolsSettings
from antiphon.settings.values import Secret
from antiphon.wire.tools import McpTool, Tool

_OURS = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "mcp-protocol-version",
        "mcp-session-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to the connection and its protocol, so that no caller may set them."""
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


@dataclass(frozen=True)
class McpServer:
    """One MCP server, as one request uses it."""

    label: str
    settings: McpServerSettings
    """The operator's, or made of what the request says; with all credentials."""
    param: str
    """The parameter of the request that names it."""
    name: str | None = None
    """Its name in the configuration. None: the request named the address, so the guard has to allow it."""


def server_of(tool: McpTool, position: int, settings: ToolsSettings) -> McpServer:
    """Returns the server that `tools[position]` means: its `server_url`, or one of the configuration.

    `connector_id` names a server of the configuration; without it and without `server_url` the label does.
    The token of the request goes before the configured one. Raises `InvalidRequest`.
    """
    place = f"tools[{position}]"
    if tool.tunnel_id:
        raise _invalid(f"{place}.tunnel_id", "this server has no tunnels", "unsupported_parameter")
    if tool.server_url and tool.connector_id:
        raise _invalid(
            place,
            "'server_url' and 'connector_id' cannot be used together",
            "mutually_exclusive_parameters",
        )
    headers = _headers(tool, place)
    if tool.authorization and not _HEADER_VALUE.fullmatch(tool.authorization):
        raise _invalid(f"{place}.authorization", "it holds characters that no header may have")
    token = Secret(tool.authorization) if tool.authorization else None
    if tool.server_url:
        named = McpServerSettings(
            url=tool.server_url,
            authorization=token,
            headers=headers,
            timeout=settings.timeout,
            max_bytes=settings.max_bytes,
            concurrency=settings.concurrency,
        )
        parse_url(tool.server_url, f"{place}.server_url")
        return McpServer(tool.server_label, named, f"{place}.server_url")
    name = tool.connector_id or tool.server_label
    configured = settings.mcp.servers.get(name)
    if configured is None:
        raise _unknown(tool, place)
    own = {name.lower() for name in configured.headers}
    added = {name: value for name, value in headers.items() if name.lower() not in own}
    merged = msgspec.structs.replace(
        configured,
        authorization=token or configured.authorization,
        headers=configured.headers | added,
    )
    return McpServer(tool.server_label, merged, place, name)


def check_labels(tools: Sequence[Tool]) -> None:
    """Raises `InvalidRequest` for a label that is none, as at api.openai.com, and for one that two servers
    have: their lists and calls could be mixed up."""
    labels: set[str] = set()
    for position, tool in enumerate(tools):
        if isinstance(tool, McpTool):
            if not _LABEL.fullmatch(tool.server_label):
                param = f"tools[{position}].server_label"
                raise _invalid(param, "expected a letter, then letters, digits, '_' and '-' only")
            if tool.server_label in labels:
                raise _invalid(f"tools[{position}].server_label", "another MCP server has this label")
            labels.add(tool.server_label)


def _headers(tool: McpTool, place: str) -> dict[str, Secret]:
    headers: dict[str, Secret] = {}
    for name, value in (tool.headers or {}).items():
        param = f"{place}.headers.{name}"
        if name.lower() == "authorization":
            raise _invalid(param, "use the 'authorization' parameter of the tool instead")
        if name.lower() in _OURS or not _HEADER_NAME.fullmatch(name):
            raise _invalid(param, "this header cannot be set")
        if not _HEADER_VALUE.fullmatch(value):
            raise _invalid(param, "it holds characters that no header may have")
        headers[name] = Secret(value)
    return headers


def _unknown(tool: McpTool, place: str) -> InvalidRequest:
    if tool.connector_id:
        return _invalid(
            f"{place}.connector_id",
            f"there is no connector '{tool.connector_id}'; the operator can add a table "
            f"[tools.mcp.{tool.connector_id}]",
        )
    return InvalidRequest(
        f"Missing required parameter: '{place}.server_url'. Give 'server_url' or 'connector_id', or the "
        "'server_label' of a configured server.",
        code="missing_required_parameter",
        param=f"{place}.server_url",
    )


def _invalid(param: str, why: str, code: str = "invalid_value") -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {why}.", code=code, param=param)
