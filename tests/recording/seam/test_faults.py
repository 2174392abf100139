"""Injected faults, which look like real ones over live calls, recording and replay."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import cast

import pytest

from antiphon.engine.ports import ChatModel
from antiphon.engine.request_context import RequestContext
from antiphon.errors import AntiphonError, InvalidRequest, UpstreamBroken, UpstreamRefused, UpstreamTimeout
from antiphon.recording.seam import faults
from antiphon.recording.seam.faults import Faults, FaultyModel
from antiphon.settings.schema import Mode
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON
from tests.recording.asking import Backend, catalogue, said
from tests.recording.samples import chat_request, chunk
from tests.support.notes import notes_of, noting

WORDS = [chunk({"content": word}) for word in "abcde"] + [chunk({}, "stop")]
BODY = cast(ChatRequest, {**chat_request(), "model": "m"})
STREAMING = cast(ChatRequest, {**BODY, "stream": True})


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Replace sleeping, and return the list of the seconds."""
    slept: list[float] = []

    async def nap(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(faults, "sleep", nap)
    return slept


class Heard:
    """Chunks of a stream, and the error that ended it."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.error: AntiphonError | None = None

    @property
    def values(self) -> list[JSON]:
        return [json.loads(chunk) for chunk in self.chunks]


def hear(model: ChatModel, body: ChatRequest = STREAMING) -> Heard:
    heard = Heard()

    async def listen() -> None:
        try:
            async for batch in model.stream(body):
                heard.chunks += batch
        except AntiphonError as error:
            heard.error = error

    asyncio.run(listen())
    return heard


def faulty(
    backend: Backend, rules: str, context: RequestContext | None = None, names: tuple[str, ...] = ("m",)
) -> FaultyModel:
    return FaultyModel(backend, Faults(rules), context or RequestContext(), names)


@pytest.mark.parametrize("chunks", [0, 1, 3])
def test_a_stream_is_cut_after_n_chunks(chunks: int) -> None:
    backend = Backend(WORDS)
    heard = hear(faulty(backend, f"cut:{chunks}"))
    assert heard.values == WORDS[:chunks]
    assert isinstance(heard.error, UpstreamBroken)
    assert backend.open == 0
    assert len(backend.requests) == (1 if chunks else 0)


def test_a_batch_is_cut_in_the_middle() -> None:
    class Batch(Backend):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[list[bytes], None]:
            yield [b"1", b"2", b"3"]
            yield [b"4"]

    assert hear(faulty(Batch(WORDS), "cut:2")).chunks == [b"1", b"2"]
    assert hear(faulty(Batch(WORDS), "garble:4")).chunks == [b"1", b"2", b"3", b""]


def test_a_stalled_stream_times_out(naps: list[float]) -> None:
    backend = Backend(WORDS)
    heard = hear(faulty(backend, "stall:2,for=9"))
    assert heard.values == WORDS[:2]
    assert isinstance(heard.error, UpstreamTimeout)
    assert naps == [9.0]
    assert backend.open == 0


def test_a_chunk_is_broken() -> None:
    heard = hear(faulty(Backend(WORDS), "garble:2"))
    assert heard.error is None
    assert json.loads(heard.chunks[0]) == WORDS[0]
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(heard.chunks[1])
    assert json.loads(heard.chunks[2]) == WORDS[2]


def test_the_finish_reason_is_dropped() -> None:
    heard = hear(faulty(Backend(WORDS), "unfinished"))
    assert [value["choices"][0]["finish_reason"] for value in heard.values] == [None] * 6
    assert [value["choices"][0]["delta"] for value in heard.values] == [
        word["choices"][0]["delta"] for word in WORDS
    ]


def test_an_answer_is_late(naps: list[float]) -> None:
    heard = hear(faulty(Backend(WORDS), "delay:1.5"))
    assert (heard.values, heard.error, naps) == (WORDS, None, [1.5])


@pytest.mark.parametrize(
    ("rule", "status", "code", "headers"),
    [
        ("429:7", 429, "rate_limit_exceeded", {"retry-after": "7"}),
        ("429", 429, "rate_limit_exceeded", {}),
        ("500", 502, "upstream_error", {}),
        ("503:0.5", 503, "upstream_error", {"retry-after": "0.5"}),
    ],
)
@pytest.mark.parametrize("streamed", [True, False])
def test_a_call_is_refused(
    rule: str, status: int, code: str, headers: dict[str, str], streamed: bool
) -> None:
    backend = Backend(WORDS)
    model = faulty(backend, rule)
    if streamed:
        error = hear(model).error
    else:
        with pytest.raises(UpstreamRefused) as caught:
            asyncio.run(model.complete(BODY))
        error = caught.value
    assert error is not None
    assert (error.status, error.code, error.headers) == (status, code, headers)
    assert backend.requests == []


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ("cut", UpstreamBroken),
        ("cut:3", UpstreamBroken),
        ("stall:1", UpstreamTimeout),
        ("garble", UpstreamBroken),
        ("garble:2", UpstreamBroken),
        ("429:7", UpstreamRefused),
    ],
)
def test_a_non_streaming_answer_fails_as_a_whole(rule: str, error: type[AntiphonError]) -> None:
    with pytest.raises(error) as caught:
        asyncio.run(faulty(Backend([said("Hi")]), rule).complete(BODY))
    heard = hear(faulty(Backend([said("Hi")]), rule), BODY)
    assert heard.chunks == []
    assert heard.error is not None
    assert (type(heard.error), heard.error.message) == (error, caught.value.message)


def test_a_non_streaming_answer_may_lack_its_finish_reason_or_be_late(naps: list[float]) -> None:
    reply = json.loads(asyncio.run(faulty(Backend([said("Hi")]), "unfinished").complete(BODY)))
    assert reply["choices"][0]["finish_reason"] is None
    assert hear(faulty(Backend([said("Hi")]), "unfinished"), BODY).values == [reply]
    late = json.loads(asyncio.run(faulty(Backend([said("Hi")]), "delay:2").complete(BODY)))
    assert (late, naps) == (said("Hi"), [2.0])
    heard = hear(faulty(Backend([said("Hi")]), "delay:2"), BODY)
    assert (heard.values, heard.error, naps) == ([said("Hi")], None, [2.0, 2.0])


def test_only_the_nth_call_of_a_scope_fails() -> None:
    rules, backend = Faults("cut,call=2"), Backend(WORDS)

    def failed(scope: str) -> bool:
        return hear(FaultyModel(backend, rules, RequestContext(scope=scope), ("m",))).error is not None

    assert [failed("a"), failed("a"), failed("b"), failed("a"), failed("b")] == [
        False,
        True,
        False,
        False,
        True,
    ]


def test_a_scope_that_begins_once_more_is_counted_from_one() -> None:
    rules, backend = Faults("cut,call=2"), Backend(WORDS)

    def failed(scope: str) -> bool:
        return hear(FaultyModel(backend, rules, RequestContext(scope=scope), ("m",))).error is not None

    assert [failed("a"), failed("b")] == [False, False]
    rules.begin("a")
    assert [failed("a"), failed("b"), failed("a")] == [False, True, True]


@pytest.mark.parametrize(
    ("pattern", "fails"), [("gpt-4o", True), ("gpt-*", True), ("up/*", True), ("o4", False)]
)
def test_only_some_models_fail(pattern: str, fails: bool) -> None:
    model = faulty(Backend(WORDS), f"cut,model={pattern}", names=("gpt-4o", "up/gpt-4o"))
    assert (hear(model).error is not None) is fails


def test_a_rule_for_a_tool_is_not_about_models() -> None:
    assert hear(faulty(Backend(WORDS), "cut,tool=*")).error is None


def test_the_rules_of_the_request_come_first_and_are_noted() -> None:
    context = noting(faults="429")
    heard = hear(faulty(Backend(WORDS), "cut:1", context))
    assert isinstance(heard.error, UpstreamRefused)
    assert notes_of(context) == ["fault 429"]


def ask(directory: Path, mode: Mode, rules: str, body: ChatRequest = STREAMING) -> Heard:
    answer = WORDS if body is STREAMING else [said("Hi")]
    backends = None if mode == "replay" else Backend(answer)

    async def resolved() -> ChatModel:
        found = await catalogue(directory, mode, backends, faults=rules).resolve("m", RequestContext())
        return found.chat_model

    return hear(asyncio.run(resolved()), body)


@pytest.mark.parametrize("mode", ["live", "record-missing", "replay"])
def test_faults_come_over_what_is_recorded_and_do_not_change_it(mode: Mode, tmp_path: Path) -> None:
    ask(tmp_path, "record", "")
    for _ in range(2):
        failed = ask(tmp_path, mode, "cut:2")
        assert failed.values == WORDS[:2]
        assert isinstance(failed.error, UpstreamBroken)
    whole = ask(tmp_path, "replay", "")
    assert (whole.values, whole.error) == (WORDS, None)


@pytest.mark.parametrize("mode", ["record", "record-missing"])
@pytest.mark.parametrize("rule", ["cut", "cut:2", "stall:1,for=0", "429:7", "500", "garble:2", "unfinished"])
@pytest.mark.parametrize("body", [STREAMING, BODY], ids=["stream", "JSON"])
def test_a_bad_day_is_recorded_and_replayed_without_its_rule(
    rule: str, mode: Mode, body: ChatRequest, tmp_path: Path
) -> None:
    def told(heard: Heard) -> JSON:
        error = heard.error
        return heard.chunks, error and (type(error), error.message, error.headers)

    bad = told(ask(tmp_path, mode, rule, body))
    assert bad != told(ask(tmp_path, "live", "", body))
    assert told(ask(tmp_path, "replay", "", body)) == bad


def test_a_wrong_rule_of_a_request_is_the_requests_error(tmp_path: Path) -> None:
    models = catalogue(tmp_path, "live", Backend(WORDS))
    with pytest.raises(InvalidRequest, match="unknown action"):
        asyncio.run(models.resolve("m", RequestContext(faults="explode")))


def test_without_rules_nothing_stands_between(tmp_path: Path) -> None:
    backend = Backend(WORDS)
    found = asyncio.run(catalogue(tmp_path, "live", backend).resolve("m", RequestContext()))
    assert found.chat_model is backend


def test_the_capabilities_are_those_of_the_model() -> None:
    backend = Backend(WORDS)
    assert faulty(backend, "cut").capabilities is backend.capabilities
