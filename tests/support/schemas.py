"""Checks of JSON on the wire against OpenAI's and Open Responses' descriptions.

They supplement the assertions of a test. Without `../shared`, they do nothing, and the first lines of pytest
say so.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jsonschema_rs
import msgspec
from openai import BaseModel
from openai.types.responses import (
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
)

from antiphon.wire.json import JSON, JSONObject
from tests.support.newer import add_newer
from tests.support.shared import ROOT, is_there

OPENAI = "reference/openai-openapi.json"
OPENRESPONSES = "reference/openresponses-openapi.json"


STEERING: dict[str, type[BaseModel]] = {
    "response.steer.accepted": ResponseSteerAcceptedEvent,
    "response.steer.pending": ResponseSteerPendingEvent,
    "response.steer.failed": ResponseSteerFailedEvent,
}
"""The types of openai-python for events that OpenAI's description doesn't have yet."""


class Exemption(NamedTuple):
    """A part of the description that api.openai.com itself doesn't follow."""

    component: str
    name: str
    """The property that may be null, may be absent, has further values, or has another form."""
    change: Callable[[JSONObject, str], None]
    reason: str


def _may_be_null(component: JSONObject, name: str) -> None:
    component["properties"][name] = {"anyOf": [component["properties"][name], {"type": "null"}]}


def _may_be_absent(component: JSONObject, name: str) -> None:
    component["required"].remove(name)


def _takes_also(*values: str) -> Callable[[JSONObject, str], None]:
    def add(component: JSONObject, name: str) -> None:
        schema = component["properties"][name] if name else component
        schema["enum"] += values

    return add


def _has_reasons(*reasons: str) -> Callable[[JSONObject, str], None]:
    def add(component: JSONObject, name: str) -> None:
        details = component["properties"][name]["anyOf"][0]
        details["properties"]["reason"]["enum"] += reasons

    return add


def _means_itself(component: JSONObject, name: str) -> None:
    inner = component["properties"][name]["items"]
    inner["oneOf"] = [part for part in inner["oneOf"] if "$recursiveRef" not in part]
    inner["oneOf"].append({"$ref": "#/components/schemas/CompoundFilter"})


EXEMPTIONS = (
    Exemption(
        "CompoundFilter",
        "filters",
        _means_itself,
        "its $recursiveRef is of a draft that validators do not know, and so fits anything",
    ),
    Exemption("ModelResponseProperties", "user", _may_be_null, "every recorded response has `user: null`"),
    Exemption("OpenAIFile", "expires_at", _may_be_null, "null for a file that never expires"),
    Exemption("Response", "usage", _may_be_null, "recorded null until the response has ended"),
    Exemption(
        "Response",
        "incomplete_details",
        _has_reasons("steered"),
        "newer than the description; openai-python has it",
    ),
    Exemption(
        "ResponseErrorCode",
        "",
        _takes_also("context_length_exceeded", "insufficient_quota"),
        "recorded in response.error.code, though not in the list of codes",
    ),
    Exemption(
        "TextResponseFormatJsonSchema",
        "description",
        _may_be_null,
        "recorded null where the request has no description",
    ),
    *(
        Exemption("MCPTool", name, _may_be_null, "recorded null where the request has none")
        for name in ("server_description", "server_url")
    ),
    Exemption("WebSearchToolCall", "action", _may_be_absent, "recorded without it while the call runs"),
    Exemption(
        "MCPApprovalResponseResource",
        "request_id",
        _may_be_absent,
        "required there, but declared nowhere and unknown to OpenAI's SDK",
    ),
    Exemption(
        "LocalShellToolCallOutput",
        "call_id",
        _may_be_absent,
        "required there, but declared nowhere and unknown to OpenAI's SDK",
    ),
    *(
        Exemption("InputFileContent", name, _may_be_null, "null where the request, which may, says null")
        for name in ("filename", "file_data", "file_url", "detail")
    ),
    Exemption("ConversationItemList", "first_id", _may_be_null, "recorded null on an empty page"),
    Exemption("ConversationItemList", "last_id", _may_be_null, "recorded null on an empty page"),
    *(
        Exemption(component, name, _may_be_null, "null on an empty page, as for conversations")
        for component in (
            *("ListFilesResponse", "ListVectorStoresResponse", "ListVectorStoreFilesResponse"),
            *("ContainerListResource", "ContainerFileListResource"),
        )
        for name in ("first_id", "last_id")
    ),
    Exemption("OpenAIFile", "purpose", _takes_also("evals"), "a purpose that an upload may have"),
    *(
        Exemption("Batch", name, _may_be_null, "null in the description's example until it is known")
        for name in (
            *("model", "errors", "output_file_id", "error_file_id", "in_progress_at", "finalizing_at"),
            *("completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at"),
        )
    ),
    *(
        Exemption("ListBatchesResponse", name, _may_be_null, "null on an empty page, as for conversations")
        for name in ("first_id", "last_id")
    ),
    Exemption("ResponseItemList", "first_id", _may_be_null, "null on an empty page, as for conversations"),
    Exemption("ResponseItemList", "last_id", _may_be_null, "null on an empty page, as for conversations"),
)
"""All exemptions; any other violation of the description is an error."""


