"""Loading of the `[moderation]` tables."""

from pathlib import Path

import msgspec

from antiphon.errors import ConfigError
from antiphon.settings.checks import convert
from antiphon.settings.moderation import (
    CHECK_SETTINGS,
    MODERATION_SETTINGS,
    CheckSettings,
    ModerationSettings,
)
from antiphon.settings.names import check_names
from antiphon.settings.values import Setting
from antiphon.wire.json import JSON, JSONObject

_NEEDS: dict[str, tuple[str, ...]] = {
    "endpoint": ("model",),
    "policy": ("model", "policy"),
    "words": ("words",),
}
"""The settings of each kind of check, all of which are necessary."""


def merged(settings: ModerationSettings, given: JSON, path: Path) -> ModerationSettings:
    """Return settings with those of the value of `moderation` in a file.

    Raises:
        ConfigError: A table or a value in it is wrong.
    """
    where = f"{path}: [moderation]"
    table = _table(given, where)
    check_names(table, MODERATION_SETTINGS, where, ("checks",), "moderation.")
    checks = dict(settings.checks)
    for name, check in _table(table.pop("checks", {}), f"{path}: [moderation.checks]").items():
        checks[name] = _check(check, f"{path}: [moderation.checks.{name}]")
    return msgspec.structs.replace(settings, **_converted(table, MODERATION_SETTINGS, where), checks=checks)


def _check(given: JSON, where: str) -> CheckSettings:
    table = _table(given, where)
    check_names(table, CHECK_SETTINGS, where)
    values = _converted(table, CHECK_SETTINGS, where)
    if "kind" not in values:
        raise ConfigError(f"{where}: kind is missing; set it to one of {', '.join(_NEEDS)}")
    kind = values["kind"]
    for name in _NEEDS[kind]:
        if not values.get(name):
            raise ConfigError(f"{where}: {name} is missing, which a check of kind {kind!r} needs; set it")
    for name in ("model", "policy", "words"):
        if name in values and name not in _NEEDS[kind]:
            raise ConfigError(f"{where}: {name} has no effect on a check of kind {kind!r}; remove it")
    if not all(word.strip() for word in values.get("words", ())):
        raise ConfigError(f"{where}: words contains an empty one, which would flag everything; remove it")
    return CheckSettings(**values)


def _table(value: JSON, where: str) -> JSONObject:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: not a table")
    return dict(value)


def _converted(table: JSONObject, known: tuple[Setting, ...], where: str) -> JSONObject:
    return {each.name: convert(each, table[each.name], where) for each in known if each.name in table}
