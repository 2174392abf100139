"""The catalogue that the settings open, and the messages to the operator about it."""

import asyncio
from pathlib import Path

import pytest

from antiphon.backends.catalogue import Models
from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConfigError, InvalidRequest, RecordingNotFound
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.serving.catalogue import mode_line, open_catalogue
from antiphon.settings.schema import Settings
from antiphon.wire.json import JSON
from tests.recording.samples import chat_request, chunk, recording, write


def settings(**given: JSON) -> Settings:
    return Settings(database=":memory:", discover=False, **given)


def opened(given: Settings) -> type:
    async def run() -> type:
        catalogue = await open_catalogue(given)
        await catalogue.close()
        return type(catalogue)

    return asyncio.run(run())


def tapes(folder: Path) -> str:
    write(folder, "a.json", recording(chat_request(), [chunk({"content": "Hi"}, "stop")]))
    return str(folder)


def test_without_recordings_the_backends_are_all_there_is() -> None:
    assert opened(settings()) is Models


@pytest.mark.parametrize("given", [{"fault": "cut:3"}, {"recording_header": True}])
def test_faults_and_headers_need_no_recordings(given: dict[str, JSON]) -> None:
    assert opened(settings(**given)) is RecordingCatalogue


@pytest.mark.parametrize("mode", ["record", "replay", "record-missing", "live"])
def test_recordings_are_opened_in_every_mode(mode: str, tmp_path: Path) -> None:
    assert opened(settings(recording=mode, recordings=tapes(tmp_path))) is RecordingCatalogue


def test_in_replay_no_backend_is_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise AssertionError("backends were opened")

    monkeypatch.setattr(Models, "open", refuse)
    assert opened(settings(recording="replay", recordings=tapes(tmp_path))) is RecordingCatalogue
    with pytest.raises(AssertionError, match="backends were opened"):
        opened(settings(recording="record", recordings=tapes(tmp_path)))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"fault": "explode"}, "unknown action"),
        ({"volatile": ("date",)}, "volatile"),
        ({"never_record": ("x=(",)}, "never_record"),
    ],
)
def test_a_wrong_rule_or_pattern_stops_the_start(given: dict[str, JSON], why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why):
        opened(settings(recording="replay", recordings=tapes(tmp_path), **given))


@pytest.mark.parametrize("tools", ["recorded", "live"])
def test_replay_calls_tools_only_if_they_are_live(tools: str, tmp_path: Path) -> None:
    class Lab:
        async def call(self, provider: str, name: str, arguments: JSON) -> JSON:
            return "called"

    async def run() -> JSON:
        given = settings(recording="replay", recordings=tapes(tmp_path), replay_tools=tools)
        catalogue = await open_catalogue(given)
        return await catalogue.tool_calls(Lab(), RequestContext()).call("lab", "boil", {})

    if tools == "live":
        assert asyncio.run(run()) == "called"
    else:
        with pytest.raises(RecordingNotFound, match="Set `replay_tools` to `live` to call the tool"):
            asyncio.run(run())


def test_nothing_to_replay_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the folder of recordings does not exist"):
        opened(settings(recording="replay", recordings=str(tmp_path / "none")))


def test_a_header_cannot_make_a_replaying_server_call(tmp_path: Path) -> None:
    async def run() -> None:
        given = settings(recording="replay", recordings=tapes(tmp_path), recording_header=True)
        catalogue = await open_catalogue(given)
        with pytest.raises(InvalidRequest, match="only replays"):
            await catalogue.resolve("small", RequestContext(mode="live"))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, "live"),
        ({"recording": "record"}, "record: calls are made and recorded in tapes"),
        ({"recording": "replay"}, "replay from tapes: no calls to backends"),
        (
            {"recording": "replay", "replay_tools": "live"},
            "replay from tapes: no calls to backends, tools are called",
        ),
        (
            {"recording": "record-missing"},
            "record-missing: calls missing from tapes are made and recorded",
        ),
        (
            {"recording": "replay", "freeze": True},
            "replay from tapes: no calls to backends, ids and times frozen",
        ),
        ({"fault": "cut:3;500"}, "live, faults: cut:3;500"),
    ],
)
def test_the_mode_in_words(given: dict[str, JSON], line: str) -> None:
    assert mode_line(settings(recordings="tapes", **given)) == line
