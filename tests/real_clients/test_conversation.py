"""The same conversation in each client's own way: a streamed tool call, then a turn that needs its result."""

import json
from pathlib import Path

import pytest

from antiphon.wire.json import JSONObject
from tests.clients.replies import calls, says
from tests.real_clients.installed import HERE, command_of, run
from tests.real_clients.test_llama_stack import VERSIONS as LLAMA_STACK
from tests.support.serving import Serving
from tests.support.upstream import Upstream

CLIENTS = sorted(path.parent.name for path in HERE.glob("*/program.*"))
QUESTION, NEXT = "What is the weather in Oslo?", "What did I ask?"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("client", CLIENTS)
def test_a_conversation(client: str, server: Serving, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(
        calls(("call_1", "get_weather", {"city": "Oslo"})),
        says("It is ", "cold ", "in Oslo."),
        says("You asked ", "about Oslo."),
    )

    env = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}
    report = json.loads(run([*command_of(client), QUESTION, NEXT], tmp_path, env))

    assert report == {
        "called": ["Oslo"],
        "deltas": [["It is ", "cold ", "in Oslo."], ["You asked ", "about Oslo."]],
        "texts": ["It is cold in Oslo.", "You asked about Oslo."],
    }
    asked, answered, followed = upstream.chats
    assert [tool["function"]["name"] for tool in asked.json["tools"]] == ["get_weather"]
    assert [said(message) for message in messages(asked.json)] == [("user", QUESTION)]
    call, output = messages(answered.json)[1:]
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"city": "Oslo"}
    assert output["tool_call_id"] == call["tool_calls"][0]["id"] == "call_1"
    assert [said(message) for message in messages(followed.json)] == [
        ("user", QUESTION),
        ("assistant", ""),
        ("tool", "It is cold in Oslo."),
        ("assistant", "It is cold in Oslo."),
        ("user", NEXT),
    ]


def test_every_client_is_run() -> None:
    locks = [*HERE.glob("*/requirements.txt"), *HERE.glob("*/package-lock.json")]
    assert {lock.parent.name for lock in locks} == {*CLIENTS, "codex", *LLAMA_STACK}


def messages(chat: JSONObject) -> list[JSONObject]:
    """Return the messages of a chat completion request, except those of the operator."""
    return [message for message in chat["messages"] if message["role"] not in ("system", "developer")]


def said(message: JSONObject) -> tuple[str, str]:
    """Return the role and the text of a message."""
    content = message["content"] or ""
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    return message["role"], text.strip('"')  # ogx-client sends the result of a tool as JSON.
