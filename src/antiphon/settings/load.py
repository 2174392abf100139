"""Loading of settings from flags, the environment and configuration files.

The order of precedence: flags, environment variables, `./antiphon.toml`, the user's `config.toml`, defaults.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from antiphon.errors import ConfigError
from antiphon.settings.backends import (
    BACKEND_SETTINGS,
    CAPABILITIES,
    PRESETS,
    BackendSettings,
    Capabilities,
    Kind,
)
from antiphon.settings.checks import (
    check_api_key,
    check_seal_key,
    check_workers,
    checked_url,
    convert,
    located,
    secret_values,
    user_folder,
)
from antiphon.settings.load_moderation import merged
from antiphon.settings.load_tools import ToolTables
from antiphon.settings.moderation import ModerationSettings
from antiphon.settings.names import check_names, check_places, closest
from antiphon.settings.network import check_connection, check_headers, environment_proxy, take_proxy
from antiphon.settings.schema import SETTINGS, Settings
from antiphon.settings.tools import SearchProviderNeeds
from antiphon.settings.values import ENV_PREFIX, Secret
from antiphon.wire.json import JSON, JSONObject

_OPENAI_URL = "https://api.openai.com/v1"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104 (compared, not bound)
_RESERVED = "antiphon"
_TABLES = (
    "models",
    "moderation",
    "tools",
    *dict.fromkeys(setting.table for setting in SETTINGS if setting.table),
)
"""Tables of a configuration file."""


def load_settings(
    flags: Mapping[str, JSON],
    env: Mapping[str, str],
    cwd: Path,
    search_providers: Sequence[SearchProviderNeeds],
) -> Settings:
    """Return the settings in effect.

    Args:
        flags: Values by the names of settings; None if a flag was not given.
        env: Environment variables.
        cwd: Directory that may contain `antiphon.toml`.
        search_providers: The search providers of the server; without one in the files, the first whose
            variable is set is used.

    Raises:
        ConfigError: A setting is wrong; the message names it, its source and the fix.
    """
    gathered = _Gathered(env)
    tools = ToolTables(env, search_providers)
    moderation = ModerationSettings()
    backends: dict[str, BackendSettings] = {}
    for path in files_of_settings(env, cwd):
        document = _read(path)
        for name, table in _tables(document.pop("models", {}), path).items():
            backends[name] = _backend(name, table, path, env)
        tools.take(document.pop("tools", {}), path)
        moderation = merged(moderation, document.pop("moderation", {}), path)
        gathered.take(_settings_of(document, path), path.parent, strict=True)
    gathered.take({s.name: (env[s.env], s.env) for s in SETTINGS if env.get(s.env)}, cwd, strict=False)
    given = {s.name: (flags[s.name], s.flag) for s in SETTINGS if flags.get(s.name) is not None}
    gathered.take(given, cwd, strict=False)
    for backend in _environment_backends(env):
        backends.setdefault(backend.name, backend)
    settings = gathered.settings()
    others, notices = _without_self(backends, settings)
    return msgspec.structs.replace(
        settings,
        models=others,
        tools=tools.settings(settings.database),
        moderation=moderation,
        notices=(*_misspelt(env), *notices, *_unverified(others)),
    )


def files_of_settings(env: Mapping[str, str], cwd: Path) -> tuple[Path, Path]:
    """Return the user's file and that of a directory, which takes precedence; either may be missing."""
    return user_folder(env, "XDG_CONFIG_HOME", ".config") / "config.toml", cwd / "antiphon.toml"


