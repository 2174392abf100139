"""Execution of function tools: concurrently, with a time limit, and with errors as text for the model."""

import asyncio
import inspect
import logging
from collections.abc import Mapping, Sequence

import msgspec

from antiphon.agent.events import ToolCall, ToolResponse
from antiphon.agent.functions.schemas import encode
from antiphon.agent.functions.threads import Outcome, in_thread
from antiphon.agent.functions.tools import FunctionTool

_CONCURRENT = 16
"""Number of functions that run at the same time."""
_MAX_MESSAGE = 2000
"""Number of characters of an error message for the model."""
_logger = logging.getLogger("antiphon.agent")


async def execute(
    calls: Sequence[ToolCall], functions: Mapping[str, FunctionTool], seconds: float | None
) -> list[ToolResponse]:
    """Execute calls concurrently, and return their outputs in the same order.

    Args:
        calls: Calls of the model.
        functions: Functions by name.
        seconds: Limit for each call; None waits forever.
    """
    places = asyncio.Semaphore(_CONCURRENT)

    async def one(call: ToolCall) -> ToolResponse:
        async with places:
            return await _execute(call, functions.get(call.tool_name), seconds)

    return await asyncio.gather(*(one(call) for call in calls))


async def _execute(call: ToolCall, tool: FunctionTool | None, seconds: float | None) -> ToolResponse:
    if tool is None:
        return _failed(call, f"There is no tool {call.tool_name!r}.")
    try:
        arguments = tool.decode(call.arguments)
    except (msgspec.DecodeError, RecursionError) as error:
        return _failed(call, f"The arguments of tool {call.tool_name!r} are wrong: {error}")
    try:
        async with asyncio.timeout(seconds) as limit:
            outcome = await _call(tool, arguments)
    except TimeoutError:
        assert limit.expired()
        return _failed(call, f"Tool {call.tool_name!r} did not finish within {seconds:g} seconds.")
    if outcome.error is None:
        return ToolResponse(
            call_id=call.call_id, tool_name=call.tool_name, content=outcome.value, is_error=False
        )
    _logger.warning("Tool failed", exc_info=outcome.error, extra={"tool": call.tool_name})
    name = type(outcome.error).__name__
    return _failed(call, f"Error in tool {call.tool_name!r}: {name}: {outcome.error}")


async def _call(tool: FunctionTool, arguments: Mapping[str, object]) -> Outcome[str]:
    """Call a function; its exception is part of the result."""
    if not tool.is_async:
        return await asyncio.wrap_future(in_thread(lambda: encode(tool.function(**arguments))))
    try:
        value = tool.function(**arguments)
        return Outcome(value=encode(await value if inspect.isawaitable(value) else value))
    except Exception as error:  # noqa: BLE001
        # The function is the user's, so that its error can have any class. The model receives it.
        return Outcome(error=error)


def _failed(call: ToolCall, message: str) -> ToolResponse:
    return ToolResponse(
        call_id=call.call_id, tool_name=call.tool_name, content=message[:_MAX_MESSAGE], is_error=True
    )
