"""Calls of built-in tools in replies of a scripted model, and their history for a model."""

import json
from collections.abc import Sequence

import msgspec

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.request.functions import Functions, translate_tools
from antiphon.engine.request.messages import translate_items
from antiphon.settings.backends import Capabilities
from antiphon.tools import registry as registry  # Registers the kinds.
from antiphon.wire.chat import ChatMessage
from antiphon.wire.items import Item
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import Tool
from tests.engine.replies import CALLED, Reply, call, chunk
from tests.support.immediate import at_once


def functions(*tools: JSONObject) -> Functions:
    """Return the functions of the tools of a request."""
    return translate_tools(msgspec.convert(list(tools), list[Tool]), Capabilities(), {})


def offered(*tools: JSONObject) -> list[JSONObject]:
    """Return the functions for the model."""
    return [{**tool["function"]} for tool in functions(*tools).tools.values()]


def reply(tool: JSONObject, arguments: JSON, *, cut: int | None = None, by: int = 3) -> Reply:
    """Return the reply that calls a tool; its arguments arrive `by` characters at a time.

    Args:
        tool: The tool of the request.
        arguments: The arguments, as JSON or as a text.
        cut: The length at which the token limit stops the arguments.
        by: The characters of each piece.
    """
    known = functions(tool).known
    [name] = known.client
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    text = text[:cut]
    pieces = [call(0, None, None, text[place : place + by]) for place in range(0, len(text), by)]
    end = CALLED if cut is None else chunk("length")
    chunks = [call(0, "call_up", name, ""), *pieces, end]
    return Reply([[each] for each in chunks], AssemblyOptions(source="backend/model", tools=known))


def fault(tool: JSONObject, arguments: JSON) -> str:
    """Return the message with which invalid arguments fail the reply."""
    failure = reply(tool, arguments).failure
    assert failure is not None
    assert failure.status == 502
    return failure.message


def messages(*items: JSONObject, capabilities: Capabilities | None = None) -> Sequence[ChatMessage]:
    """Return the messages for the items of a context."""
    converted: list[Item] = msgspec.convert(list(items), list[Item])
    return at_once(translate_items(converted, capabilities or Capabilities()))