def endpoint(url: str) -> tuple[str, int]:
    """Return host and port of `url`; all names of this machine become `127.0.0.1`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return "127.0.0.1" if host in _LOOPBACK else host, parts.port or (443 if parts.scheme == "https" else 80)


class _Gathered:
    """Values of settings gathered from several sources; later sources take precedence."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._values: JSONObject = {
            "database": str(user_folder(env, "XDG_DATA_HOME", ".local/share") / "antiphon.db")
        }
        self._origins = {setting.name: "default" for setting in SETTINGS}

    def take(self, given: Mapping[str, tuple[JSON, str]], folder: Path, *, strict: bool) -> None:
        """Add values with their sources; relative paths start at `folder`."""
        for setting in SETTINGS:
            if setting.name in given:
                value, where = given[setting.name]
                value = convert(setting, value, where, strict=strict)
                self._values[setting.name] = located(setting.name, value, folder, self._env)
                self._origins[setting.name] = where
        self._expand(given)

    def _expand(self, given: Mapping[str, tuple[JSON, str]]) -> None:
        """Expand `record` and `replay`; the last source counts, in either form."""
        short = [name for name in ("record", "replay") if name in given]
        long = [name for name in ("recording", "recordings") if name in given]
        if len(short) > 1 or (short and long):
            ways = " and ".join(given[name][1] for name in (*short, *long))
            raise ConfigError(f"{ways}: conflict; set only record, only replay, or recording with recordings")
        if short:
            (name,) = short
            self._values |= {"recording": name, "recordings": self._values[name]}
            self._origins |= dict.fromkeys(("recording", "recordings"), given[name][1])
        for name in {"record", "replay"}.difference(short) if short or long else ():
            self._values.pop(name, None)
            self._origins[name] = "default"

    def settings(self) -> Settings:
        """Return the settings.

        Raises:
            ConfigError: The values contradict each other.
        """
        if self._values.get("freeze") and self._origins["database"] == "default":
            # Frozen IDs are the same in each run, so that they would collide with those of the last run.
            self._values["database"] = ":memory:"
        settings = Settings(**self._values, origins=self._origins)
        check_api_key(settings.api_key, self._origins["api_key"])
        check_seal_key(settings.seal_key, self._origins["seal_key"])
        if settings.recording != "live" and settings.recordings is None:
            where = self._origins["recording"]
            raise ConfigError(f"{where}: mode {settings.recording!r} needs a directory; set recordings")
        check_workers(settings)
        return settings


def _read(path: Path) -> JSONObject:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _settings_of(document: JSONObject, path: Path) -> dict[str, tuple[JSON, str]]:
    """Return the settings at the top level and in the tables of a file, with its name."""
    given: dict[str, tuple[JSON, str]] = {}
    for table in sorted({setting.table or "" for setting in SETTINGS}, reverse=True):
        values = document.pop(table, {}) if table else document
        where = f"{path}: [{table}]" if table else str(path)
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: {table!r} is not a table; write it as [{table}]")
        known = [setting for setting in SETTINGS if (setting.table or "") == table]
        check_places(values, known, where)
        check_names(values, known, where, () if table else _TABLES)
        given |= {each.name: (values[each.file_key], str(path)) for each in known if each.file_key in values}
    return given


def _tables(models: JSON, path: Path) -> dict[str, JSONObject]:
    """Return the `[models.NAME]` tables; a name is one segment of a model ID."""
    if not isinstance(models, dict) or not all(isinstance(table, dict) for table in models.values()):
        raise ConfigError(f"{path}: `models` must contain a table per backend; write them as [models.NAME]")
    for name in models:
        if not name or "/" in name:
            raise ConfigError(f"{path}: backend name {name!r} is empty or contains a slash; choose another")
        if name == _RESERVED:
            raise ConfigError(
                f"{path}: backend name {name!r} is reserved for the built-in sample model; choose another"
            )
    return models


def _backend(name: str, table: JSONObject, path: Path, env: Mapping[str, str]) -> BackendSettings:
    """Return a backend's settings; switches in its table override those of its kind."""
    where = f"{path}: [models.{name}]"
    check_names(table, (*BACKEND_SETTINGS, *CAPABILITIES), where)
    own = {s.name: convert(s, table[s.name], where) for s in BACKEND_SETTINGS if s.name in table}
    switches = {s.name: convert(s, table[s.name], where) for s in CAPABILITIES if s.name in table}
    if "base_url" not in own:
        raise ConfigError(f"{where}: base_url is missing; set it, such as base_url = {_OPENAI_URL!r}")
    own["base_url"] = checked_url(own["base_url"], where)
    own = {name: located(name, value, path.parent, env) for name, value in own.items()}
    secret_values(own, "api_key", env, where)
    check_headers(own, where)
    if "unix_socket" not in own:
        take_proxy(own, own["base_url"], env, where)
    check_connection(own, where)
    kind: Kind = own.pop("kind", None) or _kind(own["base_url"])
    capabilities: Capabilities = msgspec.structs.replace(PRESETS[kind], **switches)
    return BackendSettings(name=name, kind=kind, capabilities=capabilities, origin=path.name, **own)


