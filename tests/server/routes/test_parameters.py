"""Every parameter of a request: its value in the backend's request and in the response.

`test_bad_inputs.py` and the end of this module have parameters that are refused.
"""

from typing import NamedTuple

import pytest

from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.responses import CreateResponse
from tests.server.client import get, post
from tests.server.faults import TEXT, call
from tests.support.upstream import Upstream, chunk, sse

SCHEMA: JSONObject = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
F: JSONObject = {"type": "function", "name": "f", "description": "Does f.", "parameters": SCHEMA}
G: JSONObject = {"type": "function", "name": "g", "parameters": SCHEMA}
CHAT_F: JSONObject = {
    "type": "function",
    "function": {"name": "f", "description": "Does f.", "parameters": SCHEMA},
}
CHAT_G: JSONObject = {"type": "function", "function": {"name": "g", "parameters": SCHEMA}}
PLAIN: JSONObject = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
}
"""The request to the backend if the client's request has only a model and "Hi"."""
FORMAT: JSONObject = {
    "type": "json_schema",
    "name": "n",
    "description": "An n.",
    "schema": SCHEMA,
    "strict": True,
}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="


class Case(NamedTuple):
    """Parameters, their values in the backend's request, and their values in the response."""

    given: JSONObject
    sent: JSONObject
    echoed: JSONObject


def same(**given: JSON) -> Case:
    """Return a case in which request and response have the parameter under the same name."""
    return Case(given, given, given)


def echoed(**given: JSON) -> Case:
    """Return a case in which only the response has the parameter."""
    return Case(given, {}, given)


CASES: dict[str, Case] = {
    "instructions": Case(
        {"instructions": "Be brief."},
        {"messages": [{"role": "system", "content": "Be brief."}, *PLAIN["messages"]]},
        {"instructions": "Be brief."},
    ),
    "temperature": same(temperature=0.3),
    "temperature_0": same(temperature=0.0),
    "top_p": same(top_p=0.4),
    "presence_penalty": same(presence_penalty=-1.5),
    "frequency_penalty": same(frequency_penalty=1.5),
    "max_output_tokens": Case(
        {"max_output_tokens": 100}, {"max_completion_tokens": 100}, {"max_output_tokens": 100}
    ),
    "max_tool_calls": echoed(max_tool_calls=3),
    "top_logprobs": Case({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, {"top_logprobs": 2}),
    "include": Case(
        {"include": ["message.output_text.logprobs", "web_search_call.results"]}, {"logprobs": True}, {}
    ),
    "metadata": echoed(metadata={"a": "b"}),
    "store": echoed(store=False),
    "truncation": echoed(truncation="auto"),
    "truncation_disabled": echoed(truncation="disabled"),
    "safety_identifier": same(safety_identifier="s"),
    "prompt_cache_key": same(prompt_cache_key="k"),
    "prompt_cache_retention": same(prompt_cache_retention="24h"),
    "prompt_cache_options": Case(
        {"prompt_cache_options": {"mode": "explicit"}},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
    ),
    "prompt_cache_ttl": Case(
        {"prompt_cache_options": {"ttl": "12h", "prewarm": False, "comparison_response_id": None}},
        {"prompt_cache_options": {"mode": "implicit", "ttl": "12h"}},
        {"prompt_cache_options": {"mode": "implicit", "ttl": "12h", "comparison_response_id": None}},
    ),
    "safety_identifier_long": same(safety_identifier="s" * 128),
    "access_programs": Case({"access_programs": {"cyber": "standard"}}, {}, {"access_programs": None}),
    "image_auto": Case({"image": {"context_compression": "auto"}}, {}, {}),
    "image_disabled": Case({"image": {"context_compression": "disabled"}}, {}, {}),
    "user": same(user="u"),
    "service_tier": Case({"service_tier": "flex"}, {"service_tier": "flex"}, {"service_tier": "default"}),
    "stream_options": Case({"stream_options": {"include_obfuscation": True}}, {}, {}),
    "background": echoed(background=False),
    "verbosity": Case(
        {"text": {"verbosity": "low"}},
        {"verbosity": "low"},
        {"text": {"format": {"type": "text"}, "verbosity": "low"}},
    ),
    "reasoning": Case(
        {"reasoning": {"effort": "high", "summary": "auto"}},
        {"reasoning_effort": "high"},
        {"reasoning": {"effort": "high", "summary": "auto"}},
    ),
    "json_schema": Case(
        {"text": {"format": FORMAT}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {k: v for k, v in FORMAT.items() if k != "type"},
            }
        },
        {"text": {"format": FORMAT, "verbosity": "medium"}},
    ),
    "json_object": Case(
        {"text": {"format": {"type": "json_object"}}},
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_object"}, "verbosity": "medium"}},
    ),
    "tools": Case(
        {"tools": [F, G | {"strict": False}]},
        {"tools": [CHAT_F, {"type": "function", "function": CHAT_G["function"] | {"strict": False}}]},
        {"tools": [F | {"strict": True}, G | {"strict": False, "description": None}], "tool_choice": "auto"},
    ),
    "no_tools": Case({"tools": [], "tool_choice": "none", "parallel_tool_calls": False}, {}, {"tools": []}),
    "tool_choice_none": Case(
        {"tools": [F], "tool_choice": "none"},
        {"tools": [CHAT_F], "tool_choice": "none"},
        {"tool_choice": "none"},
    ),
    "tool_choice_required": Case(
        {"tools": [F], "tool_choice": "required"},
        {"tools": [CHAT_F], "tool_choice": "required"},
        {"tool_choice": "required"},
    ),
    "tool_choice_function": Case(
        {"tools": [F, G], "tool_choice": {"type": "function", "name": "g"}},
        {"tools": [CHAT_F, CHAT_G], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        {"tool_choice": {"type": "function", "name": "g"}},
    ),
    "allowed_tools": Case(
        {
            "tools": [F, G],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "g"}],
            },
        },
        {"tools": [CHAT_G], "tool_choice": "required"},
        {},
    ),
    "parallel_tool_calls": Case(
        {"tools": [F], "parallel_tool_calls": False},
        {"tools": [CHAT_F], "parallel_tool_calls": False},
        {"parallel_tool_calls": False},
    ),
    "nulls": Case(
        {name: None for name in CreateResponse.__struct_fields__ if name not in ("model", "input")},
        {},
        {"tools": [], "store": True, "temperature": 1.0, "metadata": {}, "tool_choice": "auto"},
    ),
    "unknown_fields": Case({"client_metadata": {"a": [1]}, "zzz": None}, {}, {}),
}


