"""The checks against the descriptions, which must find violations."""

import msgspec
import pytest

from antiphon.engine.response import new_response
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from tests.support.schemas import (
    check_error,
    check_event,
    check_openai,
    check_openresponses_event,
    check_openresponses_response,
    check_response,
)
from tests.support.shared import shared

pytestmark = pytest.mark.shared


ERROR: JSONObject = {"message": "no", "type": "server_error", "param": None, "code": None}


@pytest.fixture(autouse=True)
def _descriptions() -> None:
    shared("reference/openai-openapi.json")


@pytest.fixture
def response() -> JSONObject:
    plain = new_response(CreateResponse(model="m", input="hi"), "resp_1", 1)
    decoded: JSONObject = msgspec.json.decode(msgspec.json.encode(plain))
    return decoded


def test_a_plain_response_fits_both_descriptions(response: JSONObject) -> None:
    check_response(response)
    with pytest.raises(AssertionError, match="reasoning"):
        check_openresponses_response(response | {"reasoning": 1})
    check_openresponses_response(response)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "complete"}, "status"),
        ({"created_at": None}, "created_at"),
        ({"output": [{"type": "message"}]}, "output.0"),
        ({"error": {"code": "no_such_code", "message": ""}}, "error"),
        ({"output_txt": ""}, "unknown keys"),
        ({"user": 1}, "user"),
    ],
)
def test_a_wrong_response_is_refused(response: JSONObject, changes: JSONObject, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_response(response | changes)


@pytest.mark.parametrize("key", ["store", "frequency_penalty", "incomplete_details", "usage"])
def test_a_response_without_one_of_its_keys_is_refused(response: JSONObject, key: str) -> None:
    del response[key]
    with pytest.raises(AssertionError, match=key):
        check_response(response)


def test_the_response_inside_an_event_is_checked_too(response: JSONObject) -> None:
    event = {"type": "response.created", "sequence_number": 0, "response": response}
    check_event(event)
    check_openresponses_event(event)
    del response["store"]
    with pytest.raises(AssertionError, match="store"):
        check_event(event)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.invented", "sequence_number": 0},
        {"type": "response.output_text.delta", "sequence_number": 0, "delta": "x"},
        {"type": "error", "sequence_number": 0, **ERROR},
        {"type": "error", "sequence_number": 0, "error": {"message": "no", "type": "server_error"}},
        {
            "type": "response.refusal.delta",
            "sequence_number": 0,
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "x",
            "logprobs": [],
        },
    ],
)
def test_a_wrong_event_is_refused(event: JSONObject) -> None:
    with pytest.raises(AssertionError):
        check_event(event)


def test_an_error_has_four_keys() -> None:
    check_error({"error": ERROR})
    check_event({"type": "error", "sequence_number": 3, "error": ERROR})
    for key in ERROR:
        with pytest.raises(AssertionError):
            check_error({"error": {name: value for name, value in ERROR.items() if name != key}})


@pytest.mark.parametrize(
    ("component", "value"),
    [
        (
            "ConversationItemList",
            {"object": "list", "data": [], "has_more": False, "first_id": None, "last_id": None},
        ),
        ("WebSearchToolCall", {"type": "web_search_call", "id": "ws_1", "status": "in_progress"}),
        ("ResponseErrorCode", "context_length_exceeded"),
    ],
)
def test_what_api_openai_com_is_known_to_send_is_exempt(component: str, value: JSON) -> None:
    check_openai(component, value)
