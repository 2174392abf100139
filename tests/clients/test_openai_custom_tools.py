"""Custom tools (text input) through OpenAI's SDK, over backends with and without support for them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import APIError, BadRequestError, InternalServerError, OpenAI
from openai.types.responses import Response

from antiphon.settings.backends import PRESETS
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import USAGE, calls, says
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, sse

PATCH_GRAMMAR = """start: begin_patch hunk+ end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?

hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line+
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF change_move? change?

filename: /(.+)/
add_line: "+" /(.*)/ LF -> line

change_move: "*** Move to: " filename LF
change: (change_context | change_line)+ eof_line?
change_context: ("@@" | "@@ " /(.+)/) LF
change_line: ("+" | "-" | " ") /(.*)/ LF
eof_line: "*** End of File" LF

%import common.LF
"""
"""Grammar of patches, as coding agents define it for their tool `apply_patch`."""
APPLY_PATCH: JSONObject = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files. This is a FREEFORM tool, so do not wrap the patch in JSON.",
    "format": {"type": "grammar", "syntax": "lark", "definition": PATCH_GRAMMAR},
}
PATCH = """*** Begin Patch
*** Update File: src/größe.py
@@ def area():
-    return "a\\tb"
+    return "😀"
*** End Patch
"""
SHELL: JSONObject = {
    "type": "function",
    "name": "shell",
    "parameters": {"type": "object", "properties": {"command": {"type": "string"}}},
}
FORCED: JSON = {"type": "custom", "name": "apply_patch"}


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[Serving]:
    """Start a server with one backend of each kind, all at the scripted one."""
    database: Path = tmp_path_factory.mktemp("server") / "state.db"
    kinds = [backend(shared_upstream, kind, PRESETS[kind]) for kind in ("openai", "vllm", "other")]
    with Serving(database, backends(*kinds)) as server:
        yield server


@pytest.fixture
def client(other_server: Serving, upstream: Upstream) -> Iterator[OpenAI]:
    with OpenAI(base_url=other_server.url, api_key="none", max_retries=0) as client:
        yield client


def ask(client: OpenAI, **request: JSON) -> Response:
    response: Response = client.responses.create(**request)
    return response


def in_pieces(text: str, size: int = 7) -> list[str]:
    return [text[place : place + size] for place in range(0, len(text), size)]


def calls_function(patch: str) -> Answer:
    """Return a call as models write it that support only functions, cut in the middle of escapes."""
    deltas: list[JSONObject] = [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "apply_patch", "arguments": ""}}
    ]
    for piece in in_pieces(json.dumps({"input": patch})):
        deltas.append({"index": 0, "function": {"arguments": piece}})
    return sse(
        *(chunk(tool_calls=[delta]) for delta in deltas), chunk(finish="tool_calls"), chunk(usage=USAGE)
    )


def calls_custom(patch: str) -> Answer:
    """Return a call as OpenAI's models write it."""
    deltas: list[JSONObject] = [
        {"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "apply_patch", "input": ""}}
    ]
    deltas += [{"index": 0, "custom": {"input": piece}} for piece in in_pieces(patch)]
    return sse(
        *(chunk(tool_calls=[delta]) for delta in deltas), chunk(finish="tool_calls"), chunk(usage=USAGE)
    )


WAYS = [
    ("openai", calls_custom),
    ("openai", calls_function),
    ("vllm", calls_function),
    ("other", calls_function),
]


@pytest.mark.parametrize(("kind", "answer"), WAYS)
def test_an_agent_patches_a_file_and_goes_on(
    client: OpenAI, upstream: Upstream, kind: str, answer: JSON
) -> None:
    upstream.script(answer(PATCH), says("Done."))
    request: JSON = {"model": f"{kind}/m", "tools": [SHELL, APPLY_PATCH]}
    with client.responses.stream(input="Fix it.", **request) as events:
        seen = list(events)
        response = events.get_final_response()
    (item,) = response.output
    assert item.type == "custom_tool_call"
    assert (item.name, item.call_id, item.input) == ("apply_patch", "call_1", PATCH)
    assert item.id is not None
    assert item.id.startswith("ctc_")
    deltas = [event.delta for event in seen if event.type == "response.custom_tool_call_input.delta"]
    assert "".join(deltas) == PATCH
    assert len(deltas) > 10
    (done,) = [event for event in seen if event.type == "response.custom_tool_call_input.done"]
    assert (done.input, done.item_id) == (PATCH, item.id)
    output: JSON = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Success."}
    final = ask(client, input=[output], previous_response_id=response.id, **request)
    assert final.output_text == "Done."
    _, assistant, tool = upstream.chats[1].json["messages"]
    (call,) = assistant["tool_calls"]
    if kind == "openai":
        assert call == {"id": "call_1", "type": "custom", "custom": {"name": "apply_patch", "input": PATCH}}
    else:
        assert json.loads(call["function"]["arguments"]) == {"input": PATCH}
    assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "Success."}


