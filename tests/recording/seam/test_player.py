"""Replay through the `ChatModel` and the catalogue."""

import asyncio
import json
from pathlib import Path
from typing import cast

import pytest

from antiphon.engine.ports import ChatModel, ModelCatalogue
from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConfigError, RecordingNotFound, UpstreamError, UpstreamRefused
from antiphon.recording.calls.exact_hash import request_hash
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import DEFAULT_CAPABILITIES, RecordingLookup
from antiphon.recording.seam.player import Player
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from tests.recording.samples import calls_in, chat_request, chunk, recording, recordings, write
from tests.support.notes import notes_of, noting

EXPERTS = "639c49548ecb34e8dedcc65738498e22c6d0dc67fbf9cb852f4a99f653eab6f3.json"
PERMISSIONS = "aadc06753bab7e4450f37786f558c58bef42fce2301fd2f868f85564de6e1d96.json"


def player(directory: Path) -> Player:
    return Player(RecordingLookup(Collection(directory)), RequestContext(), DEFAULT_CAPABILITIES)


def opened(directory: Path) -> RecordingCatalogue:
    return RecordingCatalogue(None, RecordingLookup(Collection(directory)), "replay", Faults())


def stream(model: ChatModel, body: JSONObject) -> list[JSON]:
    async def gather() -> list[JSON]:
        request = cast(ChatRequest, body)
        return [json.loads(text) async for batch in model.stream(request) for text in batch]

    return asyncio.run(gather())


def complete(model: ChatModel, body: JSONObject) -> JSON:
    return json.loads(asyncio.run(model.complete(cast(ChatRequest, body))))


@pytest.mark.shared
@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("name", [EXPERTS, PERMISSIONS])
def test_the_seeds_replay_chunk_by_chunk(name: str) -> None:
    file = json.loads((recordings("seeds") / name).read_text())
    replayed = stream(player(recordings("seeds")), file["request"]["body"])
    assert replayed == [value["__data__"] for value in file["response"]["body"]]


@pytest.mark.shared
@pytest.mark.usefixtures("no_sockets")
def test_the_first_seed_answers_a_request_that_is_not_streamed() -> None:
    body = json.loads((recordings("seeds") / EXPERTS).read_text())["request"]["body"]
    reply = complete(player(recordings("seeds")), {**body, "stream": False})
    message = reply["choices"][0]["message"]
    assert message["content"] == "The Llama 4 Maverick model has 128 experts."
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"]["total_tokens"] == 1000


@pytest.mark.shared
@pytest.mark.usefixtures("no_sockets")
def test_the_second_seed_calls_a_function() -> None:
    body = json.loads((recordings("seeds") / PERMISSIONS).read_text())["request"]["body"]
    reply = complete(player(recordings("seeds")), body)
    (call,) = reply["choices"][0]["message"]["tool_calls"]
    assert call["function"] == {"name": "get_user_permissions", "arguments": '{"user_id":"user_11111"}'}


@pytest.mark.shared
@pytest.mark.usefixtures("no_sockets")
def test_every_real_chat_is_answered() -> None:
    directory = recordings("llama-stack")
    model, replay = player(directory), RecordingLookup(Collection(directory))
    for call in calls_in(directory):
        if call.kind != "chat":
            continue
        if call.error is not None:
            with pytest.raises(UpstreamRefused) as caught:
                stream(model, call.request)
            assert caught.value.upstream_status == call.error.status_code
            continue
        answer = asyncio.run(replay.get(call.request, RequestContext()))
        assert answer.key == call.key
        body = json.loads((directory / answer.name).read_text())["response"]["body"]
        if answer.streamed:
            assert stream(model, call.request) == [value["__data__"] for value in body]
        else:
            assert complete(model, call.request) == body["__data__"]


def test_a_recorded_error_keeps_status_message_and_code(tmp_path: Path) -> None:
    error = {
        "message": "Error code: 429 - {...}",
        "status_code": 429,
        "body": {"message": "Slow down", "code": "rate_limit_exceeded", "param": None},
    }
    write(tmp_path, "a.json", recording(chat_request(), None, is_exception=True, exception_data=error))
    with pytest.raises(UpstreamRefused) as caught:
        complete(player(tmp_path), chat_request())
    assert (caught.value.status, caught.value.message) == (429, "Slow down")
    assert caught.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("status", [None, 200, 0, 99999])
