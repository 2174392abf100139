"""Requests of the Messages API as requests of the Responses API. Pure."""

from collections.abc import Callable
from typing import Literal

import msgspec

from antiphon.dialects.anthropic.content import file_part, image_part, input_parts
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.wire.configuration import Effort, JsonSchemaFormat
from antiphon.wire.content import ContentPart, InputText, OutputText
from antiphon.wire.items import FunctionCall, FunctionCallOutput, InputItem, Message, Reasoning
from antiphon.wire.messages import (
    AnyTool,
    ClientTool,
    ContentBlock,
    CountMessageTokens,
    CreateMessage,
    DocumentBlock,
    ImageBlock,
    MessageParam,
    NoTool,
    OneTool,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ThinkingDisabled,
    ThinkingEnabled,
    ToolResultBlock,
    ToolUseBlock,
)
from antiphon.wire.responses import CountInputTokens, CreateResponse, ReasoningConfig, TextConfig
from antiphon.wire.tools import FunctionChoice, FunctionTool, ToolChoice

Readable = Callable[[str], bool]
"""Function that returns whether this server can decrypt a signature for the owner of the request."""
Shown = Literal["hidden", "omitted", "summarized"]
"""Whether a message has thinking blocks, and whether they have their text."""

_MAX_IDENTIFIER = 128
"""Characters of `safety_identifier`."""
_LOW, _MEDIUM = 4096, 16384
"""Budgets of thinking, in tokens, below which the effort is low or medium."""
_UNSUPPORTED = (
    "mcp_servers",
    "container",
    "compaction",
    "thread",
    "top_k",
    "inference_geo",
    "fallbacks",
)
"""Parameters that promise something that the server doesn't do at this endpoint."""

_json = msgspec.json.Encoder().encode


def message_request(body: CreateMessage, is_readable: Readable) -> CreateResponse:
    """Return the request for the response behind a message.

    Args:
        body: The body of the request.
        is_readable: Whether the server can decrypt a signature; the blocks with other ones are omitted.

    Raises:
        InvalidRequest: The request has something that this server doesn't support at this endpoint.
    """
    request = _request(body, is_readable)
    request.max_output_tokens = body.max_tokens
    request.temperature, request.top_p = body.temperature, body.top_p
    request.stream = body.stream
    if shown_thinking(body) != "hidden":
        request.include = ["reasoning.encrypted_content"]
    user = None if body.metadata is None else body.metadata.user_id
    if user is not None and len(user) <= _MAX_IDENTIFIER:
        request.safety_identifier = user
    else:
        request.user = user
    return request


def count_request(body: CountMessageTokens, is_readable: Readable) -> CountInputTokens:
    """Return the request that counts the input of a message; see `message_request`."""
    request = _request(body, is_readable)
    return CountInputTokens(
        model=request.model,
        input=request.input,
        instructions=request.instructions,
        tools=request.tools,
        tool_choice=request.tool_choice,
        text=request.text,
    )


def shown_thinking(body: CountMessageTokens) -> Shown:
    """Return whether the message has thinking blocks: only if the client asks for thinking."""
    if body.thinking is None or isinstance(body.thinking, ThinkingDisabled):
        return "hidden"
    return body.thinking.display or "summarized"


def _request(body: CountMessageTokens, is_readable: Readable) -> CreateResponse:
    for name in _UNSUPPORTED:
        if getattr(body, name, None):
            raise _unsupported(name)
    config = body.output_config
    if config is not None and config.task_budget:
        raise _unsupported("output_config.task_budget")
    if body.messages[-1].role == "assistant":
        raise InvalidRequest(
            "This server does not support assistant message prefill. The conversation must end with a user "
            "message.",
            code="unsupported_value",
            param="messages",
        )
    output = None if config is None else config.format
    effort = _effort(body)
    return CreateResponse(
        model=body.model,
        input=_input(body.messages, is_readable),
        instructions=_instructions(body),
        store=False,
        tools=[_tool(tool, f"tools[{position}]") for position, tool in enumerate(body.tools or ())] or None,
        tool_choice=_choice(body),
        parallel_tool_calls=False if _is_serial(body) else None,
        text=None if output is None else TextConfig(format=_format(output.schema)),
        reasoning=None if effort is None else ReasoningConfig(effort=effort),
    )


def _input(messages: list[MessageParam], is_readable: Readable) -> list[InputItem]:
    items = [
        item
        for position, message in enumerate(messages)
        for item in _items(message, f"messages[{position}].content", is_readable)
    ]
    if not items:
        raise InvalidRequest(
            "Invalid 'messages': expected at least one message with content.",
            code="empty_array",
            param="messages",
        )
    return items


def _instructions(body: CountMessageTokens) -> str | None:
    if isinstance(body.system, list):
        return "\n\n".join(block.text for block in body.system) or None
    return body.system or None


