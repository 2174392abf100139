"""Handling of a call in each mode; the tests of the player cover the catalogue's own messages."""

import asyncio
import json
import re
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from antiphon.engine.ports import ModelCatalogue, ResolvedModel, ToolCalls
from antiphon.engine.request_context import RequestContext
from antiphon.errors import (
    AntiphonError,
    InvalidRequest,
    NotFound,
    RecordingNotFound,
    UpstreamError,
    UpstreamTimeout,
)
from antiphon.recording.collection import Collection
from antiphon.recording.files import scope_file
from antiphon.recording.seam import player
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.settings.schema import Mode
from antiphon.wire.chat import ChatRequest
from antiphon.wire.json import JSON, JSONObject
from tests.recording.asking import Backend, catalogue, said
from tests.recording.samples import chat_request, chunk
from tests.support.notes import notes_of, noting


def ask(
    models: ModelCatalogue, *questions: str, context: RequestContext | None = None, streamed: bool = False
) -> list[str]:
    """Return the answers to the questions, which are sent in turn by the calls of one request."""

    async def asked() -> list[str]:
        answers = []
        found = await models.resolve("m", context or RequestContext())
        for question in questions:
            body = cast(ChatRequest, {**chat_request(question), "model": found.name})
            if streamed:
                chunks = [json.loads(c) async for batch in found.chat_model.stream(body) for c in batch]
                deltas = [choice["delta"] for c in chunks for choice in c["choices"]]
                answers.append("".join(delta.get("content") or "" for delta in deltas))
            else:
                reply = json.loads(await found.chat_model.complete(body))
                answers.append(reply["choices"][0]["message"]["content"])
        return answers

    return asyncio.run(asked())


def backend(*answers: str) -> Backend:
    return Backend(*([said(answer)] for answer in answers))


@pytest.mark.parametrize("streamed", [True, False])
def test_record_then_replay(streamed: bool, tmp_path: Path) -> None:
    up = Backend(*([chunk({"content": answer}), chunk({}, "stop")] for answer in ("One", "Two")))
    assert ask(catalogue(tmp_path, "record", up), "a", "b", streamed=streamed) == ["One", "Two"]
    assert ask(catalogue(tmp_path), "b", "a", streamed=streamed) == ["Two", "One"]
    assert len(up.requests) == 2


def test_live_writes_nothing(tmp_path: Path) -> None:
    assert ask(catalogue(tmp_path / "none", "live", backend("One")), "a") == ["One"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("streamed", [True, False])
def test_record_missing_calls_only_for_what_is_missing(streamed: bool, tmp_path: Path) -> None:
    def up(answer: str) -> Backend:
        return Backend([chunk({"content": answer}), chunk({}, "stop")])

    ask(catalogue(tmp_path, "record", up("One")), "a", streamed=streamed)
    context, other = noting(), up("Two")
    models = catalogue(tmp_path, "record-missing", other)
    assert ask(models, "a", "b", context=context, streamed=streamed) == ["One", "Two"]
    assert notes_of(context) == ["hit exact default.json#1", "miss", "recorded"]
    assert len(other.requests) == 1
    assert ask(catalogue(tmp_path), "a", "b", streamed=streamed) == ["One", "Two"]


def test_record_missing_records_a_repetition_too(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("One")), "a")
    assert ask(catalogue(tmp_path, "record-missing", backend("Two", "Three")), "a", "a", "a") == [
        "One",
        "Two",
        "Three",
    ]
    assert ask(catalogue(tmp_path), "a", "a", "a") == ["One", "Two", "Three"]


def test_record_missing_plays_recorded_models_whose_backend_is_gone(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("One")), "a")

    class Gone(Backend):
        async def resolve(self, model_id: str, context: RequestContext) -> ResolvedModel:
            raise NotFound("gone", code="model_not_found")

    assert ask(catalogue(tmp_path, "record-missing", Gone([said("No")])), "a") == ["One"]
    with pytest.raises(RecordingNotFound):
        ask(catalogue(tmp_path, "record-missing", Gone([said("No")])), "b")
    with pytest.raises(NotFound):
        asyncio.run(
            catalogue(tmp_path, "record-missing", Gone([said("No")])).resolve("up/other", RequestContext())
        )


def test_recording_again_replaces_the_scope_and_no_other(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("Old")), "a", context=RequestContext(scope="s"))
    ask(catalogue(tmp_path, "record", backend("Other")), "a", context=RequestContext(scope="t"))
    ask(catalogue(tmp_path, "record", backend("New", "Newer")), "a", "b", context=RequestContext(scope="s"))
    models = catalogue(tmp_path)
    assert ask(models, "a", "b", context=RequestContext(scope="s")) == ["New", "Newer"]
    assert ask(models, "a", context=RequestContext(scope="t")) == ["Other"]
    with pytest.raises(RecordingNotFound, match="recorded once in its scope"):
        ask(models, "a", context=RequestContext(scope="s"))


