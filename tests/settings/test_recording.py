"""Settings for recordings: short forms, patterns, and invalid combinations."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from antiphon.errors import ConfigError
from antiphon.settings.load import load_settings
from antiphon.settings.schema import Settings
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from antiphon.wire.json import JSON


def load(
    tmp_path: Path,
    toml: str = "",
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, JSON] | None = None,
) -> Settings:
    (tmp_path / "antiphon.toml").write_text(toml, encoding="utf-8")
    return load_settings(
        flags or {}, {"HOME": str(tmp_path / "home")} | dict(env or {}), tmp_path, SEARCH_PROVIDERS
    )


@pytest.mark.parametrize("name", ["record", "replay"])
def test_the_short_forms_are_a_mode_and_a_folder(name: str, tmp_path: Path) -> None:
    settings = load(tmp_path, flags={name: "tapes"})
    assert (settings.recording, settings.recordings) == (name, str(tmp_path / "tapes"))
    assert settings.origins["recording"] == settings.origins["recordings"] == f"--{name}"


def test_the_long_form(tmp_path: Path) -> None:
    settings = load(tmp_path, 'recording = "record-missing"\nrecordings = "tapes"\n')
    assert (settings.recording, settings.recordings) == ("record-missing", str(tmp_path / "tapes"))


def test_by_default_everything_is_live(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.recording, settings.recordings, settings.fault, settings.freeze) == (
        "live",
        None,
        "",
        False,
    )


def test_tools_are_replayed_by_default(tmp_path: Path) -> None:
    assert load(tmp_path, 'replay = "tapes"\n').replay_tools == "recorded"
    assert load(tmp_path, 'replay_tools = "live"\n').replay_tools == "live"
    assert load(tmp_path, env={"ANTIPHON_REPLAY_TOOLS": "live"}).replay_tools == "live"
    assert load(tmp_path, flags={"replay": "tapes", "replay_tools": "live"}).replay_tools == "live"
    with pytest.raises(ConfigError, match=r"^--replay-tools: expected one of recorded, live, got 'real'$"):
        load(tmp_path, flags={"replay_tools": "real"})


@pytest.mark.parametrize(
    ("env", "flags", "mode", "folder"),
    [
        ({}, {"record": "new"}, "record", "new"),
        ({"ANTIPHON_RECORD": "env"}, {}, "record", "env"),
        ({"ANTIPHON_RECORD": "env"}, {"replay": "new"}, "replay", "new"),
        ({}, {"recording": "live"}, "live", "tapes"),
        ({}, {"recording": "record-missing"}, "record-missing", "tapes"),
        ({}, {"recordings": "new"}, "replay", "new"),
    ],
)
def test_the_last_word_counts_in_either_form(
    env: Mapping[str, str], flags: Mapping[str, JSON], mode: str, folder: str, tmp_path: Path
) -> None:
    settings = load(tmp_path, 'replay = "tapes"\n', env, flags)
    assert (settings.recording, settings.recordings) == (mode, str(tmp_path / folder))
    short = {"record": settings.record, "replay": settings.replay}
    given = {name: value for name, value in short.items() if value is not None}
    assert given in ({}, {mode: str(tmp_path / folder)})


@pytest.mark.parametrize(
    "flags",
    [
        {"record": "a", "replay": "b"},
        {"record": "a", "recording": "record"},
        {"replay": "a", "recordings": "b"},
    ],
)
def test_two_ways_to_say_it_are_one_too_many(flags: Mapping[str, JSON], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="conflict; set only") as caught:
        load(tmp_path, flags=flags)
    assert all(f"--{name}" in str(caught.value) for name in flags)


@pytest.mark.parametrize("mode", ["record", "replay", "record-missing"])
def test_a_mode_needs_a_folder(mode: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a directory; set recordings") as caught:
        load(tmp_path, flags={"recording": mode})
    assert "--recording" in str(caught.value)


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="recording"):
        load(tmp_path, flags={"recording": "rewind"})


def test_lists_come_from_files_variables_and_flags(tmp_path: Path) -> None:
    assert load(tmp_path, "volatile = ['a=x', 'b=y']\n").volatile == ("a=x", "b=y")
    assert load(tmp_path, env={"ANTIPHON_VOLATILE": "a=x;\nb=y"}).volatile == ("a=x;", "b=y")
    assert load(tmp_path, flags={"volatile": ["a=x"]}).volatile == ("a=x",)
    assert load(tmp_path, env={"ANTIPHON_NEVER_RECORD": "a=x"}).never_record == ("a=x",)


@pytest.mark.parametrize("speed", ["-1", "fast"])
def test_a_wrong_speed_is_refused(speed: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--replay-speed: expected a number"):
        load(tmp_path, flags={"replay_speed": speed})


def test_frozen_ids_need_a_state_without_a_past(tmp_path: Path) -> None:
    assert load(tmp_path, "freeze = true\n").database == ":memory:"
    kept = load(tmp_path, f'freeze = true\ndatabase = "{tmp_path}/state.db"\n')
    assert kept.database == f"{tmp_path}/state.db"


def test_the_hit_log_is_a_path(tmp_path: Path) -> None:
    assert load(tmp_path, 'hit_log = "hits.jsonl"\n').hit_log == str(tmp_path / "hits.jsonl")