def check_openai(component: str, value: JSON) -> None:
    """Assert that `value` matches a component of OpenAI's description."""
    _check(OPENAI, component, value)


def check_response(body: JSON) -> None:
    """Assert that `body` is a response object with every required key and no unknown key.

    OpenAI's description requires few keys; Open Responses requires all that a response always has.
    """
    check_openai("Response", body)
    if is_there():
        always = set(_components(OPENRESPONSES)["ResponseResource"]["required"])
        assert always <= body.keys(), f"lacks {sorted(always - body.keys())}"
        unknown = body.keys() - always - _properties(_components(OPENAI), "Response")
        assert not unknown, f"unknown keys {sorted(unknown)}"


def check_error(body: JSON) -> None:
    """Assert that `body` is the error envelope: `error` with its four keys, and perhaps the request ID."""
    assert list(body) in (["error"], ["error", "request_id"]), body
    assert set(body["error"]) == {"message", "type", "param", "code"}, body
    check_openai("Error", body["error"])


def check_event(event: JSON) -> None:
    """Assert that `event` is an event of OpenAI's stream, looked up by its `type`.

    An `error` event is nested on the wire (recorded), but flat in OpenAI's description; Open Responses
    describes the nested form. A server can be set to use Open Responses' names for raw reasoning.
    """
    if event["type"].startswith("response.reasoning."):
        check_openresponses_event(event)
        return
    if event["type"] == "error":
        _check(OPENRESPONSES, "ErrorStreamingEvent", event)
        check_error({"error": event["error"]})
        return
    if event["type"] in _UNDESCRIBED:
        every = {"type", "sequence_number", "output_index", "item_id"}
        assert event.keys() == _UNDESCRIBED[event["type"]] | every
        return
    _check_event(OPENAI, event)
    if is_there():
        known = _properties(_components(OPENAI), _event_components(OPENAI)[event["type"]])
        assert event.keys() <= known, f"unknown keys {sorted(event.keys() - known)} in {event['type']}"
    if "response" in event:
        check_response(event["response"])


_UNDESCRIBED = {
    "response.apply_patch_call_operation_diff.delta": {"delta"},
    "response.apply_patch_call_operation_diff.done": {"diff"},
}
"""Events that api.openai.com sends, although its description doesn't have them, and their own fields."""


