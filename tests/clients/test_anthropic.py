"""The anthropic SDK against the server: whole and streamed messages, tools, thinking, and recordings."""

import asyncio
from pathlib import Path

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import MessageParam, TextBlock, ThinkingBlock, ToolParam, ToolUseBlock
from openai import OpenAI

from antiphon.engine.ports import ModelCatalogue
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from tests.clients.replies import USAGE, calls, says
from tests.support.serving import OpenCatalogue, Serving, backend, backends, recordings
from tests.support.upstream import Upstream, chunk, reply, sse

HI: MessageParam = {"role": "user", "content": "Hi"}
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Returns the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def root(server: Serving) -> str:
    """Return the base URL for the SDK, which adds `/v1` itself."""
    return server.url.removesuffix("/v1")


def claude(server: Serving) -> Anthropic:
    """Return a client of the server."""
    return Anthropic(base_url=root(server), api_key="none", max_retries=0)


def test_create_returns_text_and_usage(server: Serving, upstream: Upstream) -> None:
    upstream.script(says("Hello", " you."))
    with claude(server) as client:
        message = client.messages.create(model="up/m", max_tokens=100, messages=[HI], system="Be kind.")
    assert message.content == [TextBlock(type="text", text="Hello you.", citations=None)]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == (
        "end_turn",
        12,
        3,
    )
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


def test_an_async_client_streams(server: Serving, upstream: Upstream) -> None:
    upstream.script(says("Hello", " you."))

    async def run() -> tuple[list[str], str | None]:
        async with (
            AsyncAnthropic(base_url=root(server), api_key="none", max_retries=0) as client,
            client.messages.stream(model="up/m", max_tokens=100, messages=[HI]) as stream,
        ):
            texts = [text async for text in stream.text_stream]
            return texts, (await stream.get_final_message()).stop_reason

    assert asyncio.run(run()) == (["Hello", " you."], "end_turn")


def two_turns(client: Anthropic, model: str) -> list[str]:
    """Run a streamed turn that calls a tool and a whole one with its result; return the texts."""
    messages: list[MessageParam] = [{"role": "user", "content": "How is Rome?"}]
    with client.messages.stream(
        model=model, max_tokens=100, messages=messages, tools=[WEATHER], tool_choice={"type": "any"}
    ) as stream:
        first = stream.get_final_message()
    assert first.stop_reason == "tool_use"
    (call,) = first.content
    assert isinstance(call, ToolUseBlock)
    assert (call.name, call.input) == ("get_weather", {"city": "Rome"})
    messages += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Rain"}]},
    ]
    second = client.messages.create(model=model, max_tokens=100, messages=messages, tools=[WEATHER])
    assert second.stop_reason == "end_turn"
    return [block.text for block in second.content if isinstance(block, TextBlock)]


def test_a_tool_is_called_in_two_turns(server: Serving, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Rome"})), says("It rains."))
    with claude(server) as client:
        assert two_turns(client, "up/m") == ["It rains."]
    first, second = (request.json for request in upstream.chats)
    assert first["tool_choice"] == "required"
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "tool"]


def test_thinking_has_a_signature_in_a_stream(server: Serving, upstream: Upstream) -> None:
    pieces = [chunk(reasoning_content="I "), chunk(reasoning_content="think."), chunk("So.")]
    upstream.script(sse(*pieces, chunk(finish="stop"), chunk(usage=USAGE)))
    with (
        claude(server) as client,
        client.messages.stream(
            model="up/m", max_tokens=100, messages=[HI], thinking={"type": "adaptive"}
        ) as stream,
    ):
        thinking, text = stream.get_final_message().content
    assert isinstance(thinking, ThinkingBlock)
    assert thinking.thinking == "I think."
    assert thinking.signature.startswith("antiphon1.")
    assert isinstance(text, TextBlock)


def test_the_beta_client_streams(server: Serving, upstream: Upstream) -> None:
    upstream.script(calls(("call_1", "get_weather", {"city": "Rome"})))
    with (
        claude(server) as client,
        client.beta.messages.stream(
            model="up/m",
            max_tokens=100,
            messages=[{"role": "user", "content": "How is Rome?"}],
            tools=[{**WEATHER, "type": "custom"}],
        ) as stream,
    ):
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["tool_use"]


def test_errors_have_the_sdks_classes(server: Serving, upstream: Upstream) -> None:
    with claude(server) as client:
        with pytest.raises(anthropic.BadRequestError) as bad:
            client.messages.create(model="up/m", max_tokens=0, messages=[HI])
        assert "max_tokens" in str(bad.value)
        with pytest.raises(anthropic.NotFoundError):
            client.models.retrieve("none/at/all")
        upstream.script(reply({"error": {"message": "slow down"}}, status=429))
        with (
            pytest.raises(anthropic.RateLimitError),
            client.messages.stream(model="up/m", max_tokens=100, messages=[HI]) as stream,
        ):
            stream.get_final_message()
        upstream.script(sse(chunk("Hel"), done=False, end="cut"))
        with (
            pytest.raises(anthropic.APIStatusError) as broken,
            client.messages.stream(model="up/m", max_tokens=100, messages=[HI]) as stream,
        ):
            stream.get_final_message()
        assert "api_error" in str(broken.value)


def test_tokens_are_counted(server: Serving) -> None:
    with claude(server) as client:
        plain = client.messages.count_tokens(model="up/m", messages=[HI])
        tools = client.messages.count_tokens(model="up/m", messages=[HI], tools=[WEATHER])
    assert 0 < plain.input_tokens < tools.input_tokens


def test_both_sdks_list_the_models(server: Serving, client: OpenAI) -> None:
    with claude(server) as theirs:
        names = [model.id for model in theirs.models.list(limit=1)]
        assert theirs.models.retrieve("up/m").display_name == "up/m"
    assert names == [model.id for model in client.models.list()]
    versioned = client.with_options(default_headers={"anthropic-version": "2023-06-01"})
    assert [model.id for model in versioned.models.list()] == names


def test_messages_are_recorded_and_replayed(tmp_path: Path, upstream: Upstream) -> None:
    folder = tmp_path / "recordings"
    live: OpenCatalogue = backends(backend(upstream))

    async def recording() -> ModelCatalogue:
        return RecordingCatalogue(await live(), RecordingLookup(Collection(folder)), "record", Faults())

    upstream.script(calls(("call_1", "get_weather", {"city": "Rome"})), says("It rains."))
    with Serving(tmp_path / "one.db", recording) as server, claude(server) as client:
        assert two_turns(client, "up/m") == ["It rains."]
    asked = len(upstream.chats)
    assert asked == 2
    with Serving(tmp_path / "two.db", recordings(folder)) as server, claude(server) as client:
        assert two_turns(client, "up/m") == ["It rains."]
    assert len(upstream.chats) == asked
