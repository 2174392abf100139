"""The chat requests that the log puts together again."""

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.durable.crashing import TOOL
from tests.service.log.runs import Runs

FUNCTION: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}, "description": "F"}
STRICT: JSONObject = FUNCTION | {"strict": True}
SCHEMA: JSONObject = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"stream": False},
        {"instructions": "Be kind.", "temperature": 0.5, "max_output_tokens": 100, "user": "u"},
        {"tools": [TOOL, FUNCTION]},
        {
            "tools": [
                TOOL,
                STRICT,
            ]
        },
        {"parallel_tool_calls": False, "tool_choice": "required"},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
        {"input": [{"role": "user", "content": "A"}, {"role": "developer", "content": "B"}]},
    ],
    ids=str,
)
def test_they_are_those_that_were_sent(runs: Runs, request_: dict[str, JSON]) -> None:
    sent = runs.sent(runs.respond(**request_))
    assert [each.body for each in sent] == runs.servers.model.requests
    assert all(each.is_exact for each in sent)


def test_those_of_a_chain_have_its_history(runs: Runs) -> None:
    first = runs.respond()
    second = runs.respond(previous_response_id=first, input="And then?")
    sent = runs.sent(second)
    assert [each.body for each in sent] == runs.servers.model.requests[3:]
    assert all(each.is_exact for each in sent)


def test_without_a_response_of_the_chain_there_are_none(runs: Runs) -> None:
    first = runs.respond()
    second = runs.respond(previous_response_id=first, input="And then?")
    runs.run(runs.store.responses.delete("me", first))
    assert runs.sent(second) == []


def test_a_fork_has_the_requests_of_its_kept_calls(runs: Runs) -> None:
    fork = runs.fork(runs.respond(), step=3)
    sent = runs.sent(fork)
    assert [each.body for each in sent] == runs.servers.model.requests[:2] + runs.servers.model.requests[3:]
    assert all(each.is_exact for each in sent)
