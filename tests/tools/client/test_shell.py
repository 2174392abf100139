import json

import pytest

from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject
from tests.tools.client.calling import fault, messages, offered, reply

SHELL: JSONObject = {"type": "shell", "environment": {"type": "local"}}


def test_the_model_is_offered_a_function() -> None:
    [function] = offered(SHELL)
    assert function["name"] == "shell"
    assert function["parameters"]["required"] == ["commands"]
    assert offered({"type": "shell"}) == offered({"type": "shell", "environment": None}) == [function]


def test_the_model_knows_the_skills_of_the_environment() -> None:
    skill = {"name": "csv", "description": "Read tables", "path": "/skills/csv"}
    [function] = offered({"type": "shell", "environment": {"type": "local", "skills": [skill]}})
    assert function["description"].endswith("\nSkill csv, in /skills/csv: Read tables")


@pytest.mark.parametrize("kind", ["container_auto", "container_reference", "moon"])
def test_a_container_is_refused(kind: str) -> None:
    with pytest.raises(InvalidRequest, match="this server has no containers for the shell") as caught:
        offered({"type": "shell", "environment": {"type": kind}})
    assert (caught.value.param, caught.value.code) == ("tools[0].environment.type", "unsupported_value")


@pytest.mark.parametrize("by", [1, 3, 1000])
def test_the_commands_stream_in_the_order_of_api_openai_com(by: int) -> None:
    made = reply(SHELL, {"commands": ["ls -a", "pwd"], "max_output_length": 9}, by=by)
    assert [kind for kind in made.types if not kind.endswith("delta")] == [
        "output_item.added",
        "shell_call_command.added",
        "shell_call_command.done",
        "shell_call_command.added",
        "shell_call_command.done",
        "output_item.done",
    ]
    assert made.types.count("shell_call_command.delta") >= 2
    assert made.events[0]["item"] == {
        "type": "shell_call",
        "id": "sh_0",
        "status": "in_progress",
        "call_id": "call_up",
        "action": {"commands": [], "max_output_length": None, "timeout_ms": None},
        "environment": {"type": "local"},
    }
    assert made.items == [
        made.events[0]["item"]
        | {
            "status": "completed",
            "action": {"commands": ["ls -a", "pwd"], "max_output_length": 9, "timeout_ms": None},
        }
    ]


def test_a_command_reaches_the_client_before_the_call_ends() -> None:
    made = reply(SHELL, {"commands": ["make test"]}, by=1)
    deltas = [event["delta"] for event in made.events if event["type"].endswith("command.delta")]
    assert deltas == list("make test")


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        ({"commands": "ls"}, {"commands": ["ls"], "max_output_length": None, "timeout_ms": None}),
        (
            {"commands": ["ls"], "timeout_ms": 5e3, "max_output_length": "many", "more": 1},
            {"commands": ["ls"], "max_output_length": None, "timeout_ms": 5000},
        ),
        (
            {"timeout_ms": 0, "commands": ["ls"]},
            {"commands": ["ls"], "max_output_length": None, "timeout_ms": None},
        ),
    ],
)
def test_arguments_that_deviate_from_the_schema(arguments: JSON, action: JSONObject) -> None:
    assert reply(SHELL, arguments).items[0]["action"] == action


@pytest.mark.parametrize(
    "arguments", ["ls", "[]", "{}", {"commands": []}, {"commands": [["ls"]]}, {"commands": None}]
)
def test_arguments_without_commands_fail_the_reply(arguments: JSON) -> None:
    assert "the call of the tool 'shell' has invalid arguments; expected" in fault(SHELL, arguments)


def test_a_call_that_is_cut_off_is_incomplete() -> None:
    made = reply(SHELL, {"commands": ["ls", "rm -rf build"]}, cut=len('{"commands": ["ls", "rm -r'))
    assert made.items[0]["status"] == "incomplete"
    assert made.items[0]["action"]["commands"] == ["ls", "rm -r"]
    assert made.types[-2:] == ["shell_call_command.done", "output_item.done"]


CALL: JSONObject = {
    "type": "shell_call",
    "call_id": "c",
    "status": "completed",
    "action": {"commands": ["ls", "no"], "timeout_ms": 5, "max_output_length": None},
}


def output(*outputs: JSONObject) -> JSONObject:
    return {"type": "shell_call_output", "call_id": "c", "output": [*outputs], "max_output_length": 9}


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ([], "[no output]"),
        ([{"stdout": "a\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}], "a\n[exit code 0]"),
        (
            [
                {"stdout": "a", "stderr": "b", "outcome": {"type": "exit", "exit_code": 2}},
                {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
            ],
            "a\nb\n[exit code 2]\n[timeout]",
        ),
    ],
)
def test_a_call_and_its_output_are_a_function_call_for_the_model(
    outputs: list[JSONObject], text: str
) -> None:
    asked, answered = messages(CALL, output(*outputs))
    [called] = asked["tool_calls"]
    assert called["id"] == "c"
    assert called["function"]["name"] == "shell"
    assert json.loads(called["function"]["arguments"]) == {"commands": ["ls", "no"], "timeout_ms": 5}
    assert answered == {"role": "tool", "tool_call_id": "c", "content": text}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([CALL], "No tool output found for shell call c."),
        ([output()], "No tool call found for shell call output with call_id c."),
        ([CALL, output(), output()], "Duplicate tool output found for shell call c."),
    ],
)
def test_calls_and_outputs_must_match(items: list[JSONObject], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        messages(*items)
    assert (caught.value.message, caught.value.param) == (message, "input")


@pytest.mark.parametrize("status", ["incomplete", "in_progress"])
def test_an_unfinished_call_without_output_is_omitted(status: str) -> None:
    assert messages(CALL | {"status": status}) == []