def test_with_repeat_the_last_answer_stands(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("One", "Two")), "a", "a")
    assert ask(catalogue(tmp_path, repeat=True), "a", "a", "a") == ["One", "Two", "Two"]


@pytest.mark.parametrize("mode", ["live", "record", "record-missing"])
def test_a_server_that_only_replays_does_nothing_else(mode: Mode, tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("One")), "a")
    with pytest.raises(InvalidRequest, match="only replays") as caught:
        ask(catalogue(tmp_path), "a", context=RequestContext(mode=mode))
    assert caught.value.code == "recording_mode_not_possible"


@pytest.mark.parametrize("mode", ["replay", "record", "record-missing"])
def test_without_a_folder_everything_is_live(mode: Mode) -> None:
    models = RecordingCatalogue(backend("One"), None, "live", Faults())
    assert ask(models, "a") == ["One"]
    with pytest.raises(InvalidRequest, match="no folder of recordings"):
        ask(models, "a", context=RequestContext(mode=mode))


def test_an_impossible_mode_is_an_error_for_tools_and_endpoints_too(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("x")), "q")
    live = RecordingCatalogue(backend("x"), None, "live", Faults())
    request = {"model": "up/m", "input": "a"}
    for models, mode in ((catalogue(tmp_path), "live"), (live, "replay")):
        context = RequestContext(mode=cast(Mode, mode))
        with pytest.raises(InvalidRequest, match="isn't possible"):
            models.tool_calls(Searches(), context)
        with pytest.raises(InvalidRequest, match="isn't possible"):
            asyncio.run(models.ask("embeddings", request, context))


def test_lists_notices_and_the_end_are_the_backends(tmp_path: Path) -> None:
    up = backend("One")
    models = catalogue(tmp_path, "record", up)
    assert [model.id for model in asyncio.run(models.list_models()).data] == ["up/m"]
    assert models.notices() == ["up", f"recordings: 0 model calls in {tmp_path}"]
    asyncio.run(models.close())
    assert up.open == -1


def test_the_hit_log_has_a_line_for_each_hit(tmp_path: Path) -> None:
    ask(catalogue(tmp_path, "record", backend("One", "Two")), "a", "b", context=RequestContext(scope="s"))
    log = tmp_path / "hits.jsonl"
    replay = RecordingLookup(Collection(tmp_path), hit_log=log)
    models = RecordingCatalogue(None, replay, "replay", Faults())
    ask(models, "b", context=RequestContext(scope="s"))
    with pytest.raises(RecordingNotFound):
        ask(models, "c", context=RequestContext(scope="s"))
    ask(models, "a", context=RequestContext(scope="other"))
    (name,) = {path.name for path in tmp_path.glob("*.json")}
    assert [json.loads(line) for line in log.read_text().splitlines()] == [
        {"file": name, "call": 2, "scope": "s", "how": "exact"},
        {"file": name, "call": 1, "scope": "other", "how": "canonical"},
    ]


