"""The `[moderation]` tables of a file."""

import re
from pathlib import Path

import pytest

from antiphon.errors import ConfigError
from antiphon.settings.load import load_settings
from antiphon.settings.moderation import CheckSettings, ModerationSettings
from antiphon.settings.schema import Settings
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS


def loaded(folder: Path, text: str) -> Settings:
    (folder / "antiphon.toml").write_text(text)
    return load_settings({}, {"HOME": str(folder)}, folder, [*SEARCH_PROVIDERS])


def test_without_a_table_there_are_no_checks(tmp_path: Path) -> None:
    assert loaded(tmp_path, "").moderation == ModerationSettings()


def test_all_kinds_of_checks_are_read(tmp_path: Path) -> None:
    text = """
        [moderation]
        streams = "cut"
        cut_after = 80
        [moderation.checks.omni]
        kind = "endpoint"
        model = "openai/omni-moderation-latest"
        [moderation.checks.polite]
        kind = "policy"
        model = "guard"
        policy = "Flag insults."
        category = "insult"
        [moderation.checks.words]
        kind = "words"
        words = ["darn"]
    """
    expected = ModerationSettings(
        streams="cut",
        cut_after=80,
        checks={
            "omni": CheckSettings(kind="endpoint", model="openai/omni-moderation-latest"),
            "polite": CheckSettings(kind="policy", model="guard", policy="Flag insults.", category="insult"),
            "words": CheckSettings(kind="words", words=("darn",)),
        },
    )
    moderation = loaded(tmp_path, text).moderation
    assert moderation == expected
    assert moderation.tables()["moderation.checks.words"]["words"] == ("darn",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("moderation = 1", "[moderation]: not a table"),
        ("[moderation]\nstreams = 'hide'", "streams: expected one of hold, cut, got 'hide'"),
        ("[moderation]\nstream = 'hold'", "unknown setting 'stream'; did you mean streams?"),
        ("[moderation]\ncut_after = 0", "cut_after"),
        ("[moderation.checks]\nwords = 1", "[moderation.checks.words]: not a table"),
        ("[moderation.checks.a]\nwords = ['x']", "kind is missing; set it to one of endpoint, policy, words"),
        ("[moderation.checks.a]\nkind = 'words'", "words is missing, which a check of kind 'words' needs"),
        ("[moderation.checks.a]\nkind = 'policy'\nmodel = 'm'", "policy is missing"),
        ("[moderation.checks.a]\nkind = 'endpoint'", "model is missing"),
        ("[moderation.checks.a]\nkind = 'words'\nwords = [' ']", "words contains an empty one"),
        (
            "[moderation.checks.a]\nkind = 'words'\nwords = ['x']\nmodel = 'm'",
            "model has no effect on a check of kind 'words'; remove it",
        ),
        ("[moderation.checks.a]\nkind = 'words'\nword = ['x']", "did you mean words?"),
    ],
)
def test_a_wrong_table_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        loaded(tmp_path, text)
