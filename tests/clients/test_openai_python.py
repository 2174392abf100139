"""The SDK's calls for responses: create, stream and parse, and its view of the answer."""

import asyncio
import json

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import USAGE, WEATHER, calls, function, says, says_json
from tests.store.samples import count_rows
from tests.support.serving import Serving
from tests.support.upstream import Upstream, chunk, sse

SAMPLE = "antiphon/sample"


class Recipe(BaseModel):
    title: str
    minutes: int
    steps: list[str]


SOUP = Recipe(title="Soup", minutes=20, steps=["boil", "stir"])


def streamed(client: OpenAI, **request: JSON) -> tuple[list[str], Response]:
    """Return the types of all events, and the final response."""
    with client.responses.stream(**request) as events:
        types: list[str] = [event.type for event in events]
        return types, events.get_final_response()


def test_create_answers_with_text_and_usage(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hello", " you."))
    response = client.responses.create(model="up/m", input="Hi", instructions="Be kind.")
    assert response.output_text == "Hello you."
    assert response.status == "completed"
    assert response.instructions == "Be kind."
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (12, 3)
    assert upstream.chats[0].json["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_a_response_may_have_no_usage(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    upstream.script(sse(chunk("Hello"), chunk(finish="stop")))
    if stream:
        response = streamed(client, model="up/m", input="Hi")[1]
    else:
        response = client.responses.create(model="up/m", input="Hi")
    assert (response.output_text, response.usage) == ("Hello", None)


def test_create_streams_in_order(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hello", " you."))
    events = list(client.responses.create(model="m", input="Hi", stream=True))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(10))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hello you."


def test_what_was_streamed_is_what_is_stored(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hello", " you."))
    *_, last = client.responses.create(
        model="up/m", input="Hi", temperature=0.5, metadata={"a": "b"}, stream=True
    )
    assert last.type == "response.completed"
    stored = client.responses.retrieve(last.response.id)
    assert stored.to_dict() == last.response.to_dict()
    assert stored.temperature == 0.5
    assert stored.metadata == {"a": "b"}


@pytest.mark.parametrize("stream", [False, True])
def test_the_sample_answers_offline(client: OpenAI, stream: bool) -> None:
    request: JSONObject = {"model": SAMPLE, "input": "Say something."}
    response = streamed(client, **request)[1] if stream else client.responses.create(**request)
    assert response.status == "completed"
    assert response.output_text
    assert response.model == SAMPLE


@pytest.mark.parametrize("stream", [False, True])
def test_parse_reads_a_pydantic_model(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    upstream.script(says_json(SOUP.model_dump()))
    if stream:
        with client.responses.stream(model="up/m", input="Soup?", text_format=Recipe) as events:
            parsed = [event.parsed for event in events if event.type == "response.output_text.done"]
            response = events.get_final_response()
        assert parsed == [SOUP]
    else:
        response = client.responses.parse(model="up/m", input="Soup?", text_format=Recipe)
    assert response.output_parsed == SOUP
    sent = upstream.chats[0].json["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["name"] == "Recipe"
    assert sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"]["required"] == ["title", "minutes", "steps"]


@pytest.mark.parametrize("stream", [False, True])
def test_parse_reads_what_the_sample_makes_up(client: OpenAI, stream: bool) -> None:
    if stream:
        with client.responses.stream(model=SAMPLE, input="Soup?", text_format=Recipe) as events:
            events.until_done()
            response = events.get_final_response()
    else:
        response = client.responses.parse(model=SAMPLE, input="Soup?", text_format=Recipe)
    assert isinstance(response.output_parsed, Recipe)


def test_parallel_calls_and_their_outputs(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"}), ("call_2", "get_weather", {"city": "Rome"})),
        says("Cold and warm."),
    )
    tools: JSON = [WEATHER]
    types, first = streamed(client, model="up/m", input="Oslo and Rome?", tools=tools)
    found = [item for item in first.output if item.type == "function_call"]
    assert [(call.call_id, json.loads(call.arguments)) for call in found] == [
        ("call_1", {"city": "Oslo"}),
        ("call_2", {"city": "Rome"}),
    ]
    assert types.count("response.function_call_arguments.done") == 2
    outputs: JSON = [
        {"type": "function_call_output", "call_id": call.call_id, "output": f"{call.call_id} done"}
        for call in found
    ]
    second = client.responses.create(model="up/m", previous_response_id=first.id, input=outputs, tools=tools)
    assert second.output_text == "Cold and warm."
    assert second.previous_response_id == first.id
    user, assistant, *answers = upstream.chats[1].json["messages"]
    assert user == {"role": "user", "content": "Oslo and Rome?"}
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "call_2"]
    assert answers == [
        {"role": "tool", "tool_call_id": "call_1", "content": "call_1 done"},
        {"role": "tool", "tool_call_id": "call_2", "content": "call_2 done"},
    ]


def test_the_sample_calls_its_tools_and_then_answers(client: OpenAI) -> None:
    tools: JSON = [WEATHER]
    first = client.responses.create(model=SAMPLE, input="Oslo?", tools=tools)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert isinstance(json.loads(call.arguments)["city"], str)
    output: JSON = [{"type": "function_call_output", "call_id": call.call_id, "output": "cold"}]
    second = client.responses.create(model=SAMPLE, input=output, tools=tools, previous_response_id=first.id)
    assert second.output_text


def test_parsed_arguments_of_a_strict_tool(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "cook", {"title": "Soup"})))
    tool = function("cook", "title", title={"type": "string"})
    tools: JSON = [tool]
    response = client.responses.parse(model="up/m", input="Cook.", tools=tools)
    (call,) = [item for item in response.output if item.type == "function_call"]
    assert call.arguments == '{"title": "Soup"}'
    assert call.status == "completed"


@pytest.mark.parametrize("how", ["create", "parse", "stream"])
def test_output_goes_back_as_input(client: OpenAI, server: Serving, upstream: Upstream, how: str) -> None:
    """The test appends the SDK's own objects to the input, as its documentation shows."""
    called = {"index": 0, "id": "call_1", "function": {"name": "get_weather", "arguments": '{"city": "O"}'}}
    upstream.script(
        sse(
            chunk(reasoning_content="Hm."),
            chunk("Wait."),
            chunk(tool_calls=[called]),
            chunk(finish="tool_calls"),
        ),
        says("Cold."),
    )
    request: JSONObject = {"model": "up/m", "tools": [WEATHER]}
    items: JSON = [{"role": "user", "content": "Oslo?"}]
    if how == "stream":
        _, first = streamed(client, input=items, **request)
    else:
        first = getattr(client.responses, how)(input=items, **request)
    items += first.output
    items.append({"type": "function_call_output", "call_id": "call_1", "output": "-3"})
    rows = count_rows(f"sqlite:///{server.store.location}")["items"]
    second = client.responses.create(input=items, **request)
    assert second.output_text == "Cold."
    user, assistant, tool = upstream.chats[1].json["messages"]
    assert (user["content"], assistant["content"], tool["content"]) == ("Oslo?", "Wait.", "-3")
    # The new items are the user's message, which has no id, the output of the call, and the answer.
    assert count_rows(f"sqlite:///{server.store.location}")["items"] == rows + 3


def test_functions_of_a_namespace_keep_it(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "weather__get_weather", {"city": "Oslo"})))
    tools: JSON = [{"type": "namespace", "name": "weather", "description": "Weather.", "tools": [WEATHER]}]
    response = client.responses.create(model="up/m", input="Oslo?", tools=tools)
    (call,) = [item for item in response.output if item.type == "function_call"]
    assert (call.namespace, call.name) == ("weather", "get_weather")


