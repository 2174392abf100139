"""Checks of Open Responses' acceptance suite (July 2026, with later additions), by name.

Each takes a `Target` and raises `AssertionError`. Because they call a language model, they check the form of
answers and not their text.
"""

from collections.abc import Callable

from antiphon.wire.json import JSON, JSONObject
from tests.conformance import requests
from tests.conformance.requests import NOBODYS_ID, message
from tests.conformance.target import Target
from tests.support.schemas import check_openresponses_compaction, check_openresponses_response

NOT_FOUND = "previous_response_not_found"


def basic_response(target: Target) -> None:
    target.respond(requests.BASIC)


def assistant_phase(target: Target) -> None:
    target.respond(requests.PHASES)


def response_output_phase_schema(target: Target) -> None:
    """Check each phase in the schema of messages, because requests only create responses."""
    response = target.respond(requests.BASIC)
    part: JSON = {"type": "output_text", "text": "Hello.", "annotations": []}
    said = message("assistant", [part], id="msg_1", status="completed")
    output: list[JSON] = [said | {"phase": phase} for phase in ("commentary", "final_answer")]
    check_openresponses_response(response | {"output": output})


def streaming_response(target: Target) -> None:
    events = target.stream(requests.BASIC)
    assert events[-1]["type"] == "response.completed", f"the last event is {events[-1]['type']}"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def system_prompt(target: Target) -> None:
    target.respond(requests.SYSTEM)


def tool_calling(target: Target) -> None:
    _call(target)


def image_input(target: Target) -> None:
    target.respond(requests.IMAGE)


def multi_turn(target: Target) -> None:
    target.respond(requests.TURNS)


def compact_response(target: Target) -> None:
    compacted = _compacted(target, prompt_cache_key="conformance")
    assert compacted["object"] == "response.compaction"
    assert "compaction" in [item["type"] for item in compacted["output"]]


def compact_missing_model(target: Target) -> None:
    status = target.post("/responses/compact", requests.LONG).status_code
    assert status in (400, 422), f"status {status}"


def websocket_response(target: Target) -> None:
    with target.socket() as socket:
        socket.respond(requests.BASIC)


def websocket_sequential_responses(target: Target) -> None:
    with target.socket() as socket:
        ids = [socket.respond(_unstored(requests.BASIC))["id"] for _ in range(2)]
    assert len(set(ids)) == 2, "both have one id"


def websocket_continuation(target: Target) -> None:
    with target.socket() as socket:
        first = socket.respond(_unstored(requests.BASIC))
        socket.respond(_unstored(requests.BASIC, first["id"]))


def websocket_reconnect_store_false_recovery(target: Target) -> None:
    with target.socket() as socket:
        first = socket.respond(_unstored(requests.BASIC))
    with target.socket() as socket:
        assert socket.refused(_unstored(requests.BASIC, first["id"]))["code"] == NOT_FOUND
        socket.respond(_unstored(requests.BASIC))


def websocket_previous_response_not_found(target: Target) -> None:
    with target.socket() as socket:
        frame = socket.events(_unstored(requests.BASIC, NOBODYS_ID))[-1]
    assert (frame["type"], frame["status"]) == ("error", 400)
    assert frame["error"]["code"] == NOT_FOUND


def websocket_failed_continuation_evicts_cache(target: Target) -> None:
    with target.socket() as socket:
        first = socket.respond(_unstored(requests.BASIC))
        orphan: JSONObject = {"input": [requests.ORPHAN]}
        assert socket.refused(_unstored(orphan, first["id"]))["code"] != NOT_FOUND
        assert socket.refused(_unstored(requests.BASIC, first["id"]))["code"] == NOT_FOUND


def websocket_compact_new_chain(target: Target) -> None:
    compacted = _compacted(target)
    asked = [*compacted["output"], message("user", "Where do I live?")]
    with target.socket() as socket:
        socket.respond(_unstored({"input": asked, "tools": []}))


def function_call_roundtrip(target: Target) -> None:
    """Return a call and its output to the model, with the whole history that the client kept."""
    response, call = _call(target)
    output: JSON = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"celsius": 18}'}
    given = [*requests.TOOLS["input"], *response["output"], output]
    answer = target.respond({**requests.TOOLS, "input": given, "tool_choice": "none"})
    assert "message" in [item["type"] for item in answer["output"]]


def file_input(target: Target) -> None:
    target.respond(requests.FILE)


def previous_response_id(target: Target) -> None:
    """Continue a stored response over HTTP, and one that does not exist."""
    first = target.respond(requests.BASIC)
    second = target.respond({**requests.BASIC, "previous_response_id": first["id"]})
    assert second["previous_response_id"] == first["id"]
    body = {"model": target.model, "previous_response_id": NOBODYS_ID, **requests.BASIC}
    missing = target.post("/responses", body)
    assert missing.status_code in (400, 404), f"status {missing.status_code}"
    assert missing.json()["error"]["code"] == NOT_FOUND


CHECKS: dict[str, Callable[[Target], None]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        basic_response,
        assistant_phase,
        response_output_phase_schema,
        streaming_response,
        system_prompt,
        tool_calling,
        image_input,
        multi_turn,
        compact_response,
        compact_missing_model,
        websocket_response,
        websocket_sequential_responses,
        websocket_continuation,
        websocket_reconnect_store_false_recovery,
        websocket_previous_response_not_found,
        websocket_failed_continuation_evicts_cache,
        websocket_compact_new_chain,
        function_call_roundtrip,
        file_input,
        previous_response_id,
    )
}
"""All checks, in the suite's order."""


def _call(target: Target) -> tuple[JSONObject, JSONObject]:
    """Make the model call a function; return the response and the call."""
    response = target.respond(requests.TOOLS)
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    assert calls, "no function is called"
    assert calls[0]["name"] == "get_weather"
    return response, calls[0]


def _compacted(target: Target, **more: JSON) -> JSONObject:
    compacted = target.asked("/responses/compact", {**requests.LONG, **more})
    check_openresponses_compaction(compacted)
    return compacted


def _unstored(body: JSONObject, previous: JSON = None) -> JSONObject:
    """Return the request without storage, as a continuation of the response `previous` if it is given."""
    return {**body, "store": False} | ({"previous_response_id": previous} if previous else {})
