"""Requests with steering input: checks, successors of steered responses, and input that clients owe."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import UNSET

from antiphon.engine.client.pairs import asks_client, called_id
from antiphon.engine.loop import is_warm_up
from antiphon.errors import InvalidRequest
from antiphon.service.responses.compaction import compacts
from antiphon.wire.content import InputFile, InputImage, InputText
from antiphon.wire.items import FunctionCall, InputItem, Item, McpApprovalRequest, Message, ToolSearchCall
from antiphon.wire.responses import CreateResponse
from antiphon.wire.steering import RequiredInput

R = TypeVar("R", bound=CreateResponse)


def is_steerable(request: CreateResponse) -> bool:
    """Return whether a request allows steering, as api.openai.com's documentation describes it."""
    return request.conversation is None and not compacts(request) and not is_warm_up(request)


def steering_messages(given: str | list[InputItem]) -> list[Message]:
    """Return steering input as messages.

    Raises:
        InvalidRequest: The input has something else than messages of the user.
    """
    if isinstance(given, str):
        return [Message(role="user", content=given)]
    if not given:
        raise _invalid("input", "Expected an array with minimum length 1, but got an empty array")
    messages: list[Message] = []
    for position, item in enumerate(given):
        place = f"input[{position}]"
        if not isinstance(item, Message) or item.role != "user":
            raise _invalid(place, "Expected a message with the role 'user'")
        if any(field is not UNSET for field in (item.id, item.status, item.phase)):
            raise _invalid(place, "Expected a message with the keys 'type', 'role' and 'content' alone")
        parts = [] if isinstance(item.content, str) else item.content
        if not all(isinstance(part, InputText | InputImage | InputFile) for part in parts):
            raise _invalid(f"{place}.content", "Expected 'input_text', 'input_image' and 'input_file' parts")
        messages.append(item)
    return messages


def successor(request: R, response_id: str) -> R:
    """Return the request that continues a response with the settings of its own request, without input."""
    return msgspec.structs.replace(request, previous_response_id=response_id, input=[])


def with_steering(request: R, messages: Sequence[Message]) -> R:
    """Return a request with steering input before its own."""
    given: list[InputItem] = [*messages]
    if isinstance(request.input, str):
        given.append(Message(role="user", content=request.input))
    else:
        given += request.input or ()
    return msgspec.structs.replace(request, input=given)


def required_input(output: Sequence[Item]) -> list[RequiredInput]:
    """Return the input that a response needs from the client before the model can continue.

    Args:
        output: The output of the response.
    """
    found = (_required(item) for item in output)
    return [each for each in found if each is not None]


def _required(item: Item) -> RequiredInput | None:
    if isinstance(item, McpApprovalRequest):
        return RequiredInput(type="mcp_approval_response", approval_request_id=str(item.id))
    if not asks_client([item]):
        return None
    call_id = called_id(item) or UNSET
    if isinstance(item, FunctionCall):
        return RequiredInput(type="function_call_output", call_id=call_id, name=item.name)
    if isinstance(item, ToolSearchCall):
        return RequiredInput(type="tool_search_output", call_id=call_id, execution="client")
    return RequiredInput(type=f"{item.__struct_config__.tag}_output", call_id=call_id)


def _invalid(param: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{param}': {expected}.", code="invalid_value", param=param)
