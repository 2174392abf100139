"""Chat completions, which the server proxies to the backend."""

import pytest
from openai import APIStatusError, OpenAI

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import USAGE, WEATHER, says
from tests.support.upstream import Answer, Upstream, completion, html, reply


def whole(content: str | None, finish: str = "stop", **message: JSON) -> JSONObject:
    """Return a completion with every key that OpenAI's description requires."""
    body = completion(content, finish=finish, refusal=None, **message)
    body["choices"][0]["logprobs"] = None
    return body


def test_chat_completions(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(reply(whole("Hello.")))
    answer = client.chat.completions.create(model="up/m", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hello."
    assert upstream.chats[0].json["model"] == "m"


def test_chat_completions_stream(client: OpenAI, upstream: Upstream) -> None:
    upstream.script(says("Hel", "lo."))
    chunks = list(
        client.chat.completions.create(
            model="up/m", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == USAGE["total_tokens"]


def test_chat_completions_call_tools(client: OpenAI, upstream: Upstream) -> None:
    called = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    upstream.script(reply(whole(None, "tool_calls", tool_calls=[called])))
    tool = {key: value for key, value in WEATHER.items() if key != "type"}
    tools: JSON = [{"type": "function", "function": tool}]
    answer = client.chat.completions.create(
        model="up/m", messages=[{"role": "user", "content": "Oslo?"}], tools=tools
    )
    assert answer.choices[0].message.tool_calls is not None
    assert answer.choices[0].message.tool_calls[0].id == "call_1"
    assert upstream.chats[0].json["tools"] == tools


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (
            reply({"error": {"message": "no", "code": "rate_limit_exceeded"}}, status=429, Retry_After="9"),
            429,
        ),
        (reply({"error": {"message": "bad"}}, status=400), 400),
        (reply({"error": {"message": "boom"}}, status=500), 502),
        (html("<html>", status=200), 502),
    ],
)
def test_chat_completions_have_the_same_errors(
    client: OpenAI, upstream: Upstream, answer: Answer, status: int, stream: bool
) -> None:
    upstream.script(answer)
    with pytest.raises(APIStatusError) as caught:
        client.chat.completions.create(
            model="up/m", messages=[{"role": "user", "content": "Hi"}], stream=stream
        )
    assert caught.value.status_code == status
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "9"
