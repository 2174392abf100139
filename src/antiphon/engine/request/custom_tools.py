"""Custom tools for chat backends, with and without support for them."""

import msgspec

from antiphon.engine.reply.grammar import Grammar
from antiphon.engine.reply.tool_input import INPUT
from antiphon.wire.chat import (
    ChatCustom,
    ChatFunction,
    ChatTool,
    ChatToolCall,
)
from antiphon.wire.json import JSONObject
from antiphon.wire.tools import CustomGrammarFormat, CustomTool

_SYNTAX = {"lark": "Lark grammar", "regex": "regular expression"}


def native_tool(tool: CustomTool, name: str) -> ChatTool:
    """Return the tool in OpenAI's chat form; OpenAI's models enforce the grammar."""
    custom: ChatCustom = {"name": name}
    if tool.description:
        custom["description"] = tool.description
    text_format = tool.format
    if isinstance(text_format, CustomGrammarFormat):
        grammar = {"syntax": text_format.syntax, "definition": text_format.definition}
        custom["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": custom}


def as_function(tool: CustomTool, name: str) -> ChatTool:
    """Return the tool as a function with one string; its description has the grammar."""
    function: ChatFunction = {"name": name}
    if description := described(tool):
        function["description"] = description
    function["parameters"] = {
        "type": "object",
        "properties": {INPUT: {"type": "string"}},
        "required": [INPUT],
        "additionalProperties": False,
    }
    return {"type": "function", "function": function}


def described(tool: CustomTool) -> str:
    """Return the description of the tool's input for the model."""
    paragraphs = [tool.description] if tool.description else []
    if isinstance(tool.format, CustomGrammarFormat):
        syntax = _SYNTAX[tool.format.syntax]
        paragraphs.append(f"The input must match this {syntax}:\n{tool.format.definition}")
    return "\n\n".join(paragraphs)


def grammar_of(tool: CustomTool, param: str) -> Grammar | None:
    """Return the grammar of the input, if the tool has one.

    Raises:
        InvalidRequest: The definition is invalid.
    """
    if isinstance(tool.format, CustomGrammarFormat):
        return Grammar(tool.format, f"{param}.format")
    return None


def asked_for(name: str, tool: CustomTool) -> str:
    """Return the instruction to write only the tool's input."""
    return f"Reply with the input of the tool {name}, and with nothing else.\n\n{described(tool)}"


def structured_outputs(text_format: CustomGrammarFormat) -> JSONObject:
    """Return vLLM's parameter that enforces the grammar."""
    return {"grammar" if text_format.syntax == "lark" else "regex": text_format.definition}


def native_call(call_id: str, name: str, text: str) -> ChatToolCall:
    """Return an earlier call for a backend that supports custom tools."""
    return {"id": call_id, "type": "custom", "custom": {"name": name, "input": text}}


def call_as_function(call_id: str, name: str, text: str) -> ChatToolCall:
    """Return an earlier call as a function call, the form in which the model wrote it."""
    arguments = msgspec.json.encode({INPUT: text}).decode()
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
