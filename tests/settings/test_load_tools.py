from collections.abc import Mapping
from pathlib import Path

import pytest

from antiphon.errors import ConfigError
from antiphon.settings.embedding_inputs import EmbeddingInput
from antiphon.settings.load import load_settings
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


def test_defaults(tmp_path: Path) -> None:
    tools = load(tmp_path).tools
    assert (tools.timeout, tools.max_bytes, tools.concurrency, tools.max_rounds) == (60, 2**20, 8, 10)
    assert (tools.web_search.provider, tools.web_search.timeout) == ("duckduckgo", 20)
    assert (tools.file_search.timeout, tools.file_search.embedding_model) == (60, None)
    assert tools.mcp.servers == {}


def test_the_form_of_an_embedding_models_texts(tmp_path: Path) -> None:
    toml = """
    [tools.file_search.embedding_inputs."lab/m"]
    query_prefix = "query: "
    passage_input_type = "passage"
    """
    expected = EmbeddingInput(query_prefix="query: ", passage_input_type="passage")
    tools = load(tmp_path, toml).tools
    assert tools.file_search.embedding_inputs == {"lab/m": expected}
    shown = tools.tables()["tools.file_search"]["embedding_inputs"]
    assert shown == {"lab/m": {"query_prefix": "query: ", "passage_input_type": "passage"}}


def test_the_size_from_which_an_index_is_used(tmp_path: Path) -> None:
    assert load(tmp_path).tools.file_search.index_from is None
    assert load(tmp_path, "[tools.file_search]\nindex_from = 50000").tools.file_search.index_from == 50_000


def test_limits_of_all_tools_and_of_one(tmp_path: Path) -> None:
    toml = """
    [tools]
    timeout = 5
    concurrency = 2
    [tools.web_search]
    concurrency = 3
    [tools.mcp.wiki]
    url = "https://wiki.example/mcp"
    timeout = 9
    """
    tools = load(tmp_path, toml).tools
    assert (tools.timeout, tools.web_search.timeout, tools.file_search.timeout) == (5, 5, 5)
    assert (tools.web_search.concurrency, tools.file_search.concurrency) == (3, 2)
    assert (tools.mcp.servers["wiki"].timeout, tools.mcp.servers["wiki"].concurrency) == (9, 2)


def test_mcp_servers(tmp_path: Path) -> None:
    toml = """
    [tools.mcp.wiki]
    url = "http://10.0.0.1/mcp?key=k"
    authorization_env = "WIKI_TOKEN"
    headers = {"X-Team" = "a"}
    transport = "sse"
    [tools.mcp.notes]
    command = "notes"
    args = ["--read-only"]
    env = {"NOTES_KEY" = "n"}
    """
    servers = load(tmp_path, toml, {"WIKI_TOKEN": "t"}).tools.mcp.servers
    assert servers["wiki"].url == "http://10.0.0.1/mcp?key=k"
    assert (servers["wiki"].authorization, servers["wiki"].transport) == (Secret("t"), "sse")
    assert servers["wiki"].headers == {"X-Team": Secret("a")}
    assert (servers["notes"].command, servers["notes"].args) == ("notes", ("--read-only",))
    assert servers["notes"].env["NOTES_KEY"].reveal() == "n"


def test_the_nearer_file_wins_table_by_table(tmp_path: Path) -> None:
    user = tmp_path / "home" / ".config" / "antiphon" / "config.toml"
    user.parent.mkdir(parents=True)
    user.write_text(
        '[tools]\ntimeout = 1\nmax_rounds = 3\n[tools.mcp.a]\ncommand = "far"\nargs = ["x"]\n'
        '[tools.mcp.b]\ncommand = "b"\n[tools.file_search]\nfiles = "uploads"\n',
        encoding="utf-8",
    )
    tools = load(tmp_path, '[tools]\ntimeout = 2\n[tools.mcp.a]\ncommand = "near"\n').tools
    assert (tools.timeout, tools.max_rounds) == (2, 3)
    assert (tools.mcp.servers["a"].command, tools.mcp.servers["a"].args) == ("near", ())
    assert set(tools.mcp.servers) == {"a", "b"}
    assert tools.file_search.files == str(user.parent / "uploads")


