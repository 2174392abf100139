"""What a request must obey beyond its types (`wire.md` 1.2 and 4)."""

from antiphon.errors import InvalidRequest
from antiphon.ids import ITEM_PREFIXES
from antiphon.service.metadata import check_metadata
from antiphon.wire.items import CompactionTrigger, InputItem
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
"""Item types whose id prefix is known from recordings; others are taken as they come."""


def check_create_response(request: CreateResponse) -> None:
    """Raises `InvalidRequest` for what cannot be done, before anything is stored or sent."""
    if not request.model:
        raise _missing("model")
    continues = request.previous_response_id is not None or request.conversation is not None
    if request.input is None and not continues and request.prompt is None:
        raise _missing("input")
    if isinstance(request.input, list) and not continues and not _has_context(request):
        raise InvalidRequest(
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an empty array "
            "instead.",
            code="empty_array",
            param="input",
        )
    if request.previous_response_id is not None and request.conversation is not None:
        raise InvalidRequest(
            "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only "
            "providing one of these parameters.",
            code="mutually_exclusive_parameters",
            param="previous_response_id",
        )
    if request.metadata:
        check_metadata(request.metadata)
    _check_unsupported(request)
    if isinstance(request.input, list):
        ends_with_trigger = bool(request.input) and isinstance(request.input[-1], CompactionTrigger)
        check_items(request.input[:-1] if ends_with_trigger else request.input, "input")


def check_items(items: list[InputItem], param: str) -> None:
    """Ids must have the prefix of their type (text recorded at api.openai.com)."""
    for position, item in enumerate(items):
        if isinstance(item, CompactionTrigger):
            raise InvalidRequest(
                f"Invalid '{param}[{position}]': a compaction_trigger is the last input item of a response.",
                code="invalid_value",
                param=f"{param}[{position}]",
            )
        kind = str(item.__struct_config__.tag)
        if kind not in _CHECKED_PREFIXES or not isinstance(item.id, str):
            continue
        prefix = ITEM_PREFIXES[kind]
        if not item.id.startswith(prefix):
            place = f"{param}[{position}].id"
            raise InvalidRequest(
                f"Invalid '{place}': '{item.id[:100]}'. Expected an ID that begins with '{prefix}'.",
                code="invalid_value",
                param=place,
            )


def _check_unsupported(request: CreateResponse) -> None:
    """Refuses what this server cannot do, so that nobody relies on it by mistake."""
    for name in ("background", "moderation"):
        if getattr(request, name):
            raise InvalidRequest(
                f"Unsupported parameter: '{name}' is not supported by this server.",
                code="unsupported_parameter",
                param=name,
            )


def _has_context(request: CreateResponse) -> bool:
    """Whether a request that continues nothing gives the model anything to read."""
    given = request.input if isinstance(request.input, list) else []
    return request.prompt is not None or any(not isinstance(item, CompactionTrigger) for item in given)


def _missing(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param
    )
