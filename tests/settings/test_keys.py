"""Settings for keys and limits."""

from pathlib import Path

import pytest

from antiphon.settings.values import Secret
from antiphon.testing import serve
from tests.server.client import get
from tests.settings.test_load import load, refused

KEY = "a-key-of-sixteen"


def test_the_usual_server_has_no_key_and_no_limits(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.api_key, settings.allow_anonymous) == (None, False)
    limits = (settings.requests_per_minute, settings.tokens_per_minute, settings.concurrent_streams)
    assert limits == (None, None, None)


def test_a_key_is_read_and_never_shown(tmp_path: Path) -> None:
    for settings in (
        load(tmp_path, env={"ANTIPHON_API_KEY": KEY}),
        load(tmp_path, f'[security]\napi_key = "{KEY}"\n'),
        load(tmp_path, flags={"api_key": KEY}),
    ):
        assert settings.api_key == Secret(KEY)
        assert KEY not in repr(settings) + str(settings.shown())


@pytest.mark.parametrize(
    "key", ["", " ", KEY[:-1], "a key of sixteen and more", "schlüssel-aus-deutschland", KEY + "\n"]
)
def test_a_key_that_is_none_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    message = refused(tmp_path, f"[security]\napi_key = {key!r}\n".replace("'", '"'))
    assert "api_key: expected at least 16 ASCII characters without spaces" in message
    assert str(tmp_path) in message
    assert not key.strip() or key not in message


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    assert load(tmp_path, env={"ANTIPHON_API_KEY": ""}).api_key is None


def test_limits_are_a_table(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        "[limits]\nrequests_per_minute = 60\n",
        {"ANTIPHON_TOKENS_PER_MINUTE": "9000"},
        {"concurrent_streams": "2"},
    )
    limits = (settings.requests_per_minute, settings.tokens_per_minute, settings.concurrent_streams)
    assert limits == (60, 9000, 2)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_limit_that_is_none(tmp_path: Path, value: str) -> None:
    message = refused(tmp_path, env={"ANTIPHON_REQUESTS_PER_MINUTE": value})
    assert message.startswith("ANTIPHON_REQUESTS_PER_MINUTE: expected a whole number")


@pytest.mark.slow
def test_a_server_for_tests_does_not_want_the_users_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_API_KEY", KEY)
    with serve(mode="live", discover=False) as server:
        assert get(server.url, "/models").status == 200
