"""Resolution of a request's MCP tool to a server and its credentials."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from antiphon.errors import InvalidRequest
from antiphon.net.addresses import parse_url
from antiphon.settings.tools import McpServerSettings, ToolsSettings
from antiphon.settings.values import Secret
from antiphon.wire.tools import McpTool, Tool

_MAX_NAMED = 10
"""Configured servers that a message names; it counts the others."""

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
"""Headers of the connection and the protocol, which clients can't set."""
_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")


@dataclass(frozen=True)
class McpServer:
    """One MCP server, as used by one request."""

    label: str
    """The label in the request."""
    settings: McpServerSettings
    """The operator's settings, or those of the request, with all credentials."""
    param: str
    """The parameter of the request that identifies the server."""
    name: str | None = None
    """The name in the configuration; None if the guard must check the request's URL."""


def server_of(
    tool: McpTool, position: int, settings: ToolsSettings, *, accepts_authorization_header: bool = False
) -> McpServer:
    """Return the server for `tools[position]`: its `server_url`, or a configured one.

    `connector_id` is the name of a configured server; without it and without `server_url`, the label is. The
    token of the request overrides the configured one.

    Args:
        tool: The tool.
        position: The index of the tool in the request.
        settings: The settings, with the configured servers.
        accepts_authorization_header: Whether the token may also be in `headers`.

    Raises:
        InvalidRequest: The server isn't configured, or a parameter is invalid.
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
    headers = _headers(tool, place, accepts_authorization_header=accepts_authorization_header)
    if tool.authorization and not _HEADER_VALUE.fullmatch(tool.authorization):
        raise _invalid(f"{place}.authorization", "it contains characters that are invalid in a header")
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
        raise _unknown(tool, place, list(settings.mcp.servers))
    if "authorization" in {name.lower() for name in headers}:
        configured = msgspec.structs.replace(configured, authorization=None)
    own = {name.lower() for name in configured.headers}
    added = {name: value for name, value in headers.items() if name.lower() not in own}
    merged = msgspec.structs.replace(
        configured,
        authorization=token or configured.authorization,
        headers=configured.headers | added,
    )
    return McpServer(tool.server_label, merged, place, name)


def check_labels(tools: Sequence[Tool]) -> None:
    """Check that each label is valid, as at api.openai.com, and unique.

    With equal labels, the lists and calls of two servers could be mixed up.

    Raises:
        InvalidRequest: A label is invalid or repeated.
    """
    labels: set[str] = set()
    for position, tool in enumerate(tools):
        if isinstance(tool, McpTool):
            if not _LABEL.fullmatch(tool.server_label):
                param = f"tools[{position}].server_label"
                raise _invalid(param, "expected a letter, then letters, digits, '_' and '-' only")
            if tool.server_label in labels:
                raise _invalid(f"tools[{position}].server_label", "another MCP server has this label")
            labels.add(tool.server_label)


def _headers(tool: McpTool, place: str, *, accepts_authorization_header: bool) -> dict[str, Secret]:
    headers: dict[str, Secret] = {}
    for name, value in (tool.headers or {}).items():
        param = f"{place}.headers.{name}"
        if name.lower() == "authorization" and (tool.authorization or not accepts_authorization_header):
            raise _invalid(param, "use the 'authorization' parameter of the tool instead")
        if name.lower() in _OURS or not _HEADER_NAME.fullmatch(name):
            raise _invalid(param, "this header cannot be set")
        if not _HEADER_VALUE.fullmatch(value):
            raise _invalid(param, "it contains characters that are invalid in a header")
        headers[name] = Secret(value)
    return headers


def _unknown(tool: McpTool, place: str, configured: list[str]) -> InvalidRequest:
    if tool.connector_id:
        return _invalid(
            f"{place}.connector_id",
            f"the connector '{tool.connector_id}' does not exist; the operator can add a table "
            f"[tools.mcp.{tool.connector_id}]",
        )
    listed = ", ".join(f"'{name}'" for name in configured[:_MAX_NAMED])
    more = f" and {len(configured) - _MAX_NAMED} more" if len(configured) > _MAX_NAMED else ""
    use = f"Use the label of a configured server ({listed}{more}), or give" if configured else "Give"
    return InvalidRequest(
        f"Missing required parameter: '{place}.server_url'. No MCP server '{tool.server_label[:64]}' is "
        f"configured. {use} 'server_url' or 'connector_id'.",
        code="missing_required_parameter",
        param=f"{place}.server_url",
    )


def _invalid(param: str, why: str, code: str = "invalid_value") -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {why}.", code=code, param=param)
