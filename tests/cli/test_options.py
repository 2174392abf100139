"""Flags, types and defaults match the table of settings."""

import click

from antiphon.cli import antiphon
from antiphon.cli.options import default_text
from antiphon.settings.backends import BACKEND_SETTINGS, CAPABILITIES
from antiphon.settings.schema import SETTINGS
from antiphon.settings.values import kind_text


def test_serve_and_config_have_a_flag_for_every_setting() -> None:
    for name in ("serve", "config"):
        flags = {flag for option in antiphon.commands[name].params for flag in option.opts}
        assert flags >= {setting.flag for setting in SETTINGS}


def test_a_switch_can_be_turned_off() -> None:
    (discover,) = [each for each in antiphon.commands["serve"].params if each.name == "discover"]
    assert isinstance(discover, click.Option)
    assert discover.secondary_opts == ["--no-discover"]


def test_kinds_and_defaults_are_words() -> None:
    table = {setting.name: setting for setting in (*SETTINGS, *BACKEND_SETTINGS, *CAPABILITIES)}
    kinds = {name: kind_text(setting) for name, setting in table.items()}
    assert kinds["port"] == "integer"
    assert kinds["replay"] == "text"
    assert kinds["discover"] == "switch"
    assert kinds["log_format"] == "text|json"
    assert kinds["idle_timeout"] == "number"
    assert kinds["models"] == "list"
    assert kinds["api_key"] == "text"
    assert default_text(table["port"]) == "8321"
    assert default_text(table["discover"]) == "on"
    assert default_text(table["replay"]) == ""
    assert default_text(table["database"]) == ""
