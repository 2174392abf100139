"""Custom tools, which take text, for backends that know them and for those that know only functions. Pure."""

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
    """Returns the tool as OpenAI's chat API has it; its models keep to the grammar themselves."""
    custom: ChatCustom = {"name": name}
    if tool.description:
        custom["description"] = tool.description
    text_format = tool.format
    if isinstance(text_format, CustomGrammarFormat):
        grammar = {"syntax": text_format.syntax, "definition": text_format.definition}
        custom["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": custom}


def as_function(tool: CustomTool, name: str) -> ChatTool:
    """Returns the tool as a function of one string; the description has the grammar."""
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
    """Returns what the model is told of the tool's input in words."""
    paragraphs = [tool.description] if tool.description else []
    if isinstance(tool.format, CustomGrammarFormat):
        syntax = _SYNTAX[tool.format.syntax]
        paragraphs.append(f"The input must match this {syntax}:\n{tool.format.definition}")
    return "\n\n".join(paragraphs)


def grammar_of(tool: CustomTool, param: str) -> Grammar | None:
    """Returns what the input must match; raises `InvalidRequest` for a definition that is none."""
    if isinstance(tool.format, CustomGrammarFormat):
        return Grammar(tool.format, f"{param}.format")
    return None


def asked_for(name: str, tool: CustomTool) -> str:
    """Returns what the model is told that is to write nothing but the tool's input."""
    return f"Reply with the input of the tool {name}, and with nothing else.\n\n{described(tool)}"


def structured_outputs(text_format: CustomGrammarFormat) -> JSONObject:
    """Returns vLLM's parameter that holds a reply to the grammar."""
    return {"grammar" if text_format.syntax == "lark" else "regex": text_format.definition}


def native_call(call_id: str, name: str, text: str) -> ChatToolCall:
    """Returns an earlier call for a backend that knows custom tools."""
    return {"id": call_id, "type": "custom", "custom": {"name": name, "input": text}}


def call_as_function(call_id: str, name: str, text: str) -> ChatToolCall:
    """Returns an earlier call in the form in which the model wrote it."""
    arguments = msgspec.json.encode({INPUT: text}).decode()
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
