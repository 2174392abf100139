"""The OpenAPI document is correct: Schemathesis derives valid and invalid requests from it.

The document must allow the status, type and form of each answer. Each answer must also match OpenAI's
description (see `tests.support.serving`). No request may cause a server error.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from antiphon.server.app import ROUTES
from antiphon.server.describe.openapi import operations_of
from antiphon.settings.tools import FileSearchSettings, ToolsSettings, WebSearchSettings
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import get, post
from tests.support.serving import MAX_FILE, Serving, backends
from tests.support.thorough import often

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
OPERATIONS = operations_of(ROUTES)
EXAMPLES = often(6, 15)
"""Requests for each operation and mode."""
EXAMPLES_WITH_ITEMS = often(3, 6)
"""The same, if the body has items: they take 20 times longer, and all operations have the same items."""
WITH_ITEMS = {
    "/v1/responses",
    "/v1/responses/compact",
    "/v1/responses/input_tokens",
    "/v1/conversations",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/conversations/{conversation_id}/items",
}
SAMPLE = "antiphon/sample"
TOOLS = ToolsSettings(
    # A generated request may search; no server listens there.
    web_search=WebSearchSettings(provider="searxng", base_url="http://127.0.0.1:9"),
    file_search=FileSearchSettings(max_file_bytes=MAX_FILE),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    database: Path = tmp_path_factory.mktemp("server") / "state.db"
    with Serving(database, backends(), tools=TOOLS) as server:
        yield server


def without_free_items(document: JSONObject) -> JSONObject:
    """Remove fields that the client may fill with any JSON, and tools: they come back as they were sent."""
    schemas = document["components"]["schemas"]
    items = schemas["ItemPage"]["properties"]["data"]["items"]["anyOf"]
    dropped = []
    for reference in [*items, {"$ref": "#/components/schemas/InputAudio"}]:
        item = schemas[reference["$ref"].rpartition("/")[2]]
        free = {key for key, schema in item["properties"].items() if key == "tools" or is_free(schema)}
        if free & set(item["required"]):
            dropped.append(reference)
        for key in free:
            del item["properties"][key]
    kept: JSONObject = without(document, dropped)
    return kept


def is_free(schema: JSONObject) -> bool:
    """Return whether a schema, or one of its parts, accepts any object."""
    parts = [*schema.get("anyOf", []), *([schema["items"]] if "items" in schema else [])]
    closed = {"anyOf", "$ref", "enum", "properties", "additionalProperties"}
    is_open = schema.get("type", "object") == "object" and not closed & schema.keys()
    return is_open or any(map(is_free, parts))


def without(schema: JSON, dropped: list[JSONObject]) -> JSON:
    if isinstance(schema, list):
        return [without(each, dropped) for each in schema if each not in dropped]
    if isinstance(schema, dict):
        return {key: without(each, dropped) for key, each in schema.items()}
    return schema


@pytest.fixture(scope="module")
def document(server: Serving) -> JSONObject:
    return without_free_items(get(server.url, "/openapi.json").json)


@pytest.fixture(scope="module")
def description(server: Serving, document: JSONObject) -> BaseSchema:
    return described(server, document)


def described(server: Serving, document: JSONObject) -> BaseSchema:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url.removesuffix("/v1"))
    return schema


@pytest.fixture
def known(server: Serving) -> dict[str, JSON]:
    """Create objects and return their ids, by the names of parameters."""
    said = post(server.url, "/responses", {"model": SAMPLE, "input": "Hi"}).json
    conversation = post(server.url, "/conversations", {"items": [{"role": "user", "content": "Hi"}]}).json
    items = get(server.url, f"/conversations/{conversation['id']}/items").json
    return {
        "response_id": said["id"],
        "conversation_id": conversation["id"],
        "item_id": items["data"][0]["id"],
        "vector_store_id": post(server.url, "/vector_stores", {"name": "notes"}).json["id"],
        # Without the extra for the code interpreter, there are no containers.
        "container_id": post(server.url, "/containers", {"name": "notes"}).json.get("id", "cntr_none"),
        "prompt_id": post(server.url, "/prompts", {"prompt": "Hi", "variables": []}).json["prompt_id"],
        "model": SAMPLE,
    }


def can_be_wrong(operation: tuple[str, str]) -> bool:
    """Return whether a request has more than ids; any text can be an id."""
    described = OPERATIONS[operation]
    return described.body is not None or bool(described.query)


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_requests_as_described(
    operation: tuple[str, str], description: BaseSchema, known: dict[str, JSON]
) -> None:
    check(operation, GenerationMode.POSITIVE, description, known)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if can_be_wrong(each)], ids=" ".join)
def test_requests_with_something_wrong_are_refused(
    operation: tuple[str, str], description: BaseSchema, known: dict[str, JSON]
) -> None:
    check(operation, GenerationMode.NEGATIVE, description, known)


def test_a_description_that_is_not_true_is_found_out(server: Serving, document: JSONObject) -> None:
    text = json.dumps(document)
    lie = text.replace(
        '"properties": {"version": {"type": "string"}}', '"properties": {"version": {"type": "integer"}}'
    )
    assert lie != text
    with pytest.raises(FailureGroup, match="Response violates schema"):
        check(("GET", "/v1/version"), GenerationMode.POSITIVE, described(server, json.loads(lie)), {})


def check(
    operation: tuple[str, str], mode: GenerationMode, description: BaseSchema, known: dict[str, JSON]
) -> None:
    method, path = operation
    takes_items = method == "POST" and path in WITH_ITEMS
    examples = EXAMPLES_WITH_ITEMS if takes_items else EXAMPLES

    # Each run has the same requests. Failing ones aren't minimized, which takes longer than all others.
    @settings(max_examples=examples, derandomize=True, phases=[Phase.explicit, Phase.generate])
    @given(case=description[path][method].as_strategy(generation_mode=mode), is_known=st.booleans())
    def sent(case: JSON, is_known: bool) -> None:
        if is_known:
            for name in known.keys() & case.path_parameters.keys():
                case.path_parameters[name] = known[name]
            if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
                case.body["model"] = SAMPLE
        case.call_and_validate(checks=CHECKS)

    sent()
