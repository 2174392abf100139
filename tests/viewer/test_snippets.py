import ast
import json
import shlex
from pathlib import Path
from textwrap import dedent

import msgspec
import pytest

from antiphon.viewer.snippets import request_body, snippets
from antiphon.wire.items import Item
from antiphon.wire.json import JSONObject
from antiphon.wire.responses import Response

HOSTILE = '\'"\n"""\nREQUEST\n$(rm -rf /) `x` \\'
PLAIN: JSONObject = {
    "id": "resp_1",
    "created_at": 1,
    "status": "completed",
    "model": "up/m",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": HOSTILE, "annotations": [], "logprobs": []}],
        }
    ],
    "reasoning": {"effort": None, "summary": None},
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tools": [],
    "metadata": {},
}
ITEMS: msgspec.json.Decoder[list[Item]] = msgspec.json.Decoder(list[Item])


def response(**changes: object) -> Response:
    return msgspec.json.decode(msgspec.json.encode(PLAIN | changes), type=Response)


def items(*given: JSONObject) -> list[Item]:
    return ITEMS.decode(msgspec.json.encode(given))


def user(text: str) -> JSONObject:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "id": "msg_0", "role": "user", "status": "completed", "content": content}


def test_defaults_are_omitted_and_a_single_text_is_a_string() -> None:
    assert request_body(response(), items(user("Hi"))) == {"model": "up/m", "input": "Hi"}


def test_everything_else_is_kept() -> None:
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True}
    given = response(
        temperature=0.5, tools=[tool], metadata={"a": "b"}, previous_response_id="resp_0", instructions="Be."
    )
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    body = request_body(given, items(user("Hi"), call))
    assert body["input"] == [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    assert {name: body[name] for name in body if name not in ("input", "model")} == {
        "previous_response_id": "resp_0",
        "instructions": "Be.",
        "tools": [tool],
        "temperature": 0.5,
        "metadata": {"a": "b"},
    }


def test_the_command_sends_the_request_and_runs_nothing_else() -> None:
    text = snippets(response(), items(user(HOSTILE)), "http://h/v1").curl
    command, mark, rest = text.partition("<<'REQUEST'\n")
    assert mark
    body, _, after = rest.partition("\nREQUEST")
    assert after == ""
    assert json.loads(body)["input"] == HOSTILE
    words = shlex.split(command)
    assert words[:2] == ["curl", "http://h/v1/responses"]


@pytest.mark.parametrize("language", ["python", "pytest"])
def test_programs_contain_the_request_as_literals(language: str) -> None:
    made = snippets(response(presence_penalty=0.5), items(user(HOSTILE), user("b")), "http://h/v1")
    tree = ast.parse(getattr(made, language))
    (call,) = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "create"
    ]
    given = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
    assert given["model"] == "up/m"
    assert given["input"][0]["content"][0]["text"] == HOSTILE
    assert given["extra_body"] == {"presence_penalty": 0.5}


def test_the_test_expects_the_text(tmp_path: Path) -> None:
    text = snippets(response(), items(user("What is up, Doc?")), "http://h/v1").pytest
    assert text.startswith("def test_what_is_up_doc(antiphon_client):\n")
    expected = [node for node in ast.walk(ast.parse(dedent(text))) if isinstance(node, ast.Compare)]
    assert ast.literal_eval(expected[-1].comparators[0]) == HOSTILE