def test_a_recorded_error_without_a_status_is_the_backends(status: int | None, tmp_path: Path) -> None:
    error = {"message": "it broke", "status_code": status}
    write(tmp_path, "a.json", recording(chat_request(), None, is_exception=True, exception_data=error))
    with pytest.raises(UpstreamError, match="it broke") as caught:
        stream(player(tmp_path), chat_request())
    assert caught.value.status == 502


def test_a_single_reply_streams(tmp_path: Path) -> None:
    reply = {
        "id": "rec-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"total_tokens": 3},
    }
    write(tmp_path, "a.json", recording(chat_request(), reply))
    model = player(tmp_path)
    plain = stream(model, chat_request(stream=True))
    assert "".join(part["choices"][0]["delta"].get("content", "") for part in plain) == "Hi"
    assert not any("usage" in part for part in plain)
    metered = stream(model, chat_request(stream=True, stream_options={"include_usage": True}))
    assert metered[-1]["usage"] == {"total_tokens": 3}
    assert complete(model, chat_request()) == reply
    assert stream(model, chat_request()) == [reply]


def test_a_stream_stays_one_whatever_is_asked_for(tmp_path: Path) -> None:
    chunks = [chunk({"content": "Hi"}), chunk({}, "stop"), {"choices": [], "usage": {"total_tokens": 3}}]
    write(tmp_path, "a.json", recording(chat_request(stream=True), chunks))
    assert stream(player(tmp_path), chat_request()) == chunks
    assert stream(player(tmp_path), chat_request(stream=True)) == chunks


def test_a_non_streaming_request_finds_llama_stacks_recording(tmp_path: Path) -> None:
    """llama-stack's Responses request streams, so that the names of recordings are those of streams."""
    asked = chat_request(stream=True, stream_options={"include_usage": True})
    for name, text, body in (("0.json", "stale", chat_request()), ("z.json", "fresh", asked)):
        write(tmp_path, name, recording(body, [chunk({"content": text}, "stop")]))
    (tmp_path / "z.json").rename(tmp_path / f"{request_name(tmp_path, 'z.json')}.json")
    context = noting(scope="tests/test_small.py::test_hello")
    hit = asyncio.run(RecordingLookup(Collection(tmp_path)).get(chat_request(), context))
    assert json.loads(hit.payloads()[0])["choices"][0]["delta"]["content"] == "fresh"
    (note,) = notes_of(context)
    assert note.startswith("hit exact ")


def test_other_tasks_run_between_two_batches_of_chunks(tmp_path: Path) -> None:
    words = [chunk({"content": "a"}) for _ in range(50)]
    write(tmp_path, "a.json", recording(chat_request(), [*words, chunk({}, "stop")]))
    model = player(tmp_path)

    async def interleave() -> list[str]:
        order: list[str] = []

        async def replay(name: str) -> None:
            async for _ in model.stream(cast(ChatRequest, chat_request())):
                order.append(name)

        await asyncio.gather(replay("first"), replay("second"))
        return order

    assert asyncio.run(interleave()) == ["first", "second", "first", "second"]


def test_of_several_recordings_the_one_with_its_own_hash_answers(tmp_path: Path) -> None:
    def answer(text: str, request: JSONObject) -> JSONObject:
        return recording(request, [chunk({"content": text}, "stop")])

    write(tmp_path, "0.json", answer("stale", chat_request()))
    fresh = write(tmp_path, "z.json", answer("fresh", chat_request(user="someone")))
    fresh.rename(tmp_path / f"{request_name(tmp_path, 'z.json')}.json")
    write(tmp_path, "a/1.json", answer("stale too", chat_request(stream=True)))
    model = player(tmp_path)
    for _ in range(2):
        assert complete(model, chat_request())["choices"][0]["message"]["content"] == "fresh"


def request_name(directory: Path, name: str) -> str:
    file = json.loads((directory / name).read_text())
    request = file["request"]
    return request_hash(request["method"], request["url"], request["body"], file["test_id"])


def test_of_stale_recordings_the_first_name_answers(tmp_path: Path) -> None:
    write(tmp_path, "z/1.json", recording(chat_request(), [chunk({"content": "one"}, "stop")]))
    write(tmp_path, "a/2.json", recording(chat_request(), [chunk({"content": "two"}, "stop")]))
    assert complete(player(tmp_path), chat_request())["choices"][0]["message"]["content"] == "one"


