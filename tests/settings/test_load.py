from collections.abc import Mapping
from pathlib import Path

import pytest

from antiphon.errors import ConfigError
from antiphon.settings.backends import BackendSettings
from antiphon.settings.load import endpoint, load_settings
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from antiphon.wire.json import JSON


def load(
    tmp_path: Path,
    toml: str = "",
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, JSON] | None = None,
) -> Settings:
    (tmp_path / "antiphon.toml").write_text(toml, encoding="utf-8")
    return load_settings(
        flags or {}, {"HOME": str(tmp_path / "home")} | dict(env or {}), tmp_path, SEARCH_PROVIDERS
    )


def refused(tmp_path: Path, toml: str = "", env: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml, env)
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.host, settings.port, settings.discover) == ("127.0.0.1", 8321, True)
    assert settings.database == str(tmp_path / "home/.local/share/antiphon/antiphon.db")
    assert settings.models == {}
    assert settings.notices == ()
    assert set(settings.origins.values()) == {"default"}


def test_the_data_folder_follows_xdg(tmp_path: Path) -> None:
    settings = load(tmp_path, env={"XDG_DATA_HOME": "/data"})
    assert settings.database == "/data/antiphon/antiphon.db"


def test_precedence_and_origins(tmp_path: Path) -> None:
    user = tmp_path / "xdg" / "antiphon" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('host = "h1"\nport = 1\nlog_level = "error"\nmax_body_bytes = 1\n', encoding="utf-8")
    settings = load(
        tmp_path,
        'host = "h2"\nport = 2\nlog_level = "debug"\n',
        {"XDG_CONFIG_HOME": str(tmp_path / "xdg"), "ANTIPHON_PORT": "3", "ANTIPHON_HOST": "h3"},
        {"host": "h4", "port": None},
    )
    assert (settings.host, settings.port, settings.log_level, settings.max_body_bytes) == (
        "h4",
        3,
        "debug",
        1,
    )
    assert settings.origins["host"] == "--host"
    assert settings.origins["port"] == "ANTIPHON_PORT"
    assert settings.origins["log_level"] == str(tmp_path / "antiphon.toml")
    assert settings.origins["max_body_bytes"] == str(user)
    assert settings.origins["discover"] == "default"


def test_switches_in_the_environment(tmp_path: Path) -> None:
    assert load(tmp_path, env={"ANTIPHON_DISCOVER": "false"}).discover is False
    assert load(tmp_path, env={"ANTIPHON_DISCOVER": ""}).discover is True
    assert load(tmp_path, "discover = false", flags={"discover": True}).discover is True


def test_paths_are_relative_to_what_names_them(tmp_path: Path) -> None:
    user = tmp_path / "home" / ".config" / "antiphon" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text('replay = "tapes"\ndatabase = "~/state.db"\n', encoding="utf-8")
    settings = load(tmp_path)
    assert settings.replay == str(user.parent / "tapes")
    assert settings.database == str(tmp_path / "home/state.db")
    assert load(tmp_path, flags={"replay": "here"}).replay == str(tmp_path / "here")


@pytest.mark.parametrize("database", [":memory:", "postgresql://u:p@h/d"])
def test_databases_that_are_no_paths(tmp_path: Path, database: str) -> None:
    assert load(tmp_path, env={"ANTIPHON_DATABASE": database}).database == database


def test_a_backend(tmp_path: Path) -> None:
    toml = """
    [models.house]
    base_url = "https://models.example/v1/"
    api_key_env = "HOUSE_KEY"
    models = ["a", "b/c"]
    idle_timeout = 5
    developer_role = true
    """
    backend = load(tmp_path, toml, {"HOUSE_KEY": "k"}).models["house"]
    assert backend.base_url == "https://models.example/v1"
    assert backend.api_key == Secret("k")
    assert backend.models == ("a", "b/c")
    assert (backend.idle_timeout, backend.connect_timeout) == (5.0, 10.0)
    assert backend.kind == "other"
    assert backend.capabilities.developer_role is True
    assert backend.capabilities.max_completion_tokens is False
    assert backend.origin == "antiphon.toml"


