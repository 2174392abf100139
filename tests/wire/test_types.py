"""The wire types against all recordings: decoded and encoded again, no key is lost."""

from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest

from antiphon.decode.bodies import create_conversation, create_response
from antiphon.wire.conversations import Conversation, DeletedConversation
from antiphon.wire.items import InputItem, Item
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse, Include
from antiphon.wire.tools import Tool
from tests.support.schemas import check_openai
from tests.support.shared import shared
from tests.wire.compare import Comparison, Difference
from tests.wire.recordings import COVERED, HOSTED, LEFT_OUT, Exchange, exchanges

pytestmark = pytest.mark.shared


ALL = sorted({*COVERED, *HOSTED, *LEFT_OUT})


def lost(sent: JSON, kept: object) -> list[Difference]:
    """Return the values that a wire type loses; additional keys with defaults don't count."""
    again = msgspec.json.decode(msgspec.json.encode(kept))
    return [d for d in Comparison().differences("it", sent, again) if d.kind != "absent there"]


def post_responses(recording: str) -> Iterator[Exchange]:
    """Yield the accepted requests to create a response."""
    for exchange in exchanges(recording):
        if (exchange.method, exchange.path, exchange.status) == ("POST", "/v1/responses", 200):
            yield exchange


@pytest.mark.parametrize("recording", ALL)
def test_recorded_requests_decode_without_loss(recording: str) -> None:
    for exchange in post_responses(recording):
        request = create_response.decode(msgspec.json.encode(exchange.request))
        assert lost(exchange.request, request) == [], exchange.name


@pytest.mark.parametrize("recording", ALL)
def test_recorded_items_decode_without_loss(recording: str) -> None:
    for exchange in exchanges(recording):
        items = exchange.output() + [event["item"] for event in exchange.events if "item" in event]
        for item in items:
            if item["type"] == "message" and "role" not in item:
                assert recording == "a-builtin-tool-code_interpreter-outputs-multi-stream"  # edited by hand
                continue
            assert lost(item, msgspec.convert(item, Item)) == [], exchange.name


@pytest.mark.parametrize("recording", ALL)
def test_recorded_tools_decode_without_loss(recording: str) -> None:
    for exchange in post_responses(recording):
        response = exchange.events[-1]["response"] if exchange.events else exchange.body
        for tool in response.get("tools", []):
            if tool["type"] != "image_generation":
                assert lost(tool, msgspec.convert(tool, Tool)) == [], exchange.name


def test_recorded_conversations_decode_without_loss() -> None:
    found = [e for name in ALL for e in exchanges(name) if e.path.startswith("/v1/conversations")]
    assert {exchange.method for exchange in found} == {"POST", "DELETE"}
    for exchange in found:
        if exchange.method == "POST":
            create_conversation.decode(msgspec.json.encode(exchange.request))
            assert lost(exchange.body, msgspec.convert(exchange.body, Conversation)) == []
            check_openai("ConversationResource", exchange.body)
        else:
            assert lost(exchange.body, msgspec.convert(exchange.body, DeletedConversation)) == []
            check_openai("DeletedConversationResource", exchange.body)


@pytest.fixture(scope="module")
def schemas() -> JSONObject:
    document = msgspec.json.decode(shared("reference/openai-openapi.json").read_bytes())
    components: JSONObject = document["components"]["schemas"]
    return components


def types_in(schemas: JSONObject, name: str) -> set[str]:
    """Return the values of `type` in a union of components."""
    component = schemas[name]
    options = [
        o["$ref"].rpartition("/")[2]
        for o in [*component.get("oneOf", []), *component.get("anyOf", [])]
        if "$ref" in o
    ]
    if options:
        return set().union(*(types_in(schemas, option) for option in options))
    kind = component.get("properties", {}).get("type", {})
    return set(kind.get("enum", []))


def tags(union: object) -> set[str]:
    return {str(member.__struct_config__.tag) for member in get_args(union)}


def parameters_of(schemas: JSONObject, component: JSONObject) -> set[str]:
    """Return the names of a component's properties, including those of its parts."""
    names = set(component.get("properties", {}))
    for part in component.get("allOf", []):
        names |= parameters_of(schemas, schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part)
    return names


def test_every_parameter_of_the_description_is_known(schemas: JSONObject) -> None:
    assert parameters_of(schemas, schemas["CreateResponse"]) - set(CreateResponse.__struct_fields__) == set()


def test_every_item_type_of_the_description_is_known(schemas: JSONObject) -> None:
    assert types_in(schemas, "InputItem") - tags(InputItem) == set()
    assert types_in(schemas, "OutputItem") - tags(Item) == set()


def test_every_tool_of_the_description_is_known(schemas: JSONObject) -> None:
    assert types_in(schemas, "Tool") - tags(Tool) == set()


def test_every_include_of_the_description_is_known(schemas: JSONObject) -> None:
    assert set(schemas["IncludeEnum"]["enum"]) == set(get_args(Include))
