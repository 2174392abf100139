"""Conversion and checks of setting values: types, paths, URLs and keys."""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from antiphon.errors import ConfigError
from antiphon.settings.schema import Settings
from antiphon.settings.values import ENV_PREFIX, Duration, Secret, Setting, kind_text
from antiphon.wire.json import JSON, JSONObject

_SECRET_SETTINGS = frozenset(
    {"api_key", "seal_key", "database", "base_url", "url", "authorization", "headers", "env", "proxy"}
)
"""Settings that may contain credentials; messages do not repeat their values."""
_SHORTEST_KEY = 16
_SHORTEST_SEAL_KEY = 32
_PATHS = frozenset(
    {
        *("record", "replay", "recordings", "hit_log", "files"),
        *("ca_file", "client_cert", "client_key", "unix_socket"),
    }
)

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "a table",
}
"""Types of msgspec's messages in the words of the settings."""


def convert(setting: Setting, value: JSON, where: str, *, strict: bool = True) -> JSON:
    """Return `value` as the setting's type.

    Args:
        setting: Setting to which the value belongs.
        value: Value from a file, a variable or a flag.
        where: Source of the value, for messages.
        strict: Whether the value must already have the type; otherwise text is parsed, also as a list.

    Raises:
        ConfigError: The value does not have the setting's type.
    """
    if not strict and isinstance(value, str) and setting.default == ():
        value = [each.strip() for each in value.split(setting.separator) if each.strip()]
    try:
        return msgspec.convert(value, setting.type, strict=strict, dec_hook=_own_type)
    except msgspec.ValidationError as error:
        given = "" if setting.name in _SECRET_SETTINGS else f", got {str(value)[:60]!r}"
        raise ConfigError(
            f"{_place(where, setting.name)}: {_expected(setting, str(error))}{given}"
        ) from error


def _place(where: str, name: str) -> str:
    """Return the source of a setting's value and its name, which a flag or a variable already contains."""
    return where if where.startswith(("--", ENV_PREFIX)) else f"{where}: {name}"


def _expected(setting: Setting, problem: str) -> str:
    """Return msgspec's `problem` in the words of the settings, with the choices if there are any."""
    if "enum value" in problem:
        return f"expected one of {', '.join(kind_text(setting).split('|'))}"
    reason = problem.split(", got")[0].split(" - at")[0]
    reason = re.sub("`([^`]*)`", lambda types: _in_words(types[1]), reason)
    return f"{reason[:1].lower()}{reason[1:]}"


def _in_words(types: str) -> str:
    return " or ".join(_TYPES.get(name, name) for name in types.split(" | ") if name != "null")


def _own_type(expected: type, value: JSON) -> Secret | Duration:
    if expected is Duration:
        return Duration(value if isinstance(value, str) else "")
    if expected is not Secret or not isinstance(value, str):
        raise ValueError("expected `str`")
    return Secret(value)


def located(name: str, value: JSON, folder: Path, env: Mapping[str, str]) -> JSON:
    """Return `value` as an absolute path below `folder` if the setting is a path."""
    is_path = name in _PATHS or (name == "database" and "://" not in value and value != ":memory:")
    if not is_path or value is None:
        return value
    if value == "~" or value.startswith("~/"):
        return str(home(env) / value[2:])
    return str(folder / value)


def checked_url(url: str, where: str, *, key: str = "base_url", instead: str = "api_key") -> str:
    """Return `url` without a trailing slash.

    Args:
        url: URL to check; credentials in it would appear in messages and logs.
        where: Source of the URL, for messages.
        key: Name of the setting.
        instead: Name of the setting for credentials.

    Raises:
        ConfigError: The URL is not an HTTP URL, or it contains credentials.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("no host")
    except ValueError as error:
        raise ConfigError(
            f"{where}: {key} is not an HTTP URL; use http://HOST[:PORT]/v1 or https://..."
        ) from error
    if parts.username is not None or parts.fragment or (parts.query and key == "base_url"):
        raise ConfigError(
            f"{where}: {key} contains credentials, a query or a fragment; use {instead} for credentials"
        )
    return url.rstrip("/")


def secret_values(values: JSONObject, key: str, env: Mapping[str, str], where: str) -> None:
    """Store the value of the variable that `KEY_env` names in `values[KEY]`.

    Raises:
        ConfigError: Both keys are present, or the variable is not set.
    """
    variable = values.get(f"{key}_env")
    if variable is None:
        return
    if key in values:
        raise ConfigError(f"{where}: both {key} and {key}_env are present; set only one of them")
    if not env.get(variable):
        raise ConfigError(f"{where}: {key}_env names {variable}, which is not set; set the variable")
    values[key] = Secret(env[variable])


def check_seal_key(key: Secret | None, where: str) -> None:
    """Check that a seal key from the source `where` is long enough.

    Raises:
        ConfigError: The key is too short.
    """
    if key is not None and len(key.reveal()) < _SHORTEST_SEAL_KEY:
        raise ConfigError(
            f"{_place(where, 'seal_key')}: expected at least {_SHORTEST_SEAL_KEY} characters; create "
            "a key with `openssl rand -hex 32`"
        )


def check_workers(settings: Settings) -> None:
    """Check that several processes can share what the settings choose.

    Raises:
        ConfigError: A setting needs one process.
    """
    if settings.workers == 1:
        return
    alone = {
        "recording": settings.recording != "live",
        "recording_header": settings.recording_header,
        "freeze": settings.freeze,
        "fault": bool(settings.fault),
    }
    where = settings.origins["workers"]
    for name, is_set in alone.items():
        if is_set:
            raise ConfigError(f"{where}: {name} counts calls in one process; set workers to 1")
    if settings.database in (":memory:", "sqlite://", "sqlite:///:memory:"):
        raise ConfigError(f"{where}: processes can't share a database in memory; set database to a file")


def check_api_key(key: Secret | None, where: str) -> None:
    """Check that clients can send an API key, and that it is long enough.

    Raises:
        ConfigError: The key is too short or contains other than printable ASCII characters.
    """
    if key is None:
        return
    text = key.reveal()
    if len(text) < _SHORTEST_KEY or not (text.isascii() and text.isprintable()) or " " in text:
        raise ConfigError(
            f"{_place(where, 'api_key')}: expected at least {_SHORTEST_KEY} ASCII characters without spaces; "
            "create a key with `antiphon keys create`"
        )


def user_folder(env: Mapping[str, str], variable: str, default: str) -> Path:
    """Return the `antiphon` directory below the one that an XDG variable names."""
    return (Path(env[variable]) if env.get(variable) else home(env) / default) / "antiphon"


def home(env: Mapping[str, str]) -> Path:
    """Return the user's home directory."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()