def test_the_kind_sets_the_switches(tmp_path: Path) -> None:
    toml = '[models.a]\nbase_url = "http://h:1/v1"\nkind = "vllm"\n[models.b]\nbase_url = "https://api.openai.com/v1"'
    models = load(tmp_path, toml).models
    assert models["a"].capabilities.reasoning_input == "reasoning"
    assert models["b"].kind == "openai"
    assert models["b"].capabilities.service_tier is True


def test_the_nearer_file_replaces_a_backend(tmp_path: Path) -> None:
    user = tmp_path / "home" / ".config" / "antiphon" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(
        '[models.a]\nbase_url = "http://far/v1"\nidle_timeout = 1\n[models.b]\nbase_url = "http://b/v1"\n',
        encoding="utf-8",
    )
    models = load(tmp_path, '[models.a]\nbase_url = "http://near/v1"\n').models
    assert set(models) == {"a", "b"}
    assert (models["a"].base_url, models["a"].idle_timeout) == ("http://near/v1", 120.0)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        (
            "prot = 1",
            [
                "antiphon.toml",
                "unknown setting 'prot'",
                "did you mean port? Use one of host, port, ",
                ", log_level, ",
            ],
        ),
        ("port = '8321'", ["antiphon.toml", "port", "expected a whole number", "'8321'"]),
        ("[security]\nport = 1", ["[security]: port is not part of a table; write it above the first table"]),
        (
            "[model.lab]\nbase_url = 'http://h/v1'",
            ["unknown table [model]; did you mean [models]? Use one of [models], [moderation], [tools], "],
        ),
        ("[xyzzy]", ["unknown table [xyzzy]; use one of [models], [moderation], [tools], "]),
        ("port = 70000", ["port", "<= 65535"]),
        ("log_format = 'xml'", ["antiphon.toml: log_format: expected one of text, json, got 'xml'"]),
        ("port = ", ["antiphon.toml", "not valid TOML"]),
        ("models = 3", ["[models.NAME]"]),
        ("[models.a]\nbase_url = 'http://h/v1'\ndeveloper_rol = true", ["[models.a]", "developer_role"]),
        ("[models.a]\nkind = 'vllm'", ["[models.a]", "base_url is missing"]),
        ("[models.a]\nbase_url = 'models.example'", ["base_url", "http://HOST"]),
        ("[models.a]\nbase_url = 'http://h:99999/v1'", ["base_url", "http://HOST"]),
        ("[models.a]\nbase_url = 'http://h/v1'\nidle_timeout = 0", ["idle_timeout", "> 0"]),
        ("[models.a]\nbase_url = 'http://h/v1'\nlogprobs = 'no'", ["logprobs", "expected true or false"]),
        ("[models.a]\nbase_url = 'http://h/v1'\nkind = 'gpt'", ["kind", "'gpt'"]),
        ("[models.a]\nbase_url = 'http://h/v1'\napi_key_env = 'NO_SUCH'", ["NO_SUCH", "not set"]),
        ("[models.a]\nbase_url = 'http://h/v1'\napi_key = 'x'\napi_key_env = 'Y'", ["set only one of them"]),
        ("[models.'a/b']\nbase_url = 'http://h/v1'", ["'a/b'", "slash"]),
        ("[models.antiphon]\nbase_url = 'http://h/v1'", ["'antiphon'", "sample"]),
    ],
)
def test_what_is_refused(tmp_path: Path, toml: str, words: list[str]) -> None:
    message = refused(tmp_path, toml)
    assert [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('replay = "rec"', "recording counts calls in one process; set workers to 1"),
        ("freeze = true\ndatabase = 'a.db'", "freeze counts calls in one process; set workers to 1"),
        ("recording_header = true", "recording_header counts calls in one process; set workers to 1"),
        ('fault = "cut:3"', "fault counts calls in one process; set workers to 1"),
        ('database = ":memory:"', "processes can't share a database in memory; set database to a file"),
    ],
)
def test_workers_share_all_that_the_settings_choose(tmp_path: Path, toml: str, words: str) -> None:
    assert refused(tmp_path, f"workers = 2\n{toml}").endswith(f"antiphon.toml: {words}")
    assert load(tmp_path, f"workers = 1\n{toml}").workers == 1


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    assert "ANTIPHON_PORT: expected a whole number, got 'many'" in refused(
        tmp_path, env={"ANTIPHON_PORT": "many"}
    )