def _effort(body: CountMessageTokens) -> Effort | None:
    """Return the effort of reasoning: the one that is named, else by the budget."""
    if body.output_config is not None and body.output_config.effort is not None:
        return body.output_config.effort
    if not isinstance(body.thinking, ThinkingEnabled):
        return None
    budget = body.thinking.budget_tokens
    return "low" if budget < _LOW else "medium" if budget < _MEDIUM else "high"


def _format(schema: dict[str, object]) -> JsonSchemaFormat:
    return JsonSchemaFormat(name="output", schema=schema, strict=True)


def _tool(tool: ClientTool, param: str) -> FunctionTool:
    if tool.type not in (None, "custom"):
        raise InvalidRequest(
            f"Unsupported tool: '{str(tool.type)[:100]}'. This endpoint supports tools of the client, which "
            "have an 'input_schema' and no 'type'.",
            code="unsupported_value",
            param=f"{param}.type",
        )
    if tool.input_schema is msgspec.UNSET:
        raise MissingParameter(f"{param}.input_schema")
    if tool.allowed_callers and tool.allowed_callers != ["direct"]:
        raise _unsupported(f"{param}.allowed_callers")
    return FunctionTool(
        name=tool.name,
        description=tool.description,
        parameters=tool.input_schema,
        strict=bool(tool.strict),
    )


def _choice(body: CountMessageTokens) -> ToolChoice | None:
    match body.tool_choice:
        case None:
            return None
        case AnyTool():
            return "required"
        case OneTool(name=name):
            return FunctionChoice(name=name)
        case NoTool():
            return "none"
    return "auto"


def _is_serial(body: CountMessageTokens) -> bool:
    choice = body.tool_choice
    return choice is not None and not isinstance(choice, NoTool) and bool(choice.disable_parallel_tool_use)


def _items(message: MessageParam, param: str, is_readable: Readable) -> list[InputItem]:
    if message.role == "assistant":
        return _assistant_items(message.content, param, is_readable)
    role: Literal["user", "developer"] = "user" if message.role == "user" else "developer"
    if isinstance(message.content, str):
        return [Message(role=role, content=message.content)]
    items: list[InputItem] = []
    parts: list[ContentPart] = []
    for position, block in enumerate(message.content):
        where = f"{param}[{position}]"
        if isinstance(block, ToolResultBlock) and role == "user":
            if parts:
                items.append(Message(role=role, content=parts))
                parts = []
            items.append(_output(block, where))
        else:
            parts += _user_parts(block, message.role, where)
    if parts:
        items.append(Message(role=role, content=parts))
    return items


def _user_parts(block: ContentBlock, role: str, param: str) -> list[ContentPart]:
    match block:
        case TextBlock():
            return [InputText(block.text)]
        case ImageBlock() if role == "user":
            return [image_part(block, param)]
        case DocumentBlock() if role == "user":
            return [*file_part(block, param)]
    raise _misplaced(block, role, param)


def _output(block: ToolResultBlock, param: str) -> FunctionCallOutput:
    """Return the result of a tool; Responses has no mark of errors, so that a text is in its place."""
    prefix = "Error: " if block.is_error else ""
    if not isinstance(block.content, list):
        return FunctionCallOutput(call_id=block.tool_use_id, output=prefix + (block.content or ""))
    if all(isinstance(each, TextBlock) for each in block.content):
        text = "\n".join(each.text for each in block.content if isinstance(each, TextBlock))
        return FunctionCallOutput(call_id=block.tool_use_id, output=prefix + text)
    parts = input_parts(block.content, f"{param}.content")
    if prefix:
        parts = [InputText(prefix.strip()), *parts]
    return FunctionCallOutput(call_id=block.tool_use_id, output=parts)


def _assistant_items(content: str | list[ContentBlock], param: str, is_readable: Readable) -> list[InputItem]:
    if isinstance(content, str):
        return [_said(content)] if content else []
    items: list[InputItem] = []
    for position, block in enumerate(content):
        match block:
            case TextBlock():
                items += [_said(block.text)] if block.text else []
            case ThinkingBlock(signature=sealed) | RedactedThinkingBlock(data=sealed):
                if sealed and is_readable(sealed):
                    items.append(Reasoning(summary=[], encrypted_content=sealed))
            case ToolUseBlock():
                arguments = _json(block.input).decode()
                items.append(FunctionCall(call_id=block.id, name=block.name, arguments=arguments))
            case _:
                raise _misplaced(block, "assistant", f"{param}[{position}]")
    return items


def _said(text: str) -> Message:
    return Message(role="assistant", content=[OutputText(text=text)])


def _misplaced(block: ContentBlock, role: str, param: str) -> InvalidRequest:
    kind = block.__struct_config__.tag
    return InvalidRequest(
        f"Invalid '{param}': a message with the role '{role}' cannot contain a block of type '{kind}'.",
        code="invalid_value",
        param=param,
    )


def _unsupported(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"Unsupported parameter: '{name}' is not supported by this server at /v1/messages.",
        code="unsupported_parameter",
        param=name,
    )
