"""Built-in tools that the client runs, through OpenAI's SDK with strict validation of every answer."""

import json
from collections.abc import Iterator

import pytest
from openai import BadRequestError, OpenAI
from openai.types.responses import Response

from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.support.serving import Serving
from tests.support.upstream import Upstream

IMAGE = "data:image/png;base64,AA=="
SHELL: JSON = {"type": "shell", "environment": {"type": "local"}}
COMPUTER: JSON = {"type": "computer"}
CLICK: JSON = {"type": "click", "x": 1, "y": 2, "button": "left"}
PATCH: JSON = {"type": "create_file", "path": "a.md", "diff": "+A\n"}
SHELL_OUTPUT: JSON = {
    "type": "shell_call_output",
    "output": [{"stdout": "a.txt\n", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
    "max_output_length": 4096,
}
SCREENSHOT: JSON = {
    "type": "computer_call_output",
    "output": {"type": "computer_screenshot", "image_url": IMAGE},
    "acknowledged_safety_checks": [{"id": "sc_1", "code": "malicious_instructions", "message": "Look."}],
}

KINDS: dict[str, tuple[JSON, JSON, JSON, str]] = {
    "shell": (SHELL, {"commands": ["ls"]}, SHELL_OUTPUT, "a.txt\n[exit code 0]"),
    "local_shell": (
        {"type": "local_shell"},
        {"command": ["ls"]},
        {"type": "local_shell_call_output", "output": "a.txt"},
        "a.txt",
    ),
    "apply_patch": (
        {"type": "apply_patch"},
        PATCH,
        {"type": "apply_patch_call_output", "status": "failed", "output": "It exists."},
        "failed\nIt exists.",
    ),
    "computer": (COMPUTER, {"actions": [CLICK]}, SCREENSHOT, "[image]"),
    "computer_use_preview": (
        {
            "type": "computer_use_preview",
            "environment": "linux",
            "display_width": 800,
            "display_height": 600,
        },
        CLICK,
        SCREENSHOT,
        "[image]",
    ),
}
"""For each tool: its declaration, arguments of the model, the output of the client, and the model's view."""


@pytest.fixture
def strict(server: Serving) -> Iterator[OpenAI]:
    url, name = server.url, "none"
    with OpenAI(base_url=url, api_key=name, max_retries=0, _strict_response_validation=True) as client:
        yield client


def function_of(kind: str) -> str:
    return "computer" if kind.startswith("computer") else kind


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_and_its_output_in_a_chain(
    strict: OpenAI, client: OpenAI, upstream: Upstream, kind: str, stream: bool
) -> None:
    tool, arguments, output, text = KINDS[kind]
    upstream.script(calls(("call_1", function_of(kind), arguments)), says("Done."))

    asked: JSON = {"model": "up/m", "input": "Go on.", "tools": [tool]}
    if stream:
        # OpenAI's types don't have the events of a diff, which api.openai.com sends.
        given = client if kind == "apply_patch" else strict
        with given.responses.stream(**asked) as events:
            types = [event.type for event in events]
            first: Response = events.get_final_response()
        assert types[2] == "response.output_item.added"
        assert types[-2:] == ["response.output_item.done", "response.completed"]
    else:
        first = strict.responses.create(**asked)
    item: JSON = first.output[0]
    assert len(first.output) == 1
    assert item.type == f"{function_of(kind)}_call"
    assert item.status == "completed"
    answered: JSON = {**output, "call_id": item.call_id}
    second = strict.responses.create(
        model="up/m", previous_response_id=first.id, input=[answered], tools=[tool]
    )

    assert (second.status, second.output_text) == ("completed", "Done.")
    messages = upstream.chats[1].json["messages"]
    assert [message["role"] for message in messages[:3]] == ["user", "assistant", "tool"]
    function = messages[1]["tool_calls"][0]["function"]
    assert (function["name"], json.loads(function["arguments"])) == (function_of(kind), arguments)
    assert messages[2]["content"] == text
    if text == "[image]":
        assert messages[3]["content"] == [{"type": "image_url", "image_url": {"url": IMAGE}}]
    listed = strict.responses.input_items.list(second.id).data
    assert [each.type for each in listed] == [output["type"]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_client_sends_the_whole_history_itself(strict: OpenAI, upstream: Upstream, kind: str) -> None:
    tool, arguments, output, text = KINDS[kind]
    upstream.script(calls(("call_1", function_of(kind), arguments)), says("Done."))
    asked: JSON = [{"role": "user", "content": "Go on."}]
    first = strict.responses.create(model="up/m", input=asked, tools=[tool], store=False)
    item: JSON = first.output[0]
    assert len(first.output) == 1
    history: JSON = [*asked, item.to_dict(), {**output, "call_id": item.call_id}]
    second = strict.responses.create(model="up/m", input=history, tools=[tool], store=False)
    assert second.output_text == "Done."
    assert upstream.chats[1].json["messages"][2]["content"] == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_keeps_the_call_and_its_output(strict: OpenAI, upstream: Upstream, kind: str) -> None:
    tool, arguments, output, _ = KINDS[kind]
    upstream.script(calls(("call_1", function_of(kind), arguments)), says("Done."))
    conversation = strict.conversations.create().id
    first = strict.responses.create(model="up/m", input="Go on.", tools=[tool], conversation=conversation)
    item: JSON = first.output[0]
    answered: JSON = {**output, "call_id": item.call_id}
    strict.responses.create(model="up/m", input=[answered], tools=[tool], conversation=conversation)
    kept = [item.type for item in strict.conversations.items.list(conversation, order="asc")]
    assert kept == ["message", f"{function_of(kind)}_call", output["type"], "message"]


@pytest.mark.parametrize(
    ("choice", "tool"),
    [
        ("shell", SHELL),
        ("apply_patch", {"type": "apply_patch"}),
        ("computer", COMPUTER),
        ("computer_use", COMPUTER),
        ("computer_use_preview", KINDS["computer_use_preview"][0]),
    ],
)
def test_a_tool_choice_names_the_tool(strict: OpenAI, upstream: Upstream, choice: str, tool: JSON) -> None:
    upstream.script(says("Done."))
    given: JSON = {"type": choice}
    strict.responses.create(model="up/m", input="Go.", tools=[tool], tool_choice=given)
    name = function_of(choice)
    sent = upstream.chats[0].json["tool_choice"]
    assert sent == {"type": "function", "function": {"name": name}}


def test_a_function_of_the_client_keeps_its_name(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "shell__shell", {"commands": ["ls"]})), says("Done."))
    own: JSON = {"type": "function", "name": "shell", "parameters": {}, "strict": False}
    first = strict.responses.create(model="up/m", input="Go.", tools=[SHELL, own])
    assert [tool["function"]["name"] for tool in upstream.chats[0].json["tools"]] == ["shell__shell", "shell"]
    assert first.output[0].type == "shell_call"
    answered: JSON = [{**SHELL_OUTPUT, "call_id": "call_1"}]
    strict.responses.create(model="up/m", input=answered, tools=[SHELL, own], previous_response_id=first.id)
    [call] = upstream.chats[1].json["messages"][1]["tool_calls"]
    assert call["function"]["name"] == "shell__shell"


def test_one_tool_twice_is_refused(strict: OpenAI) -> None:
    with pytest.raises(BadRequestError, match=r"Invalid .tools\[1\].type."):
        strict.responses.create(model="up/m", input="Go.", tools=[SHELL, SHELL])


def test_a_local_shell_output_names_its_call_by_id(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "local_shell", {"command": ["ls"]})), says("Done."))
    tool: JSON = {"type": "local_shell"}
    first = strict.responses.create(model="up/m", input="Go.", tools=[tool])
    output: JSON = [{"type": "local_shell_call_output", "id": "call_1", "output": "a.txt"}]
    second = strict.responses.create(model="up/m", input=output, previous_response_id=first.id)
    assert second.output_text == "Done."
    assert upstream.chats[1].json["messages"][2]["content"] == "a.txt"