def test_reasoning_comes_before_the_answer(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(
        sse(
            chunk(reasoning_content="Let me"),
            chunk(reasoning_content=" see."),
            chunk("42"),
            chunk(finish="stop"),
        )
    )
    types, response = streamed(client, model="up/m", input="?", reasoning={"effort": "low"})
    assert types.count("response.reasoning_text.delta") == 2
    assert types.index("response.reasoning_text.done") < types.index("response.output_text.delta")
    reasoning, message = response.output
    assert reasoning.type == "reasoning"
    assert reasoning.content is not None
    assert reasoning.content[0].text == "Let me see."
    assert message.type == "message"
    assert upstream.chats[0].json["reasoning_effort"] == "low"


def test_a_refusal_is_a_part_of_its_own(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(sse(chunk(refusal="I can"), chunk(refusal="not."), chunk(finish="stop")))
    types, response = streamed(client, model="up/m", input="?", text_format=Recipe)
    assert types.count("response.refusal.delta") == 2
    (message,) = response.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "refusal"
    assert part.refusal == "I cannot."


def test_logprobs_when_asked_for(client: OpenAI, upstream: Upstream) -> None:
    said = chunk("Hi")
    top = {"token": "Ho", "logprob": -2.0, "bytes": [72, 111]}
    said["choices"][0]["logprobs"] = {
        "content": [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [top]}]
    }
    upstream.script(sse(said, chunk(finish="stop"), chunk(usage=USAGE)))
    response = client.responses.create(
        model="up/m", input="?", include=["message.output_text.logprobs"], top_logprobs=1
    )
    message = response.output[0]
    assert message.type == "message"
    part = message.content[0]
    assert part.type == "output_text"
    assert part.logprobs is not None
    assert (part.logprobs[0].token, part.logprobs[0].logprob) == ("Hi", -0.1)
    assert part.logprobs[0].top_logprobs[0].token == "Ho"
    sent = upstream.chats[0].json
    assert (sent["logprobs"], sent["top_logprobs"]) == (True, 1)


def test_images_and_files_reach_the_backend(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("A dot."))
    pixel = "data:image/png;base64,iVBORw0KGgo="
    parts: JSON = [
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": pixel, "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
    ]
    response = client.responses.create(model="up/m", input=[{"role": "user", "content": parts}])
    assert response.output_text == "A dot."
    (message,) = upstream.chats[0].json["messages"]
    text, image, file = message["content"]
    assert text == {"type": "text", "text": "What is it?"}
    assert image == {"type": "image_url", "image_url": {"url": pixel, "detail": "low"}}
    assert file["type"] == "file"
    assert file["file"] == {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
    (stored,) = client.responses.input_items.list(response.id)
    assert stored.type == "message"
    assert [part.type for part in stored.content] == ["input_text", "input_image", "input_file"]


def test_max_output_tokens_ends_incomplete(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(sse(chunk("Once upon"), chunk(finish="length"), chunk(usage=USAGE)))
    response = client.responses.create(model="up/m", input="?", max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text == "Once upon"


def test_the_asynchronous_client(server: Serving, upstream: Upstream) -> None:
    upstream.script(says("One."), says("Two", "."), says_json(SOUP.model_dump()))

    async def talk() -> tuple[str, str, Recipe | None]:
        async with AsyncOpenAI(base_url=server.url, api_key="none", max_retries=0) as client:
            one = await client.responses.create(model="up/m", input="1")
            async with client.responses.stream(
                model="up/m", input="2", previous_response_id=one.id
            ) as events:
                deltas = [e.delta async for e in events if e.type == "response.output_text.delta"]
            three = await client.responses.parse(model="up/m", input="3", text_format=Recipe)
            return one.output_text, "".join(deltas), three.output_parsed

    assert asyncio.run(talk()) == ("One.", "Two.", SOUP)
    assert [message["content"] for message in upstream.chats[1].json["messages"]] == ["1", "One.", "2"]


def test_the_raw_response_has_an_id_and_a_media_type(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    raw = client.responses.with_raw_response.create(model="up/m", input="Hi")
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.parse().output_text == "Hello."
    with client.responses.with_streaming_response.create(model="up/m", input="Hi", stream=True) as stream:
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        stream.read()


def test_the_sdk_finds_the_request_id(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hello."))
    response = client.responses.create(model="up/m", input="Hi")
    assert response._request_id is not None
    assert response._request_id.startswith("req_")