def check_frame(event: JSON) -> None:
    """Assert that `event` is a message of a WebSocket.

    It is an event of a stream, an error with a status, or an event about steering; a named lane is in each.
    """
    event = dict(event)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,256}", event.pop("stream_id", "default"))
    if event["type"] in STEERING:
        if "input" in event["steer"]:  # As the client sent it, which needs no `type` for a message.
            assert isinstance(event["steer"]["input"], str | list)
            event["steer"] = event["steer"] | {"input": ""}
        STEERING[event["type"]].model_validate(event, strict=True, extra="forbid")
    elif event["type"] == "error" and "status" in event:
        assert set(event) == {"type", "status", "error"}, event
        assert set(event["error"]) - {"headers"} == {"message", "type", "param", "code"}, event
        _check(OPENRESPONSES, "WebSocketErrorEvent", event)
    else:
        check_event(event)


def check_openresponses_response(body: JSON) -> None:
    """Assert that `body` is a response as Open Responses describes it; for plain cases only."""
    _check(OPENRESPONSES, "ResponseResource", body)


def check_openresponses_compaction(body: JSON) -> None:
    """Assert that `body` is a compacted context as Open Responses describes it."""
    _check(OPENRESPONSES, "CompactResource", body)


def check_openresponses_event(event: JSON) -> None:
    """Assert that `event` is one of the events of Open Responses; for plain cases only."""
    _check_event(OPENRESPONSES, event)


def _check_event(document: str, event: JSON) -> None:
    if not is_there():
        return
    component = _event_components(document).get(event["type"])
    assert component is not None, f"{document} knows no event of type {event['type']}"
    _check(document, component, event)


def _check(document: str, component: str, value: JSON) -> None:
    if not is_there():
        return
    faults = [
        f"{'.'.join(map(str, error.instance_path)) or 'the whole'}: {error.message[-400:]}"
        for error in _validator(document, component).iter_errors(value)
    ]
    assert not faults, f"not a {component} of {document}: " + "; ".join(faults)


@cache
def _validator(document: str, component: str) -> jsonschema_rs.Draft202012Validator:
    components = _components(document)
    assert component in components, f"{document} has no component {component}"
    schema = {"$ref": f"urn:{document}#/components/schemas/{component}"}
    return jsonschema_rs.Draft202012Validator(schema, registry=_registry(document))


@cache
def _registry(document: str) -> jsonschema_rs.Registry:
    """Return the description for all validators; each copy would take 40 ms and 12 MB."""
    resource = {"components": {"schemas": _components(document)}}
    return jsonschema_rs.Registry([(f"urn:{document}", resource)], draft=jsonschema_rs.Draft202012)


@cache
def _event_components(document: str) -> dict[str, str]:
    """Return the component of each event type."""
    found: dict[str, str] = {}
    for name, component in _components(document).items():
        values = component.get("properties", {}).get("type", {}).get("enum", [])
        if (name.startswith("Response") and name.endswith("Event")) or name.endswith("StreamingEvent"):
            found |= dict.fromkeys(values, name)
    return found


def _properties(components: JSONObject, name: str) -> set[str]:
    """Return the names of a component's properties, including those of its parts."""
    component = components[name]
    names = set(component.get("properties", {}))
    for part in component.get("allOf", []):
        if "$ref" in part:
            names |= _properties(components, part["$ref"].rpartition("/")[2])
        names |= set(part.get("properties", {}))
    return names


@cache
def _components(document: str) -> JSONObject:
    components: JSONObject = _without_nullable(msgspec.json.decode((ROOT / document).read_bytes()))[
        "components"
    ]
    schemas: JSONObject = components["schemas"]
    if document == OPENAI:
        for exemption in EXEMPTIONS:
            exemption.change(_declaring(schemas[exemption.component], exemption.name), exemption.name)
        add_newer(schemas)
    return schemas


def _declaring(component: JSONObject, name: str) -> JSONObject:
    """Return the component itself, or the part of its `allOf` that declares the property."""
    parts = [component, *component.get("allOf", [])]
    return next((part for part in parts if name in part.get("properties", {})), component)


def _without_nullable(schema: JSON) -> JSON:
    """Replace `nullable: true` of OpenAPI 3.0 by a union, as in JSON Schema."""
    if isinstance(schema, list):
        return [_without_nullable(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _without_nullable(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