def test_a_miss_names_the_nearest_recording(tmp_path: Path) -> None:
    for name, text in (("a.json", "Who are you?"), ("b.json", "What is 2 + 2?")):
        write(tmp_path, name, recording(chat_request(text), [chunk({"content": "4"}, "stop")]))
    with pytest.raises(RecordingNotFound) as caught:
        stream(player(tmp_path), chat_request("What is 2 + 3?", temperature=0.5))
    assert (caught.value.status, caught.value.code) == (502, "recording_not_found")
    first, *differences = caught.value.message.splitlines()
    assert "b.json" in first
    assert "tests/test_small.py::test_hello" in first
    assert differences == [
        '  messages[0].content: requested "What is 2 + 3?", recorded "What is 2 + 2?"',
        "  temperature: requested 0.5, recorded nothing",
    ]


@pytest.mark.shared
def test_a_miss_in_a_real_collection_is_short_and_printable() -> None:
    directory = recordings("llama-stack")
    model = player(directory)
    for call in calls_in(directory)[:40]:
        if call.kind == "chat":
            with pytest.raises(RecordingNotFound) as caught:
                complete(model, {**call.request, "temperature": 0.123})
            lines = caught.value.message.splitlines()
            assert "  temperature: requested 0.123, recorded nothing" in lines
            assert len(lines) <= 8
            assert all(line.isprintable() for line in lines)


def test_a_request_that_is_nested_deeply_is_a_miss(tmp_path: Path) -> None:
    write(tmp_path, "a.json", recording(chat_request(), [chunk({"content": "Hi"})]))
    seed: JSON = []
    for _ in range(5000):
        seed = [seed]
    with pytest.raises(RecordingNotFound, match="No recording answers this call"):
        complete(player(tmp_path), chat_request(seed=seed))


@pytest.fixture
def catalogue(tmp_path: Path) -> RecordingCatalogue:
    for name, model in (("a.json", "gpt-4o"), ("b.json", "Qwen/Qwen3"), ("c.json", "gpt-4o")):
        write(tmp_path, name, recording({**chat_request(), "model": model}, [chunk({"content": model})]))
    (tmp_path / "notes.json").write_text("{}")
    return opened(tmp_path)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("gpt-4o", "gpt-4o"),
        ("openai/gpt-4o", "gpt-4o"),
        ("Qwen/Qwen3", "Qwen/Qwen3"),
        ("vllm/Qwen/Qwen3", "Qwen/Qwen3"),
    ],
)
def test_a_model_is_found_as_it_is_and_without_its_first_segment(
    asked: str, name: str, catalogue: ModelCatalogue
) -> None:
    resolved = asyncio.run(catalogue.resolve(asked, RequestContext()))
    assert (resolved.name, resolved.id) == (name, asked)
    (value,) = stream(resolved.chat_model, {**chat_request(), "model": resolved.name})
    assert value["choices"][0]["delta"] == {"content": name}
    assert not resolved.chat_model.capabilities.think_tags


@pytest.mark.parametrize("asked", ["gpt-5", "openai/gpt-5", "a/b/gpt-4o", "", "/", "Qwen3"])
def test_another_model_is_a_miss(asked: str, catalogue: ModelCatalogue) -> None:
    context = noting()
    resolved = asyncio.run(catalogue.resolve(asked, context))
    with pytest.raises(RecordingNotFound, match=r'model: requested ".*", recorded "gpt-4o"'):
        complete(resolved.chat_model, {**chat_request(), "model": resolved.name})
    (note,) = notes_of(context)
    assert note == f'miss model: requested "{resolved.name}", recorded "gpt-4o"'


def test_the_recorded_models_are_listed(catalogue: ModelCatalogue) -> None:
    models = asyncio.run(catalogue.list_models())
    assert [model.id for model in models.data] == ["Qwen/Qwen3", "gpt-4o"]
    asyncio.run(catalogue.close())


def test_notices_name_the_folder_and_unreadable_files(catalogue: ModelCatalogue, tmp_path: Path) -> None:
    replayed, unreadable = catalogue.notices()
    assert replayed == f"recordings: 3 model calls in {tmp_path}"
    assert "notes.json" in unreadable


def test_a_directory_that_answers_nothing_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no recorded calls"):
        opened(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ConfigError, match=r"broken\.json"):
        opened(tmp_path)