def test_a_screenshot_can_be_an_uploaded_file(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "computer", {"actions": [CLICK]})), says("Done."))
    file = strict.files.create(file=("a.png", b"\x89PNG"), purpose="vision")
    first = strict.responses.create(model="up/m", input="Go.", tools=[{"type": "computer"}])
    output: JSON = [
        {
            "type": "computer_call_output",
            "call_id": "call_1",
            "output": {"type": "computer_screenshot", "file_id": file.id},
        }
    ]
    strict.responses.create(model="up/m", input=output, previous_response_id=first.id)
    [shown] = upstream.chats[1].json["messages"][3]["content"]
    assert shown["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_missing_screenshot_is_refused_by_its_path(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "computer", {"actions": [CLICK]})))
    first = strict.responses.create(model="up/m", input="Go.", tools=[{"type": "computer"}])
    output: JSON = [
        {
            "type": "computer_call_output",
            "call_id": "call_1",
            "output": {"type": "computer_screenshot", "file_id": "file-none"},
        }
    ]
    with pytest.raises(Exception, match="file-none") as caught:
        strict.responses.create(model="up/m", input=output, previous_response_id=first.id)
    assert getattr(caught.value, "param", None) == "input[0].output.file_id"


def test_the_url_of_a_screenshot_is_listed_only_on_request(strict: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "computer", {"actions": [CLICK]})), says("Done."))
    first = strict.responses.create(model="up/m", input="Go.", tools=[{"type": "computer"}])
    url = "data:image/png;base64,AA=="
    output: JSON = [
        {
            "type": "computer_call_output",
            "call_id": "call_1",
            "output": {"type": "computer_screenshot", "image_url": url},
        }
    ]
    second = strict.responses.create(model="up/m", input=output, previous_response_id=first.id)
    [image] = upstream.chats[1].json["messages"][3]["content"]
    assert image["image_url"]["url"] == url
    cases: JSON = [
        (["message.input_image.image_url"], None),
        (["computer_call_output.output.image_url"], url),
    ]
    for include, listed in cases:
        page: JSON = strict.responses.input_items.list(second.id, include=include).model_dump()["data"]
        [shown] = [item["output"] for item in page if item["type"] == "computer_call_output"]
        assert shown["image_url"] == listed
