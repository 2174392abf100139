"""Events of stored responses, put together from their items."""

from pathlib import Path

import msgspec
import pytest

from antiphon.viewer.events import events_of
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import Response
from tests.engine.life_cycle import check_life_cycles
from tests.recording.case_world import calling, recording, words
from tests.recording.hosted_world import RUN, with_tools
from tests.recording.test_cases_r_hosted import whole_run
from tests.server.client import get, post
from tests.support.upstream import Answer, chunk, sse

FUNCTION: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CUSTOM: JSONObject = {"type": "custom", "name": "c"}
ANSWERS = {
    "text": words("Good", " day."),
    "function": calling("f", {"a": 1}),
    "custom": calling("c", {"input": "x = 1"}),
    "reasoning": sse(chunk(reasoning_content="Hm."), chunk("Yes."), chunk(finish="stop")),
    "refusal": sse(chunk(refusal="No."), chunk(finish="stop")),
    "cut": sse(chunk("Yes and"), chunk(finish="length")),
}


def regenerated(body: JSONObject) -> list[JSONObject]:
    """Return the events of a stored response."""
    events = events_of(msgspec.convert(body, Response))
    decoded: list[JSONObject] = msgspec.json.decode(msgspec.json.encode(events))
    assert [event["sequence_number"] for event in decoded] == list(range(len(decoded)))
    check_life_cycles(decoded[2:-1], decoded[-1]["response"]["output"])
    return decoded


def kinds(events: list[JSONObject]) -> list[str]:
    """Return the types of events; several deltas in a row count as one."""
    types: list[str] = [event["type"] for event in events]
    return [
        name
        for number, name in enumerate(types)
        if not (number and name == types[number - 1] and name.endswith(".delta"))
    ]


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_they_are_those_that_the_client_received_with_each_text_in_one_piece(
    answer: Answer, tmp_path: Path
) -> None:
    request: JSONObject = {"model": "up/m", "input": "Hello", "tools": [FUNCTION, CUSTOM], "stream": True}
    with recording(tmp_path, answer, mode="live") as (server, _):
        sent: list[JSONObject] = post(server.url, "/responses", request).payloads
        stored = get(server.url, f"/responses/{sent[0]['response']['id']}").json
    events = regenerated(stored)
    assert kinds(events) == kinds(sent)
    last: JSON = events[-1]
    assert last == sent[-1] | {"sequence_number": len(events) - 1}


def test_those_of_hosted_tools_have_all_stages(tmp_path: Path) -> None:
    with with_tools(tmp_path / "unused", *RUN, mode="live") as (server, running):
        made = whole_run(server.url, f"{running.url}/basic/mcp", stream=False)
        events = regenerated(get(server.url, f"/responses/{made.id}").json)
    names = kinds(events)
    for stage in (
        "response.mcp_list_tools.completed",
        "response.mcp_call_arguments.done",
        "response.mcp_call.completed",
        "response.web_search_call.searching",
        "response.file_search_call.completed",
        "response.output_text.annotation.added",
    ):
        assert stage in names
