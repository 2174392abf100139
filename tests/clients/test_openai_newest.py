"""The newest parts of the API through OpenAI's SDK, which validates every answer strictly."""

from collections.abc import Iterator

import pytest
from openai import APIError, BadRequestError, NotFoundError, OpenAI
from openai.types.responses import Response

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import WEATHER, calls, says
from tests.support.serving import Serving
from tests.support.upstream import Upstream, completion, reply

USER: JSONObject = {"role": "user", "content": "Hi"}
SCHEMA: JSONObject = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}
UPDATE: JSONObject = {
    "type": "configuration_update",
    "reasoning": {"effort": "high"},
    "text": {"format": SCHEMA},
}
OUTPUT: JSONObject = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny."}


@pytest.fixture
def client(server: Serving) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=server.url, api_key="none", max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def created(client: OpenAI, *, stream: bool = False, **request: JSON) -> tuple[Response, list[str]]:
    """Return a response, and the types of its events if it is streamed."""
    given: JSONObject = {"model": "up/m", "input": "Hi"} | request
    if not stream:
        return client.responses.create(**given), []
    events = list(client.responses.create(**given, stream=True))
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    return last.response, [event.type for event in events]


@pytest.mark.parametrize("stream", [False, True])
def test_the_new_options_of_a_request(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    upstream.script(says("Fine."), says("Fine."))
    first, _ = created(client, store=True)
    response, _ = created(
        client,
        stream=stream,
        prompt_cache_options={"ttl": "12h", "comparison_response_id": first.id},
        image={"context_compression": "auto"},
        access_programs={"cyber": "standard"},
        safety_identifier="s" * 128,
        background_options={"completion_window": "soonest", "continuation_id": "c"},
    )
    assert response.output_text == "Fine."
    assert response.prompt_cache_options is not None
    assert response.prompt_cache_options.ttl == "12h"
    assert response.prompt_cache_options.comparison_response_id == first.id
    assert response.prompt_cache_diagnostics is not None
    assert response.prompt_cache_diagnostics.type == "cache_hit"
    assert response.access_programs is None
    assert upstream.chats[1].json.get("safety_identifier") in (None, "s" * 128)


@pytest.mark.parametrize("stream", [False, True])
def test_a_context_that_is_prepared(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    first, _ = created(client, stream=stream, prompt_cache_options={"prewarm": True})
    assert (first.status, first.output) == ("completed", [])
    assert upstream.requests == []
    upstream.script(says("Fine."))
    second, _ = created(client, stream=stream, input="And?", previous_response_id=first.id)
    assert second.output_text == "Fine."


@pytest.mark.parametrize("stream", [False, True])
def test_calls_that_the_model_does_not_wait_for(client: OpenAI, upstream: Upstream, stream: bool) -> None:
    tools: JSON = [WEATHER | {"async": True}]
    upstream.script(calls(("call_1", "get_weather", {"city": "Paris"})), says("I look."), says("Sunny."))
    first, types = created(client, stream=stream, tools=tools)
    called, said = first.output
    assert called.type == "function_call"
    assert called.to_dict()["async"] is True
    assert said.type == "message"
    assert types.count("response.completed") == stream
    assert first.tools[0].to_dict()["async"] is True
    second, _ = created(client, stream=stream, input=[OUTPUT], previous_response_id=first.id)
    assert second.output_text == "Sunny."
    items = client.responses.input_items.list(second.id, order="asc").data
    assert [item.type for item in items] == ["function_call_output"]


def test_configuration_updates(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("{}"), says("{}"))
    first, _ = created(client, input=[UPDATE, USER], reasoning={"effort": "low"})
    assert upstream.chats[0].json["response_format"]["type"] == "json_schema"
    assert first.reasoning is not None
    assert first.reasoning.effort == "low"
    items = client.responses.input_items.list(first.id, order="asc").data
    assert [item.type for item in items] == ["configuration_update", "message"]
    updates: JSON = [UPDATE]
    conversation = client.conversations.create(items=updates)
    kept = client.conversations.items.list(conversation.id).data
    assert [item.type for item in kept] == ["configuration_update"]
    created(client, conversation=conversation.id)
    assert upstream.chats[1].json["response_format"]["type"] == "json_schema"


def test_a_compaction_by_a_trigger(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply(completion("A summary.")))
    response, types = created(client, stream=True, input=[USER, {"type": "compaction_trigger", "id": "ct_1"}])
    assert [item.type for item in response.output] == ["compaction"]
    assert types[2:5] == [
        "response.output_item.added",
        "response.compaction.compacting",
        "response.output_item.done",
    ]


def test_withheld_reasoning(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Fine."))
    foreign: JSONObject = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": "gAAAAABpzfWE",
    }
    given: JSON = [foreign, {"role": "assistant", "content": "Hm."}, USER]
    response, _ = created(client, input=given)
    assert response.input_transformations is not None
    assert [(each.id, each.reason) for each in response.input_transformations] == [
        ("rs_1", "organization_mismatch")
    ]


def test_the_use_of_tools(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Fine."))
    response, _ = created(client, tools=[{"type": "web_search"}])
    assert response.tool_usage is not None
    assert response.tool_usage.web_search.num_requests == 0


def test_a_failed_response_has_the_cause_of_its_error(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply({"error": {"message": "too hot", "param": "temperature"}}, status=400))
    events = client.responses.create(model="up/m", input="Hi", stream=True)
    first = next(iter(events))
    assert first.type == "response.created"
    with pytest.raises(APIError, match="too hot"):
        list(events)
    response = client.responses.retrieve(first.response.id)
    assert response.status == "failed"
    assert response.error is not None
    assert response.error.type == "invalid_request_error"


def test_a_model_cannot_be_deleted(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="belongs to a backend"):
        client.models.delete("up/m")


def test_decisions_do_not_exist(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="Antiphon does not have OpenAI's endpoints below /v1/decisions"):
        client.post("/decisions", cast_to=object, body={"model": "up/m"})
