"""Items of MCP calls: for the model, and the server as responses show it."""

import re

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.kinds import CalledFunction, HostedKind
from antiphon.wire.items import McpCall
from antiphon.wire.json import JSON
from antiphon.wire.tools import McpTool

REDACTED = "<redacted>"
"""The text that api.openai.com shows instead of headers, tokens and paths (recorded)."""


class McpItems(HostedKind[McpCall]):
    """Calls of tools on MCP servers."""

    item = McpCall

    def function(self, item: McpCall) -> CalledFunction:
        """Return the tool of the server."""
        return CalledFunction(item.server_label, item.name, item.arguments)

    def output(self, item: McpCall) -> str:
        """Return the output, or the error."""
        if isinstance(item.output, str) and not item.error:
            return item.output
        return _error_text(item.error) or item.output or "The tool gave no output."

    def has_failed(self, item: McpCall) -> bool:
        """Return whether the call has failed."""
        return bool(item.error)


def echo(tool: McpTool) -> McpTool:
    """Return the server with most keys and without secrets, as api.openai.com does.

    The path of `server_url` is hidden where the request has headers or a token, or where the URL itself has a
    query or a password.
    """
    url = tool.server_url or None
    if url and (tool.headers or tool.authorization or re.search(r"[?#@]", url)):
        host = re.match(r"(https?://)(?:[^/?#]*@)?([^/?#@]+)", url, re.IGNORECASE)
        url = f"{host[1]}{host[2]}/{REDACTED}" if host else REDACTED
    return msgspec.structs.replace(
        tool,
        allowed_tools=None if tool.allowed_tools is UNSET else tool.allowed_tools,
        authorization=REDACTED if tool.authorization else UNSET,
        headers=dict.fromkeys(tool.headers, REDACTED) if tool.headers else None,
        require_approval=tool.require_approval or "always",
        server_description=tool.server_description or None,
        server_url=url,
    )


def _error_text(error: JSON) -> str:
    """Return the text of an MCP error, in each of its forms."""
    if not isinstance(error, dict):
        return error if isinstance(error, str) else ""
    content = error.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or error.get("message") or "The tool call failed.")
