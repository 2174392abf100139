"""Rules for requests beyond their types."""

import msgspec
import pytest

from antiphon.decode import bodies
from antiphon.errors import InvalidRequest
from antiphon.service.metadata import check_metadata
from antiphon.service.responses.validation import check_create_response, check_items
from antiphon.wire.json import JSON, JSONObject
from tests.clients.kinds import KINDS

GOOD: JSONObject = {"model": "up/m", "input": "Hi"}


def refused(**request: JSON) -> InvalidRequest:
    body = {key: value for key, value in (GOOD | request).items() if value != "absent"}
    with pytest.raises(InvalidRequest) as caught:
        check_create_response(bodies.create_response.decode(msgspec.json.encode(body)))
    return caught.value


@pytest.mark.parametrize(
    ("request_", "param", "code"),
    [
        ({"model": "absent"}, "model", "missing_required_parameter"),
        ({"model": ""}, "model", "missing_required_parameter"),
        ({"input": "absent"}, "input", "missing_required_parameter"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "empty_array"),
        (
            {"previous_response_id": "resp_1", "conversation": "conv_1"},
            "previous_response_id",
            "mutually_exclusive_parameters",
        ),
        ({"background": True, "store": False}, "store", "invalid_value"),
        ({"input": [{"type": "compaction_trigger"}]}, "input", "empty_array"),
        (
            {"input": [{"type": "compaction_trigger"}, {"role": "user", "content": "Hi"}]},
            "input[0]",
            "invalid_value",
        ),
        ({"metadata": {"k" * 65: "v"}}, f"metadata.{'k' * 64}...", "property_name_above_max_length"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length"),
    ],
)
def test_what_is_refused(request_: JSONObject, param: str, code: str) -> None:
    error = refused(**request_)
    assert (error.status, error.param, error.code) == (400, param, code)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"input": "absent", "previous_response_id": "resp_1"},
        {"input": [], "conversation": "conv_1"},
        {"background": False},
        {"client_metadata": {"anything": [1]}},
        {"metadata": {"k" * 64: "v" * 512}},
        {"service_tier": "flex", "prompt_cache_key": "k", "safety_identifier": "s", "user": "u"},
    ],
)
def test_what_is_taken(request_: JSONObject) -> None:
    body = {key: value for key, value in (GOOD | request_).items() if value != "absent"}
    check_create_response(bodies.create_response.decode(msgspec.json.encode(body)))


def test_metadata_has_sixteen_pairs_at_most() -> None:
    check_metadata({str(number): "" for number in range(16)})
    check_metadata(None)
    with pytest.raises(InvalidRequest, match="17 properties") as caught:
        check_metadata({str(number): "" for number in range(17)})
    assert caught.value.param == "metadata"


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("user", "msg"),
        ("function_call", "fc"),
        ("reasoning", "rs"),
        ("web_search_call", "ws"),
        ("file_search_call", "fs"),
        ("code_interpreter_call", "ci"),
        ("mcp_call", "mcp"),
        ("mcp_list_tools", "mcpl"),
        ("mcp_approval_request", "mcpr"),
        ("compaction", "cmp"),
    ],
)
def test_ids_have_the_prefix_of_their_type(name: str, prefix: str) -> None:
    def items(item_id: str) -> JSON:
        body = {"items": [KINDS["user"], KINDS[name] | {"id": item_id}]}
        return bodies.create_items.decode(msgspec.json.encode(body)).items

    check_items(items(f"{prefix}_of-a-client"), "items")
    with pytest.raises(InvalidRequest) as caught:
        check_items(items("bad_1"), "items")
    assert caught.value.message == (
        f"Invalid 'items[1].id': 'bad_1'. Expected an ID that begins with '{prefix}'."
    )
    assert (caught.value.code, caught.value.param) == ("invalid_value", "items[1].id")


def test_outputs_may_have_any_id() -> None:
    """No recording shows prefixes for them."""
    body = {"items": [KINDS["function_call_output"] | {"id": "anything"}]}
    check_items(bodies.create_items.decode(msgspec.json.encode(body)).items, "items")