def ask(**more: JSON) -> JSONObject:
    return {"model": "up/m", "input": "Hi"} | more


def asked(url: str, upstream: Upstream, **more: JSON) -> JSONObject:
    """Send a request and return the response."""
    upstream.script(TEXT)
    answer = post(url, "/responses", ask(**more))
    assert answer.status == 200, answer.body
    response: JSONObject = answer.json
    return response


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_parameter(url: str, upstream: Upstream, case: Case) -> None:
    response = asked(url, upstream, **case.given)
    assert upstream.chats[0].json == PLAIN | case.sent
    assert {name: response.get(name) for name in case.echoed} == case.echoed
    assert "client_metadata" not in response


def test_nothing_is_added(url: str, upstream: Upstream) -> None:
    asked(url, upstream)
    assert upstream.chats[0].json == PLAIN


def test_store_false_is_not_found(url: str, upstream: Upstream) -> None:
    response = asked(url, upstream, store=False)
    assert get(url, f"/responses/{response['id']}").status == 404


def test_instructions_are_not_carried_over(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream, instructions="Be brief.", tools=[F], metadata={"a": "b"})
    second = asked(url, upstream, input="And?", previous_response_id=first["id"])
    assert second["instructions"] is None
    assert (second["tools"], second["metadata"]) == ([], {})
    assert second["previous_response_id"] == first["id"]
    assert upstream.chats[1].json["messages"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "And?"},
    ]
    assert "tools" not in upstream.chats[1].json


def test_previous_response_without_input(url: str, upstream: Upstream) -> None:
    first = asked(url, upstream)
    upstream.script(TEXT)
    answer = post(url, "/responses", {"model": "up/m", "previous_response_id": first["id"]})
    assert answer.status == 200
    assert [message["role"] for message in upstream.chats[1].json["messages"]] == ["user", "assistant"]


def test_conversation(url: str, upstream: Upstream) -> None:
    conversation = post(url, "/conversations", {"items": [{"role": "developer", "content": "Rhyme."}]}).json[
        "id"
    ]
    first = asked(url, upstream, conversation=conversation)
    second = asked(url, upstream, conversation={"id": conversation}, input="And?")
    assert first["conversation"] == second["conversation"] == {"id": conversation}
    assert [message["role"] for message in upstream.chats[1].json["messages"]] == [
        "developer",
        "user",
        "assistant",
        "user",
    ]
    items = get(url, f"/conversations/{conversation}/items?order=asc").json["data"]
    assert [item["role"] for item in items] == ["developer", "user", "assistant", "user", "assistant"]
    assert [items[2], items[4]] == [*first["output"], *second["output"]]


def test_roles_images_and_files(url: str, upstream: Upstream) -> None:
    parts: list[JSON] = [
        {"type": "input_text", "text": "Look:"},
        {"type": "input_image", "image_url": PIXEL, "detail": "low"},
        {"type": "input_image", "image_url": "https://93.184.215.14/a.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,SGk="},
    ]
    given: list[JSON] = [
        {"role": "system", "content": "S"},
        {"role": "developer", "content": [{"type": "input_text", "text": "D"}]},
        {"role": "user", "content": parts},
    ]
    response = asked(url, upstream, input=given)
    assert upstream.chats[0].json["messages"] == [
        {"role": "system", "content": "S"},
        {"role": "developer", "content": "D"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://93.184.215.14/a.png", "detail": "auto"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
                {"type": "text", "text": "a.txt:\nHi"},
            ],
        },
    ]
    items = get(url, f"/responses/{response['id']}/input_items?order=asc").json["data"]
    assert [item["role"] for item in items] == ["system", "developer", "user"]
    assert items[0]["content"] == [{"type": "input_text", "text": "S"}]
    assert items[2]["content"][1] == parts[1]