def _kind(base_url: str) -> Kind:
    host = endpoint(base_url)[0]
    return "openai" if host.endswith(("openai.com", ".azure.com")) else "other"


def _misspelt(env: Mapping[str, str]) -> list[str]:
    """Return notices about variables that resemble a setting.

    Other variables with the prefix may belong to other programs.
    """
    names = [setting.env for setting in SETTINGS]
    return [
        f"{name} is not a setting; did you mean {similar}?"
        for name in env
        if name.startswith(ENV_PREFIX) and name not in names and (similar := closest(name, names, 0.85))
    ]


def _environment_backends(env: Mapping[str, str]) -> list[BackendSettings]:
    """Return the backends that the environment variables of other programs define."""
    found = []
    if env.get("OPENAI_API_KEY") or env.get("OPENAI_BASE_URL"):
        variable = "OPENAI_BASE_URL" if env.get("OPENAI_BASE_URL") else "OPENAI_API_KEY"
        url = checked_url(env.get("OPENAI_BASE_URL") or _OPENAI_URL, "OPENAI_BASE_URL")
        key = env.get("OPENAI_API_KEY")
        found.append(
            BackendSettings(
                name="openai",
                base_url=url,
                kind=_kind(url),
                api_key=Secret(key) if key else None,
                proxy=environment_proxy(url, env),
                capabilities=PRESETS[_kind(url)],
                origin=variable,
            )
        )
    if env.get("OLLAMA_HOST"):
        url = _ollama_url(env["OLLAMA_HOST"])
        found.append(
            BackendSettings(
                name="ollama",
                base_url=url,
                kind="ollama",
                proxy=environment_proxy(url, env),
                capabilities=PRESETS["ollama"],
                origin="OLLAMA_HOST",
            )
        )
    return found


def _ollama_url(host: str) -> str:
    """Parse OLLAMA_HOST as Ollama does: `host`, `host:port`, `:port` or a URL."""
    has_scheme = "://" in host
    try:
        parts = urlsplit(host if has_scheme else f"http://{host}")
        default = (443 if parts.scheme == "https" else 80) if has_scheme else 11434
        port = parts.port or default
    except ValueError as error:
        raise ConfigError(f"OLLAMA_HOST: {host!r} is not an address; use HOST:PORT") from error
    name = parts.hostname or "127.0.0.1"
    # Ollama's server uses this variable too, possibly with a wildcard address that clients cannot connect to.
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(name, name)  # noqa: S104
    bracketed = f"[{name}]" if ":" in name else name
    return checked_url(f"{parts.scheme}://{bracketed}:{port}{parts.path.rstrip('/')}/v1", "OLLAMA_HOST")


def _without_self(
    backends: dict[str, BackendSettings], settings: Settings
) -> tuple[dict[str, BackendSettings], list[str]]:
    """Drop backends that are this server, because their requests would loop endlessly."""
    own = endpoint(f"http://{_bracketed(settings.host)}:{settings.port}")
    tcp = [backend for backend in backends.values() if backend.unix_socket is None]
    loops = [backend for backend in tcp if settings.port and endpoint(backend.base_url) == own]
    notices = [f"{b.name} ({b.origin}) points to this server and is ignored" for b in loops]
    return {name: b for name, b in backends.items() if b not in loops}, notices


def _unverified(backends: Mapping[str, BackendSettings]) -> list[str]:
    """Return notices about backends whose certificates are not verified."""
    return [
        f"{backend.name} ({backend.origin}): its certificate is not verified; set ca_file instead of verify"
        for backend in backends.values()
        if not backend.verify
    ]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
