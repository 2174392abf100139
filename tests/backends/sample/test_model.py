import asyncio
import json
import subprocess
import sys

import jsonschema_rs
import pytest

from antiphon.backends.sample.model import SampleModel
from antiphon.errors import InvalidRequest
from antiphon.wire.chat import ChatRequest, ChatTool
from antiphon.wire.json import JSON, JSONObject

WEATHER: JSONObject = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
    "required": ["city", "unit"],
    "additionalProperties": False,
}


def tool(name: str, parameters: JSONObject | None = None) -> ChatTool:
    return {"type": "function", "function": {"name": name, "parameters": parameters or WEATHER}}


def ask(text: str = "Tell me about Paris", **more: JSON) -> ChatRequest:
    request: JSONObject = {"model": "sample", "messages": [{"role": "user", "content": text}]} | more
    return request  # type: ignore[return-value]  # Some tests send fields of proxied requests.


def read(request: ChatRequest) -> list[list[JSONObject]]:
    async def batches() -> list[list[JSONObject]]:
        return [[json.loads(text) for text in batch] async for batch in SampleModel().stream(request)]

    return asyncio.run(batches())


def batches(request: ChatRequest) -> list[list[JSONObject]]:
    """Return the chunks of each read of a stream."""
    return read({**request, "stream": True})


def complete(request: ChatRequest) -> JSONObject:
    completion = json.loads(asyncio.run(SampleModel().complete(request)))
    assert isinstance(completion, dict)
    return completion


def reply(request: ChatRequest) -> tuple[JSONObject, str]:
    """Return the message and the finish reason, after a check that the stream has the same."""
    choice = complete(request)["choices"][0]
    message, finish = choice["message"], choice["finish_reason"]
    text = ""
    calls: dict[int, JSONObject] = {}
    finishes: list[str | None] = []
    for chunk in (chunk for batch in batches(request) for chunk in batch):
        for streamed in chunk["choices"]:
            finishes.append(streamed["finish_reason"])
            text += streamed["delta"].get("content") or ""
            for call in streamed["delta"].get("tool_calls", ()):
                function = calls.setdefault(call["index"], call)["function"]
                if function is not call["function"]:
                    function["arguments"] += call["function"]["arguments"]
    assert finishes == [None] * (len(finishes) - 1) + [finish]
    assert text == (message["content"] or "")
    streamed_calls = [{key: call[key] for key in ("id", "type", "function")} for call in calls.values()]
    assert streamed_calls == message.get("tool_calls", [])
    return message, finish


def called(request: ChatRequest) -> list[tuple[str, JSON]]:
    message, finish = reply(request)
    assert finish == "tool_calls"
    assert message["content"] is None
    return [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message["tool_calls"]]


def said(request: ChatRequest) -> str:
    message, finish = reply(request)
    assert finish == "stop"
    assert "tool_calls" not in message
    return str(message["content"])


def test_text_mentions_the_user_and_admits_what_it_is() -> None:
    text = said(ask("Tell me a joke about Paris"))
    assert "Tell me a joke about Paris" in text
    assert "no language model" in text


def test_parts_of_a_message_are_read() -> None:
    parts = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {"url": "x"}}]
    request = ask(messages=[{"role": "user", "content": parts}])
    assert '"one"' in said(request)


def test_a_long_message_is_shortened() -> None:
    assert len(said(ask("word " * 10_000))) < 1000


def test_the_stream_has_openais_shape() -> None:
    streamed = batches(ask(stream_options={"include_usage": True}))
    chunks = [chunk for batch in streamed for chunk in batch]
    assert len(streamed) > 3
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == complete(ask())["usage"]


@pytest.mark.parametrize("asked", [{}, {"stream": False}])
def test_who_asks_for_no_stream_gets_one_piece_with_usage(asked: JSONObject) -> None:
    ((whole,),) = read(ask(**asked))
    same = complete(ask())
    assert whole["usage"] == same["usage"]
    assert whole["choices"] == same["choices"]
    assert whole["usage"]["completion_tokens"] > 0


def test_usage_only_when_asked() -> None:
    assert all("usage" not in chunk for batch in batches(ask()) for chunk in batch)


def test_tokens_are_words() -> None:
    usage = complete(ask("three short words"))["usage"]
    assert usage["prompt_tokens"] == 3
    assert usage["completion_tokens"] == len(said(ask("three short words")).split())
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_tool_is_called_with_arguments_that_fit() -> None:
    ((name, arguments),) = called(ask("What is the weather in Paris?", tools=[tool("get_weather")]))
    assert name == "get_weather"
    assert arguments == {"city": "Paris", "unit": "c"}


def test_quoted_text_goes_into_arguments() -> None:
    ((_, arguments),) = called(ask('Look up "New York City", please', tools=[tool("get_weather")]))
    assert arguments["city"] == "New York City"