def test_a_tool_loop(url: str, upstream: Upstream) -> None:
    upstream.script(sse(*call('{"a":1}'), chunk(finish="tool_calls")), TEXT)
    first = post(url, "/responses", ask(tools=[F])).json
    (made,) = first["output"]
    output: JSONObject = {"type": "function_call_output", "call_id": made["call_id"], "output": "42"}
    answer = post(url, "/responses", ask(input=[output], tools=[F], previous_response_id=first["id"]))
    assert answer.status == 200
    assert upstream.chats[1].json["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ]


CODEX: JSONObject = {
    "model": "up/m",
    "stream": True,
    "store": False,
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199-thread",
    "client_metadata": {"x-codex-turn": "1"},
    "input": [
        {
            "type": "message",
            "id": "msg_0199aaaa-bbbb-7ccc-8ddd-eeeeffff0001",
            "role": "developer",
            "content": [{"type": "input_text", "text": "You are a coding agent. " * 700}],
        },
        {
            "type": "message",
            "id": "msg_0199aaaa-bbbb-7ccc-8ddd-eeeeffff0002",
            "role": "user",
            "content": [{"type": "input_text", "text": "one"}, {"type": "input_text", "text": "two"}],
        },
        {"type": "reasoning", "id": "rs_own", "summary": [], "encrypted_content": "opaque"},
    ],
    "tools": [
        {"type": "function", "name": "exec_command", "strict": False, "parameters": SCHEMA},
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "Agents.",
            "tools": [{"type": "function", "name": "spawn", "strict": False, "parameters": SCHEMA}],
        },
        {"type": "web_search", "external_web_access": False},
    ],
}
"""A short form of the requests of Codex CLI."""


def test_codex(url: str, upstream: Upstream) -> None:
    upstream.script(sse(*call('{"a":1}', name="multi_agent_v1__spawn"), chunk(finish="tool_calls")))
    answer = post(url, "/responses", CODEX, {"x-codex-turn-id": "1", "originator": "codex_exec"})
    assert answer.status == 200, answer.body
    sent = upstream.chats[0].json
    names = [tool["function"]["name"] for tool in sent["tools"]]
    assert names == ["exec_command", "multi_agent_v1__spawn"]
    assert {tool["function"]["strict"] for tool in sent["tools"]} == {False}
    assert [message["role"] for message in sent["messages"]] == ["developer", "user"]
    assert "client_metadata" not in sent
    response = answer.last
    (made,) = response["output"]
    assert (made["namespace"], made["name"], made["arguments"]) == ("multi_agent_v1", "spawn", '{"a":1}')
    assert [tool["type"] for tool in response["tools"]] == ["function", "namespace", "web_search"]
    assert [e["item"] for e in answer.payloads if e["type"] == "response.output_item.done"] == [made]
    # Codex sends the whole history again; the call is sent under its flat name.
    output: JSONObject = {"type": "function_call_output", "call_id": made["call_id"], "output": "done"}
    upstream.script(TEXT)
    again = post(url, "/responses", CODEX | {"input": [*CODEX["input"], made, output]})
    assert again.last["status"] == "completed"
    history = upstream.chats[1].json["messages"]
    assert history[2]["tool_calls"][0]["function"]["name"] == "multi_agent_v1__spawn"
    assert history[3] == {"role": "tool", "tool_call_id": made["call_id"], "content": "done"}


def test_what_is_not_supported_is_refused(url: str, upstream: Upstream) -> None:
    answer = post(url, "/responses", ask(image={"context_compression": "enabled"}))
    assert (answer.status, answer.error["param"]) == (400, "image.context_compression")
    assert upstream.chats == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_text", "text": "Hi"},
        {"type": "input_image", "image_url": PIXEL, "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
    ],
)
def test_a_breakpoint_of_the_prompt_cache_is_stored_and_sent(
    url: str, upstream: Upstream, part: JSONObject
) -> None:
    upstream.script(TEXT)
    mark = {"prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}}
    body = {"model": "up/m", "input": [{"role": "user", "content": [part | mark]}]}
    answer = post(url, "/responses", body)
    assert (answer.status, answer.headers.get("x-antiphon-ignored")) == (200, None)
    (sent,) = upstream.chats[-1].json["messages"][0]["content"]
    assert sent["prompt_cache_breakpoint"] == mark["prompt_cache_breakpoint"]
    (item,) = get(url, f"/responses/{answer.json['id']}/input_items").json["data"]
    assert item["content"] == [part | mark]