def test_what_backends_are_offered(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("a"), says("b"))
    ask(client, model="openai/m", input="Hi", tools=[APPLY_PATCH], tool_choice=FORCED)
    native = upstream.chats[0].json
    assert native["tools"][0]["custom"]["format"]["grammar"]["definition"] == PATCH_GRAMMAR
    assert native["tool_choice"] == {"type": "custom", "custom": {"name": "apply_patch"}}
    ask(client, model="other/m", input="Hi", tools=[APPLY_PATCH])
    function = upstream.chats[1].json["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert PATCH_GRAMMAR in function["description"]


def test_vllm_is_held_to_the_grammar_of_a_tool_that_has_to_be_called(
    client: OpenAI, upstream: Upstream
) -> None:
    upstream.script(says(*in_pieces(PATCH)))
    request: JSON = {"tools": [SHELL, APPLY_PATCH], "tool_choice": FORCED}
    response = ask(client, model="vllm/m", input="Fix it.", **request)
    (item,) = response.output
    assert item.type == "custom_tool_call"
    assert item.input == PATCH
    assert len(item.call_id) <= 40  # The limit of api.openai.com, which may receive the next turn.
    sent = upstream.chats[0].json
    assert sent["structured_outputs"] == {"grammar": PATCH_GRAMMAR}
    assert "tools" not in sent
    assert "apply_patch" in sent["messages"][0]["content"]


def test_an_input_that_breaks_the_grammar_fails_the_response(client: OpenAI, upstream: Upstream) -> None:
    wrong = PATCH.replace("*** Update File", "Update")
    upstream.script(calls_function(wrong), calls_function(wrong))
    request: JSON = {"model": "other/m", "input": "Fix it.", "tools": [APPLY_PATCH]}
    with pytest.raises(InternalServerError) as caught:
        ask(client, **request)
    assert caught.value.status_code == 502
    assert "'apply_patch' does not match its grammar from character 16 on" in caught.value.message
    events = client.responses.create(stream=True, **request)
    created = next(events)
    assert created.type == "response.created"
    with pytest.raises(APIError, match="from character 16 on"):
        list(events)
    failed = client.responses.retrieve(created.response.id)
    assert failed.status == "failed"
    (item,) = failed.output
    assert item.type == "custom_tool_call"
    assert item.input.startswith("*** Begin Patch\nU")
    assert item.input in wrong
    assert len(upstream.chats) == 2, "asked once each time"


def test_a_grammar_that_is_none_is_refused_before_anything_is_sent(
    client: OpenAI, upstream: Upstream
) -> None:
    tool: JSON = APPLY_PATCH | {
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: nothing"}
    }
    with pytest.raises(BadRequestError) as caught:
        ask(client, model="other/m", input="Hi", tools=[SHELL, tool])
    assert caught.value.param == "tools[1].format.definition"
    assert "nothing" in caught.value.message
    assert not upstream.chats


@pytest.mark.parametrize(
    ("text_format", "param"),
    [
        ({"type": "xml"}, "tools[0].format.type"),
        ({"type": "grammar", "syntax": "bnf", "definition": "a"}, "tools[0].format.syntax"),
        ({"type": "grammar", "syntax": "lark"}, "tools[0].format.definition"),
    ],
)
def test_formats_that_there_are_not(client: OpenAI, text_format: JSON, param: str) -> None:
    tool: JSON = {"type": "custom", "name": "t", "format": text_format}
    with pytest.raises(BadRequestError) as caught:
        ask(client, model="other/m", input="Hi", tools=[tool])
    assert caught.value.param == param


def test_a_choice_among_custom_tools(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "notes__note", {"input": "Buy milk."})))
    space: JSON = {
        "type": "namespace",
        "name": "notes",
        "description": "Notes.",
        "tools": [{"type": "custom", "name": "note"}],
    }
    allowed: JSON = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "custom", "name": "note"}],
    }
    response = ask(
        client,
        model="other/m",
        input="Milk!",
        tools=[SHELL, space],
        tool_choice=allowed,
    )
    (item,) = response.output
    assert item.type == "custom_tool_call"
    assert (item.namespace, item.name, item.input) == ("notes", "note", "Buy milk.")
    assert [tool["function"]["name"] for tool in upstream.chats[0].json["tools"]] == ["notes__note"]
    with pytest.raises(BadRequestError):
        ask(
            client,
            model="other/m",
            input="Hi",
            tools=[SHELL],
            tool_choice={"type": "custom", "name": "shell"},
        )


def test_a_screenshot_as_the_output_of_a_custom_tool(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("A cat."))
    image = "data:image/png;base64,iVBORw0KGgo="
    items: JSON = [
        {"role": "user", "content": "What is on the screen?"},
        {"type": "custom_tool_call", "call_id": "call_1", "name": "screen", "input": "now"},
        {
            "type": "custom_tool_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_image", "image_url": image}],
        },
    ]
    assert ask(client, model="other/m", input=items).output_text == "A cat."
    _, _, tool, shown = upstream.chats[0].json["messages"]
    assert tool == {"role": "tool", "tool_call_id": "call_1", "content": "[image]"}
    assert shown["role"] == "user"
    assert shown["content"][0]["image_url"]["url"] == image
