"""Validation of requests beyond their types, as at api.openai.com."""

from antiphon.decode.explain import mutually_exclusive, wrong_prefix
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.service.metadata import check_metadata
from antiphon.service.responses.gather import conversation_id
from antiphon.wire.configuration import ConfigurationUpdate
from antiphon.wire.conversations import CONVERSATION_PREFIX
from antiphon.wire.items import ITEM_PREFIXES, CompactionTrigger, FunctionCallOutput, InputItem
from antiphon.wire.responses import CreateResponse

_CHECKED_PREFIXES = frozenset(
    {
        "message",
        "function_call",
        "reasoning",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "mcp_list_tools",
        "mcp_call",
        "mcp_approval_request",
        "image_generation_call",
        "compaction",
    }
)
"""Item types whose id prefix api.openai.com checks, by recorded errors; other ids pass unchecked."""


def check_create_response(request: CreateResponse) -> None:
    """Check that this server can process a request, before anything is stored or sent.

    Raises:
        InvalidRequest: A parameter is missing, invalid or unsupported.
    """
    if not request.model:
        raise MissingParameter("model")
    continues = request.previous_response_id is not None or request.conversation is not None
    if request.input is None and not continues and request.prompt is None:
        raise MissingParameter("input")
    if isinstance(request.input, list) and not continues and not _has_context(request):
        raise InvalidRequest(
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array "
            "instead.",
            code="empty_array",
            param="input",
        )
    if request.previous_response_id is not None and request.conversation is not None:
        raise mutually_exclusive("previous_response_id", "conversation", param="previous_response_id")
    if request.conversation is not None:
        named = conversation_id(request)
        if not named.startswith(CONVERSATION_PREFIX):
            param = "conversation" if isinstance(request.conversation, str) else "conversation.id"
            raise wrong_prefix(param, named, CONVERSATION_PREFIX)
    if request.metadata:
        check_metadata(request.metadata)
    _check_unsupported(request)
    if request.background or request.background_options is not None:
        _check_background(request)
    if isinstance(request.input, list):
        ends_with_trigger = bool(request.input) and isinstance(request.input[-1], CompactionTrigger)
        check_items(request.input[:-1] if ends_with_trigger else request.input, "input")


def check_items(items: list[InputItem], param: str) -> None:
    """Check that the ids of items have the prefix of their type, and that outputs name their calls.

    Raises:
        InvalidRequest: An id has another prefix (api.openai.com's message), a function call's output has no
            `call_id`, or a compaction trigger isn't the last item of a response.
    """
    for position, item in enumerate(items):
        if isinstance(item, CompactionTrigger):
            raise InvalidRequest(
                f"Invalid '{param}[{position}]': a compaction_trigger must be the last input item of a "
                "response.",
                code="invalid_value",
                param=f"{param}[{position}]",
            )
        if isinstance(item, ConfigurationUpdate) and not (item.reasoning or item.text):
            raise MissingParameter(f"{param}[{position}].reasoning")
        if isinstance(item, FunctionCallOutput) and not item.call_id:
            # Its type allows null, but a chat model receives only outputs of known calls.
            raise MissingParameter(f"{param}[{position}].call_id")
        kind = str(item.__struct_config__.tag)
        if kind not in _CHECKED_PREFIXES or not isinstance(item.id, str):
            continue
        prefix = ITEM_PREFIXES[kind]
        if not item.id.startswith(prefix):
            raise wrong_prefix(f"{param}[{position}].id", item.id, prefix)


def _check_unsupported(request: CreateResponse) -> None:
    """Reject unsupported parameters, so that no client relies on them by mistake."""
    if request.image is not None and request.image.context_compression == "enabled":
        raise InvalidRequest(
            "Unsupported value: 'image.context_compression' does not support 'enabled' on this server. Use "
            "'auto' or 'disabled'.",
            code="unsupported_value",
            param="image.context_compression",
        )


def _check_background(request: CreateResponse) -> None:
    """Check the parameters that background responses allow."""
    if request.background and request.store is False:
        raise InvalidRequest(
            "Invalid value: 'false'. A background response must be stored. Omit 'store' or set it to true.",
            code="invalid_value",
            param="store",
        )
    window = request.background_options and request.background_options.completion_window
    if window in (None, "soonest"):
        return
    if not request.background or request.stream or request.service_tier not in (None, "auto", "default"):
        raise InvalidRequest(
            f"Invalid value: '{window}'. This completion window needs 'background: true', no stream and the "
            "standard service tier.",
            code="invalid_value",
            param="background_options.completion_window",
        )


def _has_context(request: CreateResponse) -> bool:
    """Return whether a request without history has a prompt or input for the model."""
    given = request.input if isinstance(request.input, list) else []
    return request.prompt is not None or any(not isinstance(item, CompactionTrigger) for item in given)
