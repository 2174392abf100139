"""How values of settings are read: types, names, paths and addresses, with errors in the operator's words."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from antiphon.errors import ConfigError
from antiphon.settings.values import Secret, Setting
from antiphon.wire.json import JSON, JSONObject

_SECRET_SETTINGS = frozenset(
    {"api_key", "seal_key", "database", "base_url", "url", "authorization", "headers", "env"}
)
"""Their values may hold credentials, and are not repeated in messages."""
_SHORTEST_KEY = 16
_SHORTEST_SEAL_KEY = 32
_PATHS = frozenset({"record", "replay", "recordings", "hit_log", "files"})


def convert(setting: Setting, value: JSON, where: str, *, strict: bool = True) -> JSON:
    """Returns `value` as the setting's type; text from the environment is read as numbers and switches."""
    if not strict and isinstance(value, str) and setting.default == ():
        value = [each.strip() for each in value.split(setting.separator) if each.strip()]
    try:
        return msgspec.convert(value, setting.type, strict=strict, dec_hook=_secret)
    except msgspec.ValidationError as error:
        given = "" if setting.name in _SECRET_SETTINGS else f", got {str(value)[:60]!r}"
        reason = str(error).split(", got")[0].split(" - at")[0].replace("`", "")
        raise ConfigError(f"{where}: {setting.name}: {reason[:1].lower()}{reason[1:]}{given}") from error


def _secret(expected: type, value: JSON) -> Secret:
    if expected is not Secret or not isinstance(value, str):
        raise ValueError("expected str")
    return Secret(value)


def located(name: str, value: JSON, folder: Path, env: Mapping[str, str]) -> JSON:
    """Returns the paths among the settings as absolute ones: relative to the file that gives them."""
    is_path = name in _PATHS or (name == "database" and "://" not in value and value != ":memory:")
    if not is_path or value is None:
        return value
    if value == "~" or value.startswith("~/"):
        return str(home(env) / value[2:])
    return str(folder / value)


def check_names(given: Iterable[str], known: Iterable[Setting], also: tuple[str, ...], where: str) -> None:
    """Raises `ConfigError` for the first unknown name, with the nearest known one."""
    names = [*(setting.name for setting in known), *also]
    for name in given:
        if name not in names:
            raise ConfigError(f"{where}: unknown setting {name!r}{suggestion(name, names)}")


def suggestion(name: str, names: list[str]) -> str:
    """Returns the end of a message about an unknown name."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}"


def checked_url(url: str, where: str, *, key: str = "base_url", instead: str = "api_key") -> str:
    """Returns `url` without a trailing slash. A credential in it would end up in messages and logs.

    `key` is what the setting is called, and `instead` where credentials belong.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError("no host")
    except ValueError as error:
        raise ConfigError(f"{where}: {key} must be http://HOST[:PORT]/v1 or https://...") from error
    if parts.username is not None or parts.fragment or (parts.query and key == "base_url"):
        raise ConfigError(f"{where}: {key} takes no credentials, no query and no fragment; use {instead}")
    return url.rstrip("/")


def secret_values(values: JSONObject, key: str, env: Mapping[str, str], where: str) -> None:
    """Puts the variable that `KEY_env` names into `values[KEY]`."""
    variable = values.get(f"{key}_env")
    if variable is None:
        return
    if key in values:
        raise ConfigError(f"{where}: give {key} or {key}_env, not both")
    if not env.get(variable):
        raise ConfigError(f"{where}: {key}_env names {variable}, which is not set")
    values[key] = Secret(env[variable])


def check_seal_key(key: Secret | None, where: str) -> None:
    """Raises `ConfigError` for a key that could be guessed; `where` is where it came from."""
    if key is not None and len(key.reveal()) < _SHORTEST_SEAL_KEY:
        raise ConfigError(
            f"{where}: seal_key: it has at least {_SHORTEST_SEAL_KEY} characters; `openssl rand -hex 32` "
            "makes a good one"
        )


def check_api_key(key: Secret | None, where: str) -> None:
    """Raises `ConfigError` for a key that no client can send, or that is soon guessed."""
    if key is None:
        return
    text = key.reveal()
    if len(text) < _SHORTEST_KEY or not (text.isascii() and text.isprintable()) or " " in text:
        raise ConfigError(
            f"{where}: api_key: a key has at least {_SHORTEST_KEY} ASCII characters and no spaces; "
            "`antiphon keys create` makes one that nobody guesses"
        )


def user_folder(env: Mapping[str, str], variable: str, default: str) -> Path:
    """Returns our folder below the one that an XDG variable names."""
    return (Path(env[variable]) if env.get(variable) else home(env) / default) / "antiphon"


def home(env: Mapping[str, str]) -> Path:
    """Returns the user's home folder."""
    return Path(env["HOME"]) if env.get("HOME") else Path.home()
