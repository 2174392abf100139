"""The project's first two recordings, replayed over HTTP and read by OpenAI's SDK."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai import OpenAI
from openai.types.responses import Response

from antiphon.wire.json import JSONObject
from tests.support.serving import Serving, recordings
from tests.support.shared import shared

pytestmark = pytest.mark.shared


SEARCH = "639c49548ecb34e8dedcc65738498e22c6d0dc67fbf9cb852f4a99f653eab6f3.json"
PERMISSIONS = "aadc06753bab7e4450f37786f558c58bef42fce2301fd2f868f85564de6e1d96.json"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[OpenAI]:
    with (
        Serving(tmp_path / "state.db", recordings(shared("recordings/seeds"))) as server,
        OpenAI(base_url=server.url, api_key="none", max_retries=0) as client,
    ):
        yield client


def seed(name: str) -> JSONObject:
    recording: JSONObject = json.loads((shared("recordings/seeds") / name).read_text())
    return recording


def as_input(messages: list[JSONObject]) -> list[JSONObject]:
    """Return the items that represent recorded chat messages."""
    items: list[JSONObject] = []
    for message in messages:
        if message["role"] == "tool":
            content = message["content"]
            output = (
                content if isinstance(content, str) else [{"type": "input_text", "text": content[0]["text"]}]
            )
            items.append(
                {"type": "function_call_output", "call_id": message["tool_call_id"], "output": output}
            )
        elif message["role"] == "assistant":
            items += [
                {"type": "function_call", "call_id": call["id"], **call["function"]}
                for call in message["tool_calls"]
            ]
        else:
            items.append({"role": message["role"], "content": message["content"]})
    return items


def as_tools(tools: list[JSONObject]) -> list[JSONObject]:
    return [{"type": "function", **tool["function"]} for tool in tools]


@pytest.mark.parametrize("name", [SEARCH, PERMISSIONS])
@pytest.mark.parametrize("prefix", ["", "openai/"])
def test_chat_completions_replay_chunk_by_chunk(client: OpenAI, name: str, prefix: str) -> None:
    recording = seed(name)
    body = recording["request"]["body"] | {"model": prefix + recording["request"]["body"]["model"]}
    chunks = [chunk.to_dict() for chunk in client.chat.completions.create(**body)]
    assert chunks == [chunk["__data__"] for chunk in recording["response"]["body"]]


@pytest.mark.parametrize("stream", [False, True])
def test_the_search_answer_replays_as_a_response(client: OpenAI, stream: bool) -> None:
    body = seed(SEARCH)["request"]["body"]
    request: JSONObject = {
        "model": "openai/gpt-4o",
        "input": as_input(body["messages"]),
        "tools": as_tools(body["tools"]),
    }
    response: Response
    if stream:
        with client.responses.stream(**request) as events:
            deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
            response = events.get_final_response()
        assert "".join(deltas) == response.output_text
        assert len(deltas) > 5
    else:
        response = client.responses.create(**request)
    assert response.output_text == "The Llama 4 Maverick model has 128 experts."
    assert response.status == "completed"
    assert client.responses.retrieve(response.id).output_text == response.output_text


@pytest.mark.parametrize("stream", [False, True])
def test_the_permission_check_replays_as_a_response(client: OpenAI, stream: bool) -> None:
    body = seed(PERMISSIONS)["request"]["body"]
    request: JSONObject = {
        "model": "gpt-4o",
        "input": as_input(body["messages"]),
        "tools": as_tools(body["tools"]),
    }
    response: Response
    if stream:
        with client.responses.stream(**request) as events:
            deltas = [
                event.delta for event in events if event.type == "response.function_call_arguments.delta"
            ]
            response = events.get_final_response()
        assert "".join(deltas) == '{"user_id":"user_11111"}'
    else:
        response = client.responses.create(**request)
    (call,) = response.output
    assert call.type == "function_call"
    assert (call.name, call.arguments) == ("get_user_permissions", '{"user_id":"user_11111"}')
    assert call.call_id == "call_h85dbcBdBPF5ti1xrNcnnaEv"


def test_the_models_are_those_that_are_recorded(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["gpt-4o", "openai/gpt-4o"]
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"
    assert client.models.retrieve("openai/gpt-4o").id == "openai/gpt-4o"