@pytest.mark.parametrize(
    "toml",
    [
        "[models.a]\nbase_url = 'http://user:canary@h/v1'",
        "[models.a]\nbase_url = 'http://h/v1?key=canary'",
        "[models.a]\nbase_url = 'http://h/v1'\napi_key = ['canary']",
        "database = ['canary']",
    ],
)
def test_messages_hold_no_secrets(tmp_path: Path, toml: str) -> None:
    assert "canary" not in refused(tmp_path, toml)


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "antiphon.toml").mkdir()
    with pytest.raises(ConfigError, match=r"antiphon\.toml: cannot be read"):
        load_settings({}, {"HOME": str(tmp_path)}, tmp_path, SEARCH_PROVIDERS)


def test_a_misspelt_variable_is_noticed_and_a_strange_one_is_not(tmp_path: Path) -> None:
    settings = load(tmp_path, env={"ANTIPHON_PROT": "1", "ANTIPHON_TEST_POSTGRES": "x"})
    assert settings.notices == ("ANTIPHON_PROT is not a setting; did you mean ANTIPHON_PORT?",)


def test_openai_from_the_environment(tmp_path: Path) -> None:
    openai = load(tmp_path, env={"OPENAI_API_KEY": "sk-1"}).models["openai"]
    assert openai.base_url == "https://api.openai.com/v1"
    assert openai.api_key == Secret("sk-1")
    assert openai.capabilities.developer_role is True
    other = load(tmp_path, env={"OPENAI_BASE_URL": "http://gateway:4000/v1/"}).models["openai"]
    assert (other.base_url, other.api_key, other.kind) == ("http://gateway:4000/v1", None, "other")
    assert other.origin == "OPENAI_BASE_URL"


def test_a_configured_backend_beats_the_environment(tmp_path: Path) -> None:
    toml = '[models.openai]\nbase_url = "http://mine/v1"\n'
    openai = load(tmp_path, toml, {"OPENAI_API_KEY": "sk-1"}).models["openai"]
    assert openai.base_url == "http://mine/v1"
    assert openai.api_key is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "LOCALHOST"])
def test_this_very_server_is_no_backend(tmp_path: Path, host: str) -> None:
    settings = load(tmp_path, env={"OPENAI_BASE_URL": f"http://{host}:8321/v1"})
    assert settings.models == {}
    assert settings.notices == ("openai (OPENAI_BASE_URL) points to this server and is ignored",)


def test_another_port_of_this_machine_is_a_backend(tmp_path: Path) -> None:
    env = {"OPENAI_BASE_URL": "http://localhost:8321/v1"}
    assert set(load(tmp_path, env=env, flags={"port": 9000}).models) == {"openai"}
    assert set(load(tmp_path, env=env, flags={"host": "192.0.2.1"}).models) == {"openai"}
    assert set(load(tmp_path, env=env, flags={"port": 0}).models) == {"openai"}


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("box", "http://box:11434/v1"),
        ("box:5000", "http://box:5000/v1"),
        (":5000", "http://127.0.0.1:5000/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("[::1]:5000", "http://[::1]:5000/v1"),
        ("http://box", "http://box:80/v1"),
        ("https://box/ollama/", "https://box:443/ollama/v1"),
    ],
)
def test_ollama_host(tmp_path: Path, variable: str, url: str) -> None:
    backend: BackendSettings = load(tmp_path, env={"OLLAMA_HOST": variable}).models["ollama"]
    assert (backend.base_url, backend.kind, backend.origin) == (url, "ollama", "OLLAMA_HOST")


def test_a_wrong_ollama_host(tmp_path: Path) -> None:
    assert "OLLAMA_HOST" in refused(tmp_path, env={"OLLAMA_HOST": "box:port"})


def test_endpoints() -> None:
    assert endpoint("https://H.example/v1") == ("h.example", 443)
    assert endpoint("http://[::1]:8080") == endpoint("http://localhost:8080") == ("127.0.0.1", 8080)