def test_a_search_looks_for_what_the_user_wrote() -> None:
    search: JSONObject = {
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
    }
    calls = called(ask("When does the ferry leave?", tools=[tool("file_search", search)]))
    assert calls == [("file_search", {"query": "When does the ferry leave?"})]
    bounded: JSONObject = {"type": "object", "properties": {"query": {"type": "string", "maxLength": 5}}}
    [(_, arguments)] = called(ask("When does the ferry leave?", tools=[tool("file_search", bounded)]))
    assert jsonschema_rs.is_valid(bounded, arguments)


def test_without_parameters_the_arguments_are_empty() -> None:
    bare: JSONObject = {"type": "function", "function": {"name": "ping"}}
    assert called(ask(tools=[bare])) == [("ping", {})]


def test_a_schema_that_nothing_fits() -> None:
    impossible = {"type": "object", "properties": {"x": False}, "required": ["x"]}
    assert called(ask(tools=[tool("ping", impossible)])) == [("ping", {})]


TOOLS = [tool("get_weather"), tool("get_time"), tool("send_email")]


@pytest.mark.parametrize(
    ("text", "more", "names"),
    [
        ("What is the time?", {}, ["get_time"]),
        ("Weather and time in Rome", {}, ["get_weather", "get_time"]),
        ("Weather and time in Rome", {"parallel_tool_calls": False}, ["get_weather"]),
        ("Call send_email", {}, ["send_email"]),
        ("Hello", {}, ["get_weather"]),
        ("Hello", {"tool_choice": "required"}, ["get_weather"]),
        (
            "The time?",
            {"tool_choice": {"type": "function", "function": {"name": "send_email"}}},
            ["send_email"],
        ),
        (
            "Weather and time",
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "function": {"name": "get_time"}}],
                    },
                }
            },
            ["get_time"],
        ),
    ],
)
def test_which_tools_are_called(text: str, more: JSONObject, names: list[str]) -> None:
    assert [name for name, _ in called(ask(text, tools=TOOLS, **more))] == names


def test_call_ids_differ() -> None:
    message, _ = reply(ask("Weather and time", tools=TOOLS))
    ids = [call["id"] for call in message["tool_calls"]]
    assert len(set(ids)) == 2
    assert all(call_id.startswith("call_") for call_id in ids)
    again, _ = reply(ask("Weather and time?", tools=TOOLS))
    assert again["tool_calls"][0]["id"] not in ids


def test_tool_choice_none() -> None:
    assert "The time?" in said(ask("The time?", tools=TOOLS, tool_choice="none"))


AFTER_TOOLS: list[JSONObject] = [
    {"role": "user", "content": "Weather and time in Rome"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
            {"id": "c2", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "sunny, 21 degrees"},
    {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "12:30"}]},
]


def test_tool_results_are_reported() -> None:
    text = said(ask(messages=AFTER_TOOLS, tools=TOOLS))
    assert 'get_weather gave: "sunny, 21 degrees"' in text
    assert 'get_time gave: "12:30"' in text


def test_required_calls_even_after_results() -> None:
    assert called(ask(messages=AFTER_TOOLS, tools=TOOLS, tool_choice="required"))


def test_json_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer", "minimum": 5}},
        "required": ["answer"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    made = json.loads(said(ask(response_format=wanted)))
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(made)


def test_json_object() -> None:
    made = json.loads(said(ask("Hi", response_format={"type": "json_object"})))
    assert "Hi" in made["message"]


def test_json_after_tools() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert called(ask("The time?", tools=TOOLS, response_format=wanted))
    assert json.loads(said(ask(messages=AFTER_TOOLS, tools=TOOLS, response_format=wanted))) == {}


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_F33_the_limit_cuts_the_text(key: str) -> None:
    limit: JSONObject = {key: 3}
    message, finish = reply(ask("Hi", **limit))
    assert finish == "length"
    assert message["content"] == "This is antiphon/sample,"
    assert complete(ask("Hi", **limit))["usage"]["completion_tokens"] == 3


def test_F33_the_limit_cuts_arguments() -> None:
    text = 'Weather in "a b c d e f", and the time'
    message, finish = reply(ask(text, tools=TOOLS, max_tokens=3))
    assert finish == "length"
    (call,) = message["tool_calls"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(call["function"]["arguments"])


def test_a_high_limit_changes_nothing() -> None:
    assert said(ask(max_tokens=1000)) == said(ask())


@pytest.mark.parametrize(
    "request_",
    [ask(messages="x"), ask(tools=[{"function": {}}]), ask(messages=[{"content": "x"}]), {"model": "m"}],
)
def test_nonsense_is_an_invalid_request(request_: ChatRequest) -> None:
    with pytest.raises(InvalidRequest, match="antiphon/sample: "):
        complete(request_)


def test_the_same_in_every_process() -> None:
    request = ask(tools=[tool("f", {"type": "object", "properties": {"a": {"pattern": "[^x]+"}}})])
    code = (
        "import asyncio, json, sys; from antiphon.backends.sample.model import SampleModel;"
        "print(asyncio.run(SampleModel().complete(json.loads(sys.argv[1]))))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code, json.dumps(request)],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
