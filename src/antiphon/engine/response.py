"""The response object before it has any output: the request's settings, echoed as api.openai.com does."""

import re

import msgspec
from msgspec import UNSET

from antiphon.wire.responses import (
    ConversationReference,
    CreateResponse,
    JsonSchemaFormat,
    PromptReference,
    ReasoningConfig,
    Response,
    TextConfig,
    TextFormat,
)
from antiphon.wire.tools import FileSearchTool, FunctionTool, McpTool, NamespaceTool, Tool, WebSearchTool

REDACTED = "<redacted>"
"""What api.openai.com shows instead of headers, tokens and paths (recorded)."""


_NO_REASONING = ReasoningConfig()
_PLAIN_TEXT = TextConfig(format=TextFormat(), verbosity="medium")
"""Shared by all responses whose requests say nothing of it; never changed."""


def new_response(request: CreateResponse, response_id: str, created_at: int) -> Response:
    """Returns the response in progress. Defaults and normal forms are those of recorded responses."""
    response = Response(
        id=response_id,
        created_at=created_at,
        status="in_progress",
        frequency_penalty=0.0 if request.frequency_penalty is None else request.frequency_penalty,
        instructions=request.instructions,
        max_output_tokens=request.max_output_tokens,
        max_tool_calls=request.max_tool_calls,
        model=request.model or "",
        output=[],
        parallel_tool_calls=request.parallel_tool_calls is not False,
        presence_penalty=0.0 if request.presence_penalty is None else request.presence_penalty,
        previous_response_id=request.previous_response_id,
        prompt_cache_key=request.prompt_cache_key,
        prompt_cache_retention=request.prompt_cache_retention,
        reasoning=request.reasoning or _NO_REASONING,
        safety_identifier=request.safety_identifier,
        service_tier=request.service_tier or "auto",
        store=request.store is not False,
        temperature=1.0 if request.temperature is None else request.temperature,
        text=_text(request.text) if request.text else _PLAIN_TEXT,
        tool_choice=request.tool_choice or "auto",
        tools=[_tool(tool) for tool in request.tools or ()],
        top_logprobs=request.top_logprobs or 0,
        top_p=1.0 if request.top_p is None else request.top_p,
        truncation=request.truncation or "disabled",
        user=request.user,
        metadata=request.metadata or {},
    )
    if request.prompt_cache_options is not None:
        response.prompt_cache_options = request.prompt_cache_options
    if request.prompt is not None:
        prompt = request.prompt
        response.prompt = PromptReference(id=prompt.id, version=prompt.version, variables=prompt.variables)
    if request.conversation is not None:
        conversation = request.conversation
        response.conversation = (
            ConversationReference(conversation) if isinstance(conversation, str) else conversation
        )
    return response


def _text(text: TextConfig) -> TextConfig:
    text_format = text.format or TextFormat()
    if isinstance(text_format, JsonSchemaFormat):
        text_format = msgspec.structs.replace(
            text_format,
            description=text_format.description or None,
            strict=text_format.strict is True,
        )
    return TextConfig(format=text_format, verbosity=text.verbosity or "medium")


def _tool(tool: Tool) -> Tool:
    """Functions are echoed with every key; `strict` left out means true (recorded)."""
    if isinstance(tool, NamespaceTool):
        return msgspec.structs.replace(
            tool,
            tools=[_function(inner) if isinstance(inner, FunctionTool) else inner for inner in tool.tools],
        )
    if isinstance(tool, McpTool):
        return _mcp(tool)
    if isinstance(tool, WebSearchTool):
        return _web_search(tool)
    if isinstance(tool, FileSearchTool):
        return _file_search(tool)
    return _function(tool) if isinstance(tool, FunctionTool) else tool


def _function(tool: FunctionTool) -> FunctionTool:
    return msgspec.structs.replace(
        tool,
        description=tool.description or None,
        parameters=None if tool.parameters is UNSET else tool.parameters,
        strict=True if tool.strict is UNSET or tool.strict is None else tool.strict,
    )


def _web_search(tool: WebSearchTool) -> WebSearchTool:
    """Web search is echoed with its defaults, a place with every key (recorded)."""
    location = {"type": "approximate", "city": None, "country": None, "region": None, "timezone": None}
    return msgspec.structs.replace(
        tool,
        search_context_size=tool.search_context_size or "medium",
        user_location=location | tool.user_location if tool.user_location else tool.user_location,
    )


def _file_search(tool: FileSearchTool) -> FileSearchTool:
    """File search is echoed with its defaults (recorded)."""
    return msgspec.structs.replace(
        tool,
        filters=tool.filters or None,
        max_num_results=tool.max_num_results or 20,
        ranking_options={"ranker": "auto", "score_threshold": 0.0} | (tool.ranking_options or {}),
    )


def _mcp(tool: McpTool) -> McpTool:
    """MCP servers are echoed with most keys, and without secrets (recorded).

    The path of `server_url` is hidden where the request has headers or a token, or where the URL itself has a
    query or a password; otherwise it is shown.
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
