"""The response object before its first output: the echoed settings of the request."""

import msgspec
from msgspec import UNSET

from antiphon.engine.hosted.kinds import echoed
from antiphon.wire.configuration import JsonSchemaFormat, TextFormat
from antiphon.wire.responses import (
    ConversationReference,
    CreateResponse,
    PromptReference,
    ReasoningConfig,
    Response,
    TextConfig,
)
from antiphon.wire.tool_usage import ToolUsage
from antiphon.wire.tools import FunctionTool, ImageGenerationTool, NamespaceTool, Tool, WebSearchTool


def new_response(request: CreateResponse, response_id: str, created_at: int) -> Response:
    """Return a response in progress, with the defaults of api.openai.com's responses."""
    response = Response(
        id=response_id,
        created_at=created_at,
        status="in_progress",
        background=request.background is True,
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
        reasoning=request.reasoning or ReasoningConfig(),
        safety_identifier=request.safety_identifier,
        service_tier=request.service_tier or "auto",
        store=request.store is not False,
        temperature=1.0 if request.temperature is None else request.temperature,
        text=_text(request.text) if request.text else TextConfig(format=TextFormat(), verbosity="medium"),
        tool_choice=request.tool_choice or "auto",
        tools=[shown_tool(tool) for tool in request.tools or ()],
        top_logprobs=request.top_logprobs or 0,
        top_p=1.0 if request.top_p is None else request.top_p,
        truncation=request.truncation or "disabled",
        user=request.user,
        metadata=request.metadata or {},
    )
    if request.prompt_cache_options is not None:
        response.prompt_cache_options = msgspec.structs.replace(request.prompt_cache_options, prewarm=UNSET)
    if request.access_programs is not None:
        response.access_programs = None
    if request.prompt is not None:
        prompt = request.prompt
        response.prompt = PromptReference(id=prompt.id, version=prompt.version, variables=prompt.variables)
    if any(isinstance(tool, WebSearchTool | ImageGenerationTool) for tool in response.tools):
        response.tool_usage = ToolUsage()
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


def shown_tool(tool: Tool) -> Tool:
    """Return a tool as api.openai.com echoes it."""
    if isinstance(tool, NamespaceTool):
        return msgspec.structs.replace(
            tool,
            tools=[_function(inner) if isinstance(inner, FunctionTool) else inner for inner in tool.tools],
        )
    return _function(tool) if isinstance(tool, FunctionTool) else echoed(tool)


def _function(tool: FunctionTool) -> FunctionTool:
    """Return a function with every key, where an omitted `strict` means true."""
    return msgspec.structs.replace(
        tool,
        description=tool.description or None,
        parameters=None if tool.parameters is UNSET else tool.parameters,
        strict=True if tool.strict is UNSET or tool.strict is None else tool.strict,
    )