@pytest.mark.parametrize(("speed", "waits"), [(0.0, []), (1.0, [0.2, 0.4]), (2.0, [0.1, 0.2])])
def test_recordings_answer_with_their_gaps_as_fast_as_is_asked(
    speed: float, waits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(
        catalogue(tmp_path, "record", Backend([chunk({"content": "One"}), chunk({}, "stop")])),
        "a",
        streamed=True,
    )
    path = tmp_path / "default.json"
    text = path.read_text()
    # A busy machine records other gaps than none.
    changed, count = re.subn('"gaps": "[^"]*"', '"gaps": "200 400"', text)
    assert count == 1
    path.write_text(changed)
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(player, "sleep", nap)
    assert ask(catalogue(tmp_path, speed=speed), "a", streamed=True) == ["One"]
    assert [seconds for seconds in naps if seconds] == pytest.approx(waits)
    naps.clear()
    ask(catalogue(tmp_path, speed=speed), "a")
    assert naps == pytest.approx([sum(waits)] if waits else [])


class Searches:
    """Tools that return numbered results, or fail."""

    def __init__(self, first: int = 1, error: UpstreamError | None = None) -> None:
        self.made: list[tuple[str, str, JSONObject]] = []
        self._numbers = count(first)
        self._error = error

    async def call(self, provider: str, name: str, arguments: JSONObject) -> JSON:
        self.made.append((provider, name, arguments))
        if self._error is not None:
            raise self._error
        return {"result": next(self._numbers)}


def search(
    models: ModelCatalogue, inner: ToolCalls, *queries: str, context: RequestContext | None = None
) -> list[JSON]:
    """Return the results of consecutive searches, or the message of an error."""

    async def searched() -> list[JSON]:
        calls, results = models.tool_calls(inner, context or RequestContext()), []
        for query in queries:
            try:
                results.append(await calls.call("tavily", "search", {"query": query}))
            except AntiphonError as error:
                results.append(error.message)
        return results

    return asyncio.run(searched())


def results(*numbers: int) -> list[JSON]:
    return [{"result": number} for number in numbers]


def test_tools_are_recorded_and_then_played_and_never_asked_again(tmp_path: Path) -> None:
    tools, recorded, played = Searches(), noting(), noting()
    assert search(
        catalogue(tmp_path, "record", backend("x")), tools, "a", "b", "a", context=recorded
    ) == results(1, 2, 3)
    assert tools.made[1] == ("tavily", "search", {"query": "b"})
    # Replay refuses a folder without a model call.
    ask(catalogue(tmp_path, "record-missing", backend("x")), "q")
    silent = Searches()
    assert search(catalogue(tmp_path), silent, "b", "a", "a", context=played) == results(2, 1, 3)
    assert silent.made == []
    assert (notes_of(recorded), notes_of(played)[0]) == (["recorded"] * 3, "hit exact default.json#2")
    (missing,) = search(catalogue(tmp_path), silent, "c")
    assert "No recording answers this call to search" in missing
    assert 'arguments.query: requested "c", recorded' in missing


def test_tools_are_called_for_what_is_missing_alone(tmp_path: Path) -> None:
    search(catalogue(tmp_path, "record", backend("x")), Searches(), "a")
    tools, context = Searches(first=7), noting()
    models = catalogue(tmp_path, "record-missing", backend("x"))
    assert search(models, tools, "a", "b", "a", context=context) == results(1, 7, 8)
    assert [made[2]["query"] for made in tools.made] == ["b", "a"]
    assert notes_of(context) == ["hit exact default.json#1", "miss", "recorded", "miss", "recorded"]
    assert search(catalogue(tmp_path, "record-missing", backend("x")), Searches(), "b", "a", "a") == results(
        7, 1, 8
    )


def test_live_tools_are_called_and_nothing_is_written(tmp_path: Path) -> None:
    tools = Searches()
    models = catalogue(tmp_path / "none", "live", backend("x"))
    assert models.tool_calls(tools, RequestContext()) is tools
    assert (
        RecordingCatalogue(backend("x"), None, "live", Faults()).tool_calls(tools, RequestContext()) is tools
    )
    assert search(models, tools, "a", "a") == results(1, 2)
    assert list(tmp_path.iterdir()) == []


def test_the_mode_of_a_request_holds_for_its_tools(tmp_path: Path) -> None:
    models, tools = catalogue(tmp_path, "live", backend("x")), Searches()
    assert search(models, tools, "a", context=RequestContext(mode="record")) == results(1)
    assert search(models, tools, "a", context=RequestContext(mode="replay")) == results(1)
    assert search(models, tools, "a") == results(2)
    assert len(tools.made) == 2


def test_a_tool_that_failed_fails_again(tmp_path: Path) -> None:
    failing = Searches(error=UpstreamTimeout("tavily: no answer in 10 s"))
    models = catalogue(tmp_path, "record", backend("x"))
    ask(models, "q")
    assert search(models, failing, "a") == ["tavily: no answer in 10 s"]
    assert search(catalogue(tmp_path), Searches(), "a") == ["tavily: no answer in 10 s"]


@pytest.mark.parametrize("mode", ["live", "record", "record-missing", "replay"])
def test_tools_fail_by_rule_in_every_mode(mode: Mode, tmp_path: Path) -> None:
    models = catalogue(tmp_path, "record", backend("x"))
    ask(models, "q")
    search(models, Searches(), "a", "a", "a")
    failing = catalogue(
        tmp_path, mode, None if mode == "replay" else backend("x"), faults="500,tool=search,call=2"
    )
    first, second, third = search(failing, Searches(), "a", "a", "a")
    assert "fault '500,tool=search,call=2'" in second
    assert [type(first), type(third)] == [dict, dict]
    if mode == "record":  # The recording has the injected fault.
        ask(catalogue(tmp_path, "record-missing", backend("x")), "q")
        assert search(catalogue(tmp_path), Searches(), "a", "a", "a") == [first, second, third]


def test_a_wrong_rule_of_a_request_is_an_error_before_a_tool_is_called(tmp_path: Path) -> None:
    for mode in ("live", "record", "record-missing"):
        models = catalogue(tmp_path, mode, backend("x"))
        with pytest.raises(InvalidRequest, match="unknown action"):
            models.tool_calls(Searches(), RequestContext(faults="explode,tool=*"))


def test_models_and_tools_replace_their_scope_together(tmp_path: Path) -> None:
    old = catalogue(tmp_path, "record", backend("Old"))
    ask(old, "a")
    search(old, Searches(), "a", "b")
    new = catalogue(tmp_path, "record", backend("New"))
    # The first call of a run replaces the scope; later calls add to it.
    assert search(new, Searches(first=5), "a") == results(5)
    assert ask(new, "a") == ["New"]
    assert search(new, Searches(first=6), "b") == results(6)
    played = catalogue(tmp_path)
    assert (ask(played, "a"), search(played, Searches(), "b", "a")) == (["New"], results(6, 5))
    assert [call.kind for call in scope_file.read(tmp_path / "default.json")] == ["tool", "chat", "tool"]
