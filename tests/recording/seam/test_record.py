"""Recording of answers while they pass: it delays nothing and keeps nothing incomplete."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import cast

import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.errors import (
    AntiphonError,
    ContextLengthExceeded,
    NotFound,
    SecretInRecording,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.recording.calls.errors import exception_of, recorded_error_of
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.recording.files import scope_file
from antiphon.recording.seam import record as record_module
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.recording.seam.record import CallWriter, Recorder
from antiphon.settings.backends import PRESETS, Capabilities
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSONObject
from tests.recording.asking import Backend, catalogue, said
from tests.recording.samples import chat_request, chunk
from tests.support.notes import notes_of, noting

WORDS = [chunk({"content": word}) for word in "abc"] + [chunk({}, "stop")]
BODY = cast(ChatRequest, {**chat_request(), "model": "m", "stream": True})
SECRET = "sk-proj-Ab3dEf6hIj9lMn2pQr5tUv8xYz1bCd4eFg7hIj0k"


def recorder(
    backend: Backend, directory: Path, context: RequestContext | None = None, name: str = "up"
) -> Recorder:
    return Recorder(
        backend, CallWriter(Collection(directory), context or RequestContext(), overwrite=True), name
    )


def calls(directory: Path, scope: str = "default") -> list[RecordedCall]:
    path = directory / scope_file.file_name(scope)
    return scope_file.read(path) if path.exists() else []


async def gather(stream: AsyncGenerator[list[bytes], None]) -> list[bytes]:
    return [chunk async for batch in stream for chunk in batch]


def test_every_chunk_passes_before_the_next_one_is_read(tmp_path: Path) -> None:
    backend = Backend(WORDS)

    async def check() -> None:
        passed = 0
        async with aclosing(recorder(backend, tmp_path).stream(BODY)) as batches:
            async for batch in batches:
                assert json.loads(batch[0]) == WORDS[passed]
                passed += 1
                assert calls(tmp_path) == []
        assert passed == len(WORDS)

    asyncio.run(check())
    (call,) = calls(tmp_path)
    assert [json.loads(payload) for payload in call.payloads()] == WORDS
    assert (call.streamed, call.request, call.error) == (True, BODY, None)


def test_a_non_streaming_reply_is_recorded(tmp_path: Path) -> None:
    noted = noting(scope="s")
    reply = asyncio.run(recorder(Backend([said("Hi")]), tmp_path, noted).complete(BODY))
    (call,) = calls(tmp_path, "s")
    assert (json.loads(reply), json.loads(call.payloads()[0])) == (said("Hi"), said("Hi"))
    assert (call.streamed, notes_of(noted)) == (False, ["recorded"])


@pytest.mark.parametrize(
    ("answer", "asked", "streamed"),
    [
        ([said("Hi")], False, False),
        ([said("Hi")], True, False),
        (WORDS, True, True),
        (WORDS, False, True),
        (WORDS[-1:], True, True),
    ],
)
def test_how_it_was_answered_is_recorded(
    answer: list[JSONObject], asked: bool, streamed: bool, tmp_path: Path
) -> None:
    body = cast(ChatRequest, {**chat_request(), "model": "m"} | ({"stream": True} if asked else {}))
    chunks = asyncio.run(gather(recorder(Backend(answer), tmp_path).stream(body)))
    (call,) = calls(tmp_path)
    assert (call.streamed, call.request) == (streamed, body)
    assert [json.loads(payload) for payload in call.payloads()] == answer
    assert call.payloads() == [chunk.replace(b" ", b"") for chunk in chunks]


def test_gaps_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Batches(Backend):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
            for text in (b'{"a":1}', b'{"a":2}'):
                yield [text, text]

    moments = iter([10.0, 10.02, 10.5])
    monkeypatch.setattr(record_module, "monotonic", lambda: next(moments))
    asyncio.run(gather(recorder(Batches(WORDS), tmp_path).stream(BODY)))
    (call,) = calls(tmp_path)
    assert call.gaps == (20, 0, 480, 0)


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_client_that_leaves_early_records_nothing(chunks: int, tmp_path: Path) -> None:
    backend = Backend(WORDS)

    async def leave() -> None:
        stream = recorder(backend, tmp_path).stream(BODY)
        for _ in range(chunks):
            await anext(stream)
        await stream.aclose()

    asyncio.run(leave())
    assert (calls(tmp_path), backend.open) == ([], 0)


@pytest.mark.parametrize(
    "broken",
    [b'{"choices": [{"del', b'{"error": {"message": "Overloaded", "code": 503}}', b'{"choices": 1}', b"\xff"],
)
def test_a_broken_chunk_is_recorded_though_nobody_reads_on(broken: bytes, tmp_path: Path) -> None:
    class Breaking(Backend):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
            yield [json.dumps(WORDS[0]).encode(), broken]
            yield [json.dumps(WORDS[1]).encode()]

    async def read(model: Recorder) -> None:
        async with aclosing(model.stream(BODY)) as batches:
            await anext(batches)

    noted = noting()
    asyncio.run(read(recorder(Breaking(WORDS), tmp_path, noted)))
    assert notes_of(noted) == ["recorded"]

    async def replayed() -> list[bytes]:
        found = await catalogue(tmp_path).resolve("m", RequestContext())
        return await gather(found.chat_model.stream(BODY))

    first, last = asyncio.run(replayed())
    assert json.loads(first) == WORDS[0]
    assert last.replace(b" ", b"") == broken.replace(b" ", b"")


def test_a_cancelled_call_records_nothing(tmp_path: Path) -> None:
    class Hanging(Backend):
        async def complete(self, request: ChatRequest) -> bytes:
            await asyncio.Event().wait()
            raise NotImplementedError

    async def leave() -> None:
        task = asyncio.create_task(recorder(Hanging(WORDS), tmp_path).complete(BODY))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(leave())
    assert calls(tmp_path) == []


def test_a_cut_stream_is_recorded_with_what_came_before(tmp_path: Path) -> None:
    backend = Backend(WORDS[:2])
    backend.cut = UpstreamBroken("the connection was cut")
    with pytest.raises(UpstreamBroken):
        asyncio.run(gather(recorder(backend, tmp_path).stream(BODY)))
    (call,) = calls(tmp_path)
    assert [json.loads(payload) for payload in call.payloads()] == WORDS[:2]
    assert call.error is not None
    assert call.error.message == "the connection was cut"


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (UpstreamRefused("No", upstream_status=429, code="c", headers={"Retry-After": "3"}), True),
        (UpstreamRefused("No", upstream_status=401), True),
        (UpstreamTimeout("late"), True),
        (UpstreamBroken("cut"), True),
        (ContextLengthExceeded("too long"), True),
        (UpstreamUnreachable("refused"), False),
        (NotFound("none"), False),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_an_error_is_recorded_if_it_says_something_about_the_call(
    error: AntiphonError, kept: bool, streamed: bool, tmp_path: Path
) -> None:
    model = recorder(Backend(error), tmp_path)
    with pytest.raises(type(error)):
        asyncio.run(gather(model.stream(BODY)) if streamed else model.complete(BODY))
    found = calls(tmp_path)
    assert len(found) == int(kept)
    for call in found:
        assert call.error is not None
        again = exception_of(call.error)
        assert (type(again), again.message, again.status, again.code) == (
            type(error),
            error.message,
            error.status,
            error.code,
        )


def test_an_error_goes_there_and_back() -> None:
    error = UpstreamRefused(
        "Slow down", upstream_status=429, code="c", param="p", headers={"Retry-After": "3"}
    )
    failure = recorded_error_of(error)
    assert failure is not None
    again = exception_of(failure)
    assert isinstance(again, UpstreamRefused)
    assert (again.upstream_status, again.code, again.param) == (429, "c", "p")
    assert again.headers == {"retry-after": "3"}


def test_a_secret_in_the_request_stops_the_call(tmp_path: Path) -> None:
    backend = Backend(WORDS)
    body = cast(ChatRequest, {**chat_request(f"Use {SECRET}"), "model": "m"})
    with pytest.raises(SecretInRecording):
        asyncio.run(gather(recorder(backend, tmp_path).stream(body)))
    assert (backend.requests, calls(tmp_path)) == ([], [])


def test_a_secret_in_the_answer_is_never_written(tmp_path: Path) -> None:
    half = len(SECRET) // 2
    words = [chunk({"content": SECRET[:half]}), chunk({"content": SECRET[half:]}), chunk({}, "stop")]
    with pytest.raises(SecretInRecording):
        asyncio.run(gather(recorder(Backend(words), tmp_path).stream(BODY)))
    assert calls(tmp_path) == []


@pytest.mark.parametrize("kind", ["openai", "ollama", "vllm"])
def test_replay_words_requests_as_they_were_recorded(kind: str, tmp_path: Path) -> None:
    capabilities: Capabilities = {str(name): preset for name, preset in PRESETS.items()}[kind]
    backend = Backend(WORDS, capabilities=capabilities)
    model = recorder(backend, tmp_path)
    assert model.capabilities is capabilities
    asyncio.run(gather(model.stream(BODY)))
    assert RecordingLookup(Collection(tmp_path)).capabilities("m") == capabilities
    assert RecordingLookup(Collection(tmp_path)).capabilities("other") == Capabilities(think_tags=False)


def test_requests_are_worded_for_the_backend_that_is_asked(tmp_path: Path) -> None:
    for name in ("ollama", "vllm"):
        backend = Backend(WORDS, capabilities=PRESETS[name])
        asyncio.run(gather(recorder(backend, tmp_path, RequestContext(scope=name), name).stream(BODY)))
    replay = RecordingLookup(Collection(tmp_path))
    assert replay.capabilities("m", "ollama") == PRESETS["ollama"]
    assert replay.capabilities("m", "vllm") == PRESETS["vllm"]
    assert replay.capabilities("m", "another") == PRESETS["ollama"]


def test_switches_of_a_later_version_are_not_needed(tmp_path: Path) -> None:
    backend = Backend(WORDS, capabilities=PRESETS["ollama"])
    asyncio.run(gather(recorder(backend, tmp_path).stream(BODY)))
    path = tmp_path / "default.json"
    path.write_text(path.read_text().replace('"verbosity"', '"telepathy"'))
    assert RecordingLookup(Collection(tmp_path)).capabilities("m") == Capabilities(think_tags=False)
