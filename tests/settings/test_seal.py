"""The setting for the key of encrypted content."""

from pathlib import Path

import pytest

from antiphon.settings.values import Secret
from tests.settings.test_load import load, refused

KEY = "0123456789abcdef" * 2


def test_without_a_key_the_database_keeps_one(tmp_path: Path) -> None:
    assert load(tmp_path).seal_key is None


def test_a_key_is_read_and_never_shown(tmp_path: Path) -> None:
    for settings in (
        load(tmp_path, env={"ANTIPHON_SEAL_KEY": KEY}),
        load(tmp_path, f'[security]\nseal_key = "{KEY}"\n'),
    ):
        assert settings.seal_key == Secret(KEY)
        assert KEY not in repr(settings) + str(settings.shown())


@pytest.mark.parametrize("key", ["secret", KEY[:-1]])
def test_a_key_that_could_be_guessed_is_refused_and_not_repeated(tmp_path: Path, key: str) -> None:
    message = refused(tmp_path, env={"ANTIPHON_SEAL_KEY": key})
    assert "ANTIPHON_SEAL_KEY: expected at least 32 characters" in message
    assert key not in message
