"""Fields of events and items: dictionaries, or objects of any client library."""

from antiphon.wire.json import JSON

_LOCAL_CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
    }
)
"""Calls that the client executes."""


def field(value: object, name: str) -> JSON:
    """Return a field, or None without it."""
    if isinstance(value, dict):
        return value.get(name)
    return getattr(value, name, None)


TERMINAL = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "error"}
)
"""Types of the last event of a stream."""
_WITH_RESPONSE = TERMINAL | {"response.created", "response.queued", "response.in_progress"}


def response_of(event: object) -> JSON:
    """Return the response of an event, or None."""
    # The type comes first, because the look-up of an absent attribute of a pydantic model is slow.
    return field(event, "response") if text_field(event, "type") in _WITH_RESPONSE else None


def text_field(value: object, name: str) -> str:
    """Return a text field, or an empty string without it."""
    found = field(value, name)
    return found if isinstance(found, str) else ""


def list_field(value: object, name: str) -> list[JSON]:
    """Return a list field, or an empty list without it."""
    found = field(value, name)
    return list(found) if isinstance(found, list | tuple) else []


def plain(value: object) -> JSON:
    """Return an item as JSON, for a request or for the user."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_unset=True, warnings=False) if callable(dump) else value


def is_hosted_call(item_type: str) -> bool:
    """Return whether items of a type are calls that the server executes."""
    return item_type == "mcp_list_tools" or (item_type.endswith("_call") and item_type not in _LOCAL_CALLS)


def tool_type_of(item_type: str) -> str:
    """Return the tool of an item, such as `web_search` for `web_search_call`."""
    if item_type == "function_call":
        return "function"
    return item_type if item_type == "mcp_call" else item_type.removesuffix("_call")


def texts_of(item: object) -> str:
    """Return the text of a message, including a refusal."""
    parts = list_field(item, "content")
    return "".join(text_field(part, "text") or text_field(part, "refusal") for part in parts)
