"""Loading of the `[tools]` tables, and of search providers from the environment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from antiphon.errors import ConfigError
from antiphon.settings.checks import (
    checked_url,
    convert,
    located,
    secret_values,
    user_folder,
)
from antiphon.settings.names import check_names, suggestion
from antiphon.settings.network import take_proxy
from antiphon.settings.tools import (
    CODE_INTERPRETER_SETTINGS,
    FILE_SEARCH_SETTINGS,
    IMAGE_GENERATION_SETTINGS,
    MCP_SERVER_SETTINGS,
    TOOLS_SETTINGS,
    WEB_SEARCH_SETTINGS,
    CodeInterpreterSettings,
    FileSearchSettings,
    ImageGenerationSettings,
    McpServerSettings,
    McpSettings,
    SearchProviderNeeds,
    ToolsSettings,
    WebSearchSettings,
)
from antiphon.settings.values import Secret, Setting
from antiphon.wire.json import JSON, JSONObject

_SHARED = ("timeout", "max_bytes", "concurrency")
"""Keys that a tool inherits from `[tools]`."""
_TABLES = ("web_search", "file_search", "code_interpreter", "image_generation", "mcp")
"""Tables in `[tools]`."""
_NOUNS = {"api_key": "a key", "base_url": "a URL"}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
"""Labels of MCP servers that api.openai.com accepts."""
_MISPLACED = {"url": ("args", "env"), "command": ("authorization", "authorization_env", "headers", "proxy")}
_TRANSPORTS = {"url": ("auto", "http", "sse"), "command": ("auto", "stdio")}


class ToolTables:
    """Tool tables gathered from several files; later files take precedence per table."""

    def __init__(self, env: Mapping[str, str], search_providers: Sequence[SearchProviderNeeds]) -> None:
        self._env = env
        self._search_providers = {provider.name: provider for provider in search_providers}
        self._own: JSONObject = {}
        self._web_search: tuple[JSONObject, str] = ({}, "[tools.web_search]")
        self._file_search: JSONObject = {}
        self._code_interpreter: JSONObject = {}
        self._images: JSONObject = {}
        self._servers: dict[str, JSONObject] = {}

    def take(self, tools: JSON, path: Path) -> None:
        """Add the value of `tools` in the file `path`.

        Raises:
            ConfigError: A table or a value in it is wrong.
        """
        table = _table(tools, f"{path}: [tools]")
        check_names(table, TOOLS_SETTINGS, f"{path}: [tools]", _TABLES, "tools.")
        self._own |= _converted(table, TOOLS_SETTINGS, f"{path}: [tools]")
        if "web_search" in table:
            where = f"{path}: [tools.web_search]"
            values = _checked(table["web_search"], WEB_SEARCH_SETTINGS, where)
            self._check_provider(values.get("provider"), where)
            secret_values(values, "api_key", self._env, where)
            if "base_url" in values:
                values["base_url"] = checked_url(values["base_url"], where)
            self._web_search = (values, where)
        if "file_search" in table:
            values = _checked(table["file_search"], FILE_SEARCH_SETTINGS, f"{path}: [tools.file_search]")
            self._file_search = {
                name: located(name, value, path.parent, self._env) for name, value in values.items()
            }
        if "code_interpreter" in table:
            where = f"{path}: [tools.code_interpreter]"
            self._code_interpreter = _checked(table["code_interpreter"], CODE_INTERPRETER_SETTINGS, where)
        if "image_generation" in table:
            where = f"{path}: [tools.image_generation]"
            self._images = values = _checked(table["image_generation"], IMAGE_GENERATION_SETTINGS, where)
            secret_values(values, "api_key", self._env, where)
            if "base_url" not in values:
                raise ConfigError(f"{where}: base_url is missing; set it to the URL of an images backend")
            values["base_url"] = checked_url(values["base_url"], where).rstrip("/")
            take_proxy(values, values["base_url"], self._env, where)
        for name, server in _table(table.get("mcp", {}), f"{path}: [tools.mcp]").items():
            self._servers[name] = self._server(name, server, f"{path}: [tools.mcp.{name}]")

    def settings(self, database: str) -> ToolsSettings:
        """Return the settings of all tools.

        Args:
            database: Path or URL of the database, from which the default directory for files follows.

        Raises:
            ConfigError: The search provider lacks a key or a URL.
        """
        shared = {name: self._own[name] for name in _SHARED if name in self._own}
        files = {"files": self._default_files(database)}
        servers = {name: McpServerSettings(**shared | values) for name, values in self._servers.items()}
        return ToolsSettings(
            **self._own,
            web_search=WebSearchSettings(**shared | self._search()),
            file_search=FileSearchSettings(**files | shared | self._file_search),
            code_interpreter=CodeInterpreterSettings(**shared | self._code_interpreter),
            image_generation=ImageGenerationSettings(**self._images),
            mcp=McpSettings(servers=servers),
        )

    def _server(self, name: str, table: JSON, where: str) -> JSONObject:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{where}: invalid name; use letters, digits, - and _, with a letter first")
        values = _checked(table, MCP_SERVER_SETTINGS, where)
        if ("url" in values) == ("command" in values):
            raise ConfigError(f"{where}: expected either url or command; set exactly one of them")
        secret_values(values, "authorization", self._env, where)
        kind = "url" if "url" in values else "command"
        if kind == "url":
            values["url"] = checked_url(values["url"], where, key="url", instead="authorization")
            take_proxy(values, values["url"], self._env, where)
        for name in _MISPLACED[kind]:
            if name in values:
                raise ConfigError(f"{where}: {name} cannot be combined with {kind}; remove it")
        if values.get("transport", "auto") not in _TRANSPORTS[kind]:
            raise ConfigError(
                f"{where}: transport {values['transport']!r} cannot be combined with {kind}; use one of "
                f"{', '.join(_TRANSPORTS[kind])}"
            )
        if "authorization" in values and "authorization" in map(str.lower, values.get("headers", ())):
            raise ConfigError(
                f"{where}: both authorization and the header Authorization are present; set only one of them"
            )
        return values

    def _search(self) -> JSONObject:
        """Return the values of `[tools.web_search]`, completed from the environment."""
        values, where = dict(self._web_search[0]), self._web_search[1]
        if "provider" not in values:
            if "base_url" in values or "api_key" in values:
                raise ConfigError(
                    f"{where}: provider is missing; set the one that base_url and api_key belong to"
                )
            values["provider"] = self._environment_provider()
        provider = self._search_providers[values["provider"]]
        name, variable = provider.needs, provider.variable
        if name is not None and name not in values:
            value = self._env.get(variable)
            if not value:
                ways = "api_key, api_key_env" if name == "api_key" else name
                raise ConfigError(f"{where}: {provider.name} needs {_NOUNS[name]}; set {ways} or {variable}")
            values[name] = Secret(value) if name == "api_key" else checked_url(value, variable)
        url = values.get("base_url") or provider.base_url
        assert url is not None  # A provider without a usual one needs one.
        take_proxy(values, url, self._env, where)
        return values

    def _check_provider(self, name: str | None, where: str) -> None:
        if name is not None and name not in self._search_providers:
            known = suggestion(name, [*self._search_providers])
            raise ConfigError(f"{where}: provider: unknown search provider {name[:60]!r}{known}")

    def _environment_provider(self) -> str:
        """Return the first provider whose variable is set, or the default."""
        for provider in self._search_providers.values():
            if self._env.get(provider.variable):
                return provider.name
        return WebSearchSettings().provider

    def _default_files(self, database: str) -> str | None:
        if database == ":memory:":
            return None
        if "://" in database:
            return str(user_folder(self._env, "XDG_DATA_HOME", ".local/share") / "files")
        return f"{database}.files"


def _table(value: JSON, where: str) -> JSONObject:
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: expected a table, got {str(value)[:60]!r}")
    return value


def _checked(value: JSON, settings: tuple[Setting, ...], where: str) -> JSONObject:
    table = _table(value, where)
    check_names(table, settings, where)
    return _converted(table, settings, where)


def _converted(table: JSONObject, settings: Iterable[Setting], where: str) -> JSONObject:
    return {s.name: convert(s, table[s.name], where) for s in settings if s.name in table}