@pytest.mark.parametrize(
    ("env", "provider"),
    [
        ({}, "duckduckgo"),
        ({"SEARXNG_URL": "http://localhost:8888/"}, "searxng"),
        ({"BRAVE_API_KEY": "b", "SEARXNG_URL": "http://localhost:8888"}, "brave"),
        ({"TAVILY_API_KEY": "t", "BRAVE_API_KEY": "b"}, "tavily"),
    ],
)
def test_variables_choose_the_search_provider(tmp_path: Path, env: dict[str, str], provider: str) -> None:
    search = load(tmp_path, env=env).tools.web_search
    assert search.provider == provider
    assert search.api_key == {"brave": Secret("b"), "tavily": Secret("t")}.get(provider)
    assert search.base_url == ("http://localhost:8888" if provider == "searxng" else None)


def test_a_file_names_the_provider_and_a_variable_the_key(tmp_path: Path) -> None:
    env = {"TAVILY_API_KEY": "t", "BRAVE_API_KEY": "b"}
    search = load(tmp_path, '[tools.web_search]\nprovider = "brave"', env).tools.web_search
    assert (search.provider, search.api_key) == ("brave", Secret("b"))
    search = load(tmp_path, '[tools.web_search]\nprovider = "duckduckgo"', env).tools.web_search
    assert (search.provider, search.api_key) == ("duckduckgo", None)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("tools = 3", ["[tools]", "table"]),
        ("[tools]\ntimeut = 1", ["[tools]", "did you mean timeout"]),
        ("[tools]\nconcurrency = 0", ["concurrency", ">= 1"]),
        ("[tools.web_serch]", ["did you mean [tools.web_search]"]),
        (
            "[tools.web_search]\nprovider = 'google'",
            ["[tools.web_search]", "provider", "'google'", "use one of tavily, brave, searxng, duckduckgo"],
        ),
        ("[tools.web_search]\nprovider = 'brav'", ["[tools.web_search]", "did you mean brave"]),
        ("[tools.web_search]\nprovider = 3", ["[tools.web_search]", "provider", "expected text"]),
        ("[tools.web_search]\nprovider = 'tavily'", ["tavily needs a key", "TAVILY_API_KEY"]),
        ("[tools.web_search]\nprovider = 'searxng'", ["SEARXNG_URL"]),
        ("[tools.web_search]\nbase_url = 'http://h'", ["provider is missing"]),
        (
            "[tools.web_search]\nprovider = 'brave'\napi_key = 'canary'\napi_key_env = 'X'",
            ["set only one of them"],
        ),
        (
            "[tools.file_search.embedding_inputs.m]\nprefix = 'a'",
            ["tools.file_search", "embedding_inputs", "prefix"],
        ),
        ("[tools.file_search]\nindex_from = 0", ["index_from", "expected"]),
        ("[tools.file_search]\nmax_file_bytes = '1'", ["max_file_bytes", "expected a whole number"]),
        ("[tools.mcp]\na = 'http://h'", ["[tools.mcp.a]", "table"]),
        ("[tools.mcp.'a b']\nurl = 'http://h'", ["[tools.mcp.a b]", "letters, digits"]),
        ("[tools.mcp.a]\ntransport = 'http'", ["[tools.mcp.a]", "url or command"]),
        ("[tools.mcp.a]\nurl = 'http://h'\ncommand = 'c'", ["url or command"]),
        ("[tools.mcp.a]\nurl = 'h'", ["url is not an HTTP URL"]),
        ("[tools.mcp.a]\nurl = 'http://u:canary@h'", ["url contains credentials", "authorization"]),
        ("[tools.mcp.a]\nurl = 'http://h'\nargs = ['x']", ["args cannot be combined with url"]),
        (
            "[tools.mcp.a]\nurl = 'http://h'\ntransport = 'stdio'",
            ["transport", "cannot be combined with url"],
        ),
        (
            "[tools.mcp.a]\ncommand = 'c'\nheaders = {x = 'canary'}",
            ["headers cannot be combined with command"],
        ),
        ("[tools.mcp.a]\nurl = 'http://h'\nheaders = {x = ['canary']}", ["headers"]),
        ("[tools.mcp.a]\nurl = 'http://h'\nauthorization_env = 'NO_SUCH'", ["NO_SUCH", "not set"]),
        (
            "[tools.mcp.a]\nurl = 'http://h'\nauthorization = 'canary'\nheaders = {AUTHORIZATION = 'x'}",
            ["set only one of them"],
        ),
        ("security = 1", ["[security]", "table"]),
        ("[security]\nallow_host = ['h']", ["[security]", "did you mean allow_hosts"]),
        ("[security]\nallow_hosts = 'h'", ["allow_hosts", "expected a list"]),
        (
            "allow_hosts = ['h']",
            ["antiphon.toml: allow_hosts belongs to [security]; write it below [security]"],
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, toml: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "canary" not in message


def test_uploaded_files_lie_beside_the_state(tmp_path: Path) -> None:
    def files(database: str) -> str | None:
        return load(tmp_path, flags={"database": database}).tools.file_search.files

    assert files("state.db") == str(tmp_path / "state.db.files")
    assert files("postgresql://h/d") == str(tmp_path / "home/.local/share/antiphon/files")
    assert files(":memory:") is None


def test_allowed_hosts_come_from_file_variable_or_flags(tmp_path: Path) -> None:
    toml = '[security]\nallow_hosts = ["a", "10.0.0.0/8"]'
    settings = load(tmp_path, toml)
    assert settings.allow_hosts == ("a", "10.0.0.0/8")
    assert settings.origins["allow_hosts"] == str(tmp_path / "antiphon.toml")
    assert load(tmp_path, toml, {"ANTIPHON_ALLOW_HOSTS": "b, c:1"}).allow_hosts == ("b", "c:1")
    assert load(tmp_path, toml, flags={"allow_hosts": ["d"]}).allow_hosts == ("d",)


def test_tables_mask_what_may_be_secret(tmp_path: Path) -> None:
    toml = """
    [tools.web_search]
    provider = "brave"
    api_key = "canary-1"
    [tools.image_generation]
    base_url = "https://images.example/v1"
    api_key = "canary-5"
    [tools.mcp.wiki]
    url = "https://wiki.example/mcp?key=canary-2"
    authorization = "canary-3"
    headers = {"X-Key" = "canary-4"}
    """
    settings = load(tmp_path, toml)
    tables = settings.tools.tables()
    assert "canary" not in str(tables)
    assert tables["tools.mcp.wiki"]["url"] == "https://wiki.example/mcp?***"
    assert tables["tools.web_search"]["provider"] == "brave"
    own = {"tools.web_search", "tools.file_search", "tools.code_interpreter", "tools.image_generation"}
    assert set(tables) == {"tools", *own, "tools.mcp.wiki"}


def test_an_images_backend(tmp_path: Path) -> None:
    assert load(tmp_path).tools.image_generation.base_url is None
    toml = """
    [tools.image_generation]
    base_url = "https://images.example/v1/"
    api_key_env = "IMAGES_KEY"
    model = "flux"
    """
    images = load(tmp_path, toml, {"IMAGES_KEY": "sk-1"}).tools.image_generation
    assert (images.base_url, images.model, images.timeout) == ("https://images.example/v1", "flux", 300)
    assert images.api_key == Secret("sk-1")


def test_an_images_backend_needs_a_url(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[tools\.image_generation\]: base_url is missing"):
        load(tmp_path, '[tools.image_generation]\nmodel = "flux"')
