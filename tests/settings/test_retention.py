"""Durations of `[retention]`, in the file, in variables and as flags."""

from pathlib import Path

import pytest

from antiphon.service.retention import ages_of
from antiphon.settings.values import Duration
from tests.settings.test_load import load, refused


def test_nothing_expires_by_default(tmp_path: Path) -> None:
    assert ages_of(load(tmp_path)) == {}


def test_each_kind_has_its_own_key(tmp_path: Path) -> None:
    toml = '[retention]\nresponses = "30d"\nconversations = "2w"\nevent_logs = "12h"\nfiles = "90m"\n'
    toml += 'log_entries = "7d"\nbatches = "60d"\n'
    assert ages_of(load(tmp_path, toml)) == {
        "event_logs": 12 * 3600,
        "chat_completions": 30 * 86_400,
        "responses": 30 * 86_400,
        "conversations": 14 * 86_400,
        "batches": 60 * 86_400,
        "files": 90 * 60,
        "log_entries": 7 * 86_400,
    }


def test_variables_and_flags_take_precedence(tmp_path: Path) -> None:
    toml = '[retention]\nresponses = "30d"\nfiles = "30d"\n'
    env = {"ANTIPHON_RETENTION_RESPONSES": "20d", "ANTIPHON_RETENTION_FILES": "20d"}
    settings = load(tmp_path, toml, env, {"retention_files": "10s"})
    assert ages_of(settings) == {"responses": 20 * 86_400, "chat_completions": 20 * 86_400, "files": 10}
    assert str(settings.retention_responses) == "20d"


@pytest.mark.parametrize(
    "value", ["30", '"30"', '"d"', '"0d"', '"-1d"', '"1.5d"', '"30 days"', '"1y"', "true"]
)
def test_other_values_are_refused(tmp_path: Path, value: str) -> None:
    message = refused(tmp_path, f"[retention]\nresponses = {value}\n")
    assert "expected a duration such as 30d, 12h or 90m" in message
    assert "responses" in message


def test_a_key_outside_of_its_table_is_named(tmp_path: Path) -> None:
    assert "responses belongs to [retention]; write it below [retention]" in refused(
        tmp_path, 'responses = "30d"\n'
    )
    assert "unknown setting 'response'; did you mean responses?" in refused(
        tmp_path, '[retention]\nresponse = "30d"\n'
    )


def test_a_duration_is_shown_as_it_was_written() -> None:
    assert repr(Duration("30d")) == "Duration('30d')"
