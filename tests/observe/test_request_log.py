"""The log line and its fields are made from the record alone."""

import logging
from collections.abc import Callable

import msgspec
import pytest

from antiphon.engine.response import new_response
from antiphon.errors import InvalidRequest, ModelNotFound, UpstreamError
from antiphon.observe.fields import FIELDS
from antiphon.observe.record import Record
from antiphon.observe.request_log import write
from antiphon.wire.json import JSONObject
from antiphon.wire.responses import ConversationReference, CreateResponse, Response
from antiphon.wire.tools import FunctionTool

Logged = Callable[[Record], tuple[str, JSONObject]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """Return the line of a record without its times, and its fields."""
    caplog.set_level(logging.INFO, "antiphon.access")

    def log(record: Record) -> tuple[str, JSONObject]:
        write(record)
        entry = caplog.records[-1]
        fields: JSONObject = entry.__dict__["fields"]
        msgspec.json.encode(fields)
        assert fields.keys() <= {each.name for each in FIELDS}, "a field is not documented"
        return entry.getMessage().replace(f" {fields['seconds']:.2f}s", ""), fields

    return log


def response(**changes: object) -> Response:
    made = new_response(CreateResponse(model="up/m", input="Hi"), "resp_1", 1)
    return msgspec.structs.replace(made, **{"status": "completed"} | changes)


def answered() -> Record:
    record = Record("POST", "/v1/responses")
    record.responded(response(), None)
    record.model_called("up/m")
    return record


def test_one_model_call_is_not_worth_a_word(logged: Logged) -> None:
    line, fields = logged(answered())
    assert line == "resp_1 up/m completed"
    assert fields["model_calls"] == 1
    assert "recording" not in fields


def test_the_line_counts_no_declared_tools_and_the_fields_have_the_chain(logged: Logged) -> None:
    record = answered()
    tools = [FunctionTool(name="a"), FunctionTool(name="b")]
    record.responded(
        response(tools=tools, previous_response_id="resp_0", conversation=ConversationReference(id="conv_1")),
        None,
    )
    line, fields = logged(record)
    assert line == "resp_1 up/m completed"
    assert (fields["tools"], fields["previous_response_id"], fields["conversation"]) == (
        2,
        "resp_0",
        "conv_1",
    )


def test_the_tools_that_ran_are_named_with_their_failures(logged: Logged) -> None:
    record = answered()
    record.model_called("up/m")
    record.model_called("up/m")
    for failed in (False, True):
        record.tool_called("web_search", failed=failed)
    record.tool_called("docs.ask", failed=False)
    line, fields = logged(record)
    assert line == "resp_1 up/m completed, 3 model calls, web_search x2 (1 failed), docs.ask x1"
    assert fields["tool_calls"] == {
        "web_search": {"calls": 2, "failed": 1},
        "docs.ask": {"calls": 1, "failed": 0},
    }


def test_names_of_tools_are_bounded_and_printable(logged: Logged) -> None:
    record = answered()
    record.tool_called("evil\n\x1b[31m" + "x" * 500, failed=False)
    for number in range(12):
        record.tool_called(f"tool{number}", failed=False)
    line, _ = logged(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert len(line) < 400
    assert line.endswith("tool8 x1, 3 more tools")


def test_recordings_are_counted(logged: Logged) -> None:
    record = answered()
    for number in range(3):
        record.recorded(f"default.json#{number}")
    assert logged(record)[0] == "resp_1 up/m completed; 3 recorded"

    record = answered()
    record.hit("exact", f"{'0a' * 32}.json", ())
    assert logged(record)[0] == "resp_1 up/m completed; hit exact 0a0a0a.json"
    record.hit("canonical", "default.json#1", ["score"])
    line, fields = logged(record)
    assert line == "resp_1 up/m completed; 2 hits"
    assert fields["recording"]["hits"] == [
        "exact 0a0a0a.json",
        "canonical default.json#1 (normalized: score)",
    ]


def test_a_miss_shows_the_first_difference(logged: Logged) -> None:
    record = answered()
    difference = 'messages[0].content: requested "Spain", recorded "France"'
    record.missed(difference)
    line, fields = logged(record)
    assert line.endswith(f"; 1 miss: {difference}")
    assert fields["recording"]["misses"] == [difference]
    record.missed("temperature: requested nothing, recorded 0.5")
    record.missed(None)
    assert logged(record)[0].endswith(f"; 3 misses: {difference}")
    record.misses = ["\n" + "x" * 1000]
    assert logged(record)[0].endswith(f"; 1 miss: \\u000a{'x' * 299}")


def test_a_miss_that_was_recorded_is_no_miss(logged: Logged) -> None:
    record = answered()
    record.missed(None)
    record.recorded("default.json#1")
    assert logged(record)[0].endswith("completed; 1 recorded")
    assert record.unanswered == 0


def test_faults_and_a_failed_compaction_are_named(logged: Logged) -> None:
    record = answered()
    record.faulted("429,every=2")
    record.faulted("429,every=2")
    record.compaction_failed(UpstreamError("up: gone\nand more"))
    line, fields = logged(record)
    assert line == "resp_1 up/m completed, not compacted: up: gone; fault 429,every=2 x2"
    assert fields["compaction_error"] == "up: gone\nand more"


def test_an_unknown_model_is_named(logged: Logged) -> None:
    record = Record("POST", "/v1/responses")
    record.status = 404
    record.error = ModelNotFound("The model 'up/none' does not exist.", "up/none")
    line, fields = logged(record)
    assert line == "POST /v1/responses 404 model_not_found: up/none"
    assert (fields["code"], fields["param"]) == ("model_not_found", "model")


def test_the_message_of_a_refusal_is_not_logged(logged: Logged) -> None:
    record = Record("POST", "/v1/" + "x" * 1000)
    record.error = InvalidRequest("private words", code="invalid_value", param="input[0].role")
    line, fields = logged(record)
    assert line.endswith(" invalid_value: input[0].role")
    assert "private" not in line + str(fields)
    assert len(line) < 300


def test_a_failed_response_names_its_error(logged: Logged) -> None:
    record = Record("POST", "/v1/responses")
    record.responded(response(status="failed"), UpstreamError("up: refused\n" + "x" * 1000))
    line, fields = logged(record)
    assert line == "resp_1 up/m failed: up: refused"
    assert fields["response_status"] == "failed"
