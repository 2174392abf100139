"""User messages that repeat the last one of the history."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import WEATHER, calls, says
from tests.dialects.asking import EVERY, OPENAI, SUITE, THEIRS, asked, created, python, scenario
from tests.support.serving import Serving, backend, backends, recordings
from tests.support.upstream import Upstream

ORDERING = "function_call_ordering_1[client_with_models-txt=openai/gpt-4o-sf_weather]"
QUESTION = "What's the weather like in San Francisco?"


@pytest.mark.shared
@pytest.mark.parametrize("client", THEIRS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_recorded_question_may_come_again_with_the_result(
    tmp_path: Path, client: str, stream: bool
) -> None:
    directory = scenario(tmp_path / "recordings", ORDERING)
    bodies = [json.loads(file.read_text())["request"]["body"] for file in directory.glob("*.json")]
    tool = bodies[0]["tools"][0]["function"]
    with (
        Serving(tmp_path / "state.db", recordings(directory)) as server,
        python(server.url, client, f"{SUITE}{ORDERING}") as openai,
    ):
        first = openai.responses.create(model="openai/gpt-4o", input=QUESTION, tools=[tool])
        (call,) = first.output
        assert call.type == "function_call"
        result = {"type": "function_call_output", "call_id": call.call_id, "output": "It is raining."}
        body = {
            "model": "openai/gpt-4o",
            "input": [{"role": "user", "content": QUESTION}, result],
            "tools": [tool],
            "previous_response_id": first.id,
        }
        second = created(server.url, client, body, stream=stream)
    (message,) = second["output"]
    assert "rain" in message["content"][0]["text"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def url(upstream: Upstream, tmp_path: Path) -> Iterator[str]:
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        yield server.url


def roles(chat: JSONObject) -> list[tuple[str, JSON]]:
    return [(each["role"], each["content"]) for each in chat["messages"]]


RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "Cold."}


def user(text: str) -> JSONObject:
    return {"role": "user", "content": text}


@pytest.mark.parametrize("given", ["text", "list"])
@pytest.mark.parametrize("client", EVERY)
def test_a_repeated_message_is_stored_and_llama_stack_does_not_send_it(
    url: str, upstream: Upstream, client: str, given: str
) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Oslo"})), says("Cold."))
    body: JSONObject = {
        "model": "up/m",
        "tools": [WEATHER],
        "input": "Oslo?" if given == "text" else [user("Oslo?")],
    }
    first = created(url, client, body)
    body |= {"input": [user("Oslo?"), RESULT, user("And?")], "previous_response_id": first["id"]}
    second = created(url, client, body)
    sent = roles(upstream.chats[-1].json)
    repeated = [("user", "Oslo?")] if client == OPENAI else []
    assert [each for each in sent if each[0] == "user"] == [("user", "Oslo?"), *repeated, ("user", "And?")]
    stored = asked(url, client, "GET", f"/responses/{second['id']}/input_items?order=asc").json["data"]
    assert [item["type"] for item in stored] == ["message", "function_call_output", "message"]


@pytest.mark.parametrize("client", THEIRS)
def test_a_text_is_sent_again(url: str, upstream: Upstream, client: str) -> None:
    upstream.script(says("Yes."), says("Yes."))
    first = created(url, client, {"model": "up/m", "input": "Continue."})
    created(url, client, {"model": "up/m", "input": "Continue.", "previous_response_id": first["id"]})
    assert roles(upstream.chats[-1].json) == [
        ("user", "Continue."),
        ("assistant", "Yes."),
        ("user", "Continue."),
    ]


@pytest.mark.parametrize("client", THEIRS)
def test_only_the_last_user_message_of_the_history_counts(url: str, upstream: Upstream, client: str) -> None:
    upstream.script(says("One."), says("Two."), says("Three."))
    previous = created(url, client, {"model": "up/m", "input": "A"})["id"]
    previous = created(url, client, {"model": "up/m", "input": "B", "previous_response_id": previous})["id"]
    given = [user("A"), user("C"), user("C"), user("B")]
    created(url, client, {"model": "up/m", "input": given, "previous_response_id": previous})
    said = [content for role, content in roles(upstream.chats[-1].json) if role == "user"]
    assert said == ["A", "B", "A", "C", "C"]


@pytest.mark.parametrize("client", THEIRS)
def test_a_conversation_is_a_history_too(url: str, upstream: Upstream, client: str) -> None:
    upstream.script(says("Yes."))
    items = {"items": [user("Hi"), {"role": "assistant", "content": "Hello."}]}
    conversation = asked(url, client, "POST", "/conversations", items).json["id"]
    created(url, client, {"model": "up/m", "input": [user("Hi"), user("Go")], "conversation": conversation})
    assert [role for role, _ in roles(upstream.chats[-1].json)] == ["user", "assistant", "user"]
