"""The plain requests of Open Responses' acceptance suite, also streamed, over raw HTTP to the sample model.

The tests check every body and every event against Open Responses' description. `tests/conformance` has the
checks of the suite.
"""

from collections.abc import Iterator

import httpx2
import msgspec
import pytest

from antiphon.wire.json import JSONObject
from tests.conformance.requests import BASIC, IMAGE, PHASES, SYSTEM, TOOLS, TURNS
from tests.support.schemas import check_openresponses_event, check_openresponses_response
from tests.support.serving import Serving, backends

CASES = {
    "basic-response": BASIC,
    "assistant-phase": PHASES,
    "system-prompt": SYSTEM,
    "tool-calling": TOOLS,
    "image-input": IMAGE,
    "multi-turn": TURNS,
}


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with (
        Serving(tmp_path_factory.mktemp("server") / "state.db", backends()) as server,
        httpx2.Client(base_url=server.url, headers={"Authorization": "Bearer none"}) as http,
    ):
        yield http


def answered(http: httpx2.Client, request: JSONObject) -> JSONObject:
    """Return the response to a request, once it is checked."""
    answer = http.post("/responses", json={"model": "antiphon/sample", **request})
    assert answer.status_code == 200, answer.text
    body: JSONObject = answer.json()
    check_openresponses_response(body)
    assert body["status"] == "completed"
    assert body["output"]
    return body


def streamed(http: httpx2.Client, request: JSONObject) -> list[JSONObject]:
    """Return the events of a stream, once they are checked."""
    answer = http.post("/responses", json={"model": "antiphon/sample", "stream": True, **request})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *frames, end, rest = answer.text.split("\n\n")
    assert (end, rest) == ("data: [DONE]", "")
    events = []
    for frame in frames:
        name, data = frame.split("\n")
        event = msgspec.json.decode(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        check_openresponses_event(event)
        events.append(event)
    return events


@pytest.mark.parametrize("name", CASES)
def test_a_streaming_response(http: httpx2.Client, name: str) -> None:
    events = streamed(http, CASES[name])
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    final = events[-1]
    assert final["type"] == "response.completed"
    check_openresponses_response(final["response"])
    assert final["response"]["status"] == "completed"
    kinds = {event["type"] for event in events}
    delta = "function_call_arguments" if name == "tool-calling" else "output_text"
    assert {f"response.{delta}.delta", f"response.{delta}.done"} <= kinds


def test_streamed_and_whole_say_the_same(http: httpx2.Client) -> None:
    whole = answered(http, BASIC)
    final = streamed(http, BASIC)[-1]["response"]
    texts = [body["output"][0]["content"][0]["text"] for body in (whole, final)]
    assert texts[0] == texts[1]
    assert whole.keys() == final.keys()


def test_phases_come_back(http: httpx2.Client) -> None:
    """The list of input items shows phases of the input; a message without one has no key."""
    body = answered(http, PHASES)
    items = http.get(f"/responses/{body['id']}/input_items", params={"order": "asc"}).json()["data"]
    assert [item.get("phase", "absent") for item in items] == [
        "absent",
        "commentary",
        "final_answer",
        "absent",
    ]


def test_a_stored_response_is_still_valid(http: httpx2.Client) -> None:
    body = answered(http, TOOLS)
    stored = http.get(f"/responses/{body['id']}").json()
    check_openresponses_response(stored)
    assert stored == body


def test_errors_are_client_errors(http: httpx2.Client) -> None:
    answer = http.post("/responses", json={"model": "antiphon/sample"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input"
