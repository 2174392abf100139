"""Proxies, certificates and headers of backends and tools."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from antiphon.cli import antiphon
from antiphon.errors import ConfigError
from antiphon.settings.backends import BackendSettings
from antiphon.settings.load import load_settings
from antiphon.settings.network import environment_proxy
from antiphon.settings.schema import Settings
from antiphon.settings.values import Secret
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from tests.support.certificates import Authority

PROXY = "http://proxy.example:3128"


def load(tmp_path: Path, toml: str = "", env: Mapping[str, str] | None = None) -> Settings:
    (tmp_path / "antiphon.toml").write_text(toml, encoding="utf-8")
    home = {"HOME": str(tmp_path / "home")}
    return load_settings({}, home | dict(env or {}), tmp_path, SEARCH_PROVIDERS)


def house(tmp_path: Path, lines: str, env: Mapping[str, str] | None = None) -> BackendSettings:
    return load(tmp_path, f"[models.house]\n{lines}", env).models["house"]


def proxy_of(url: str, env: Mapping[str, str]) -> str | None:
    found = environment_proxy(url, env)
    return None if found is None else found.reveal()


@pytest.mark.parametrize(
    ("url", "env", "proxy"),
    [
        ("https://h/v1", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://h/v1", {"https_proxy": "http://p:1/"}, "http://p:1"),
        ("https://h/v1", {"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ("https://h/v1", {"HTTPS_PROXY": "http://u:s@p:1"}, "http://u:s@p:1"),
        ("https://h/v1", {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://p:2"}, "http://p:1"),
        ("https://h/v1", {"HTTP_PROXY": "http://p:1"}, None),
        ("https://h/v1", {"HTTPS_PROXY": ""}, None),
        ("https://h/v1", {}, None),
        ("http://h/v1", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("http://h/v1", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://h/v1", {"ALL_PROXY": "https://p:1"}, "https://p:1"),
        ("http://h/v1", {"ALL_PROXY": "http://p:1", "HTTP_PROXY": "http://p:2"}, "http://p:2"),
        ("http://localhost:11434/v1", {"ALL_PROXY": "http://p:1"}, None),
        ("http://127.0.0.1/v1", {"ALL_PROXY": "http://p:1"}, None),
        ("http://[::1]:8000/v1", {"ALL_PROXY": "http://p:1"}, None),
        ("http://10.0.0.1/v1", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
    ],
)
def test_the_proxy_of_the_environment(url: str, env: Mapping[str, str], proxy: str | None) -> None:
    assert proxy_of(url, env) == proxy


@pytest.mark.parametrize(
    ("exempt", "host", "is_exempt"),
    [
        ("*", "h", True),
        ("", "h", False),
        (" a.example ,h.example", "h.example", True),
        ("a.example h.example", "h.example", True),
        ("example", "h.example", True),
        (".example", "h.example", True),
        (".example", "example", True),
        ("*.example", "h.example", True),
        ("EXAMPLE", "H.Example", True),
        ("ample", "h.example", False),
        ("h.example", "other.example", False),
        ("h.example:8000", "h.example:8000", True),
        ("h.example:8000", "h.example", False),
        ("h.example:8000", "h.example:8001", False),
        ("h.example", "h.example:8001", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3:8000", True),
        ("10.1.2.3:8000", "10.1.2.3:8000", True),
        ("10.1.2.3:8000", "10.1.2.3", False),
        ("10.0.0.0/8", "ten.example", False),
        ("fd00::/8", "[fd00::1]", True),
        ("fd00::1", "[fd00::1]:8000", True),
        ("[fd00::1]:8000", "[fd00::1]:8000", True),
        ("[fd00::1]:8000", "[fd00::1]", False),
        ("fd00::/8", "10.1.2.3", False),
        ("local", "10.1.2.3", False),
    ],
)
def test_hosts_without_a_proxy(exempt: str, host: str, is_exempt: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        found = proxy_of(f"http://{host}/v1", {"HTTP_PROXY": PROXY, name: exempt})
        assert found == (None if is_exempt else PROXY)


def test_a_backend_has_the_proxy_of_the_environment_unless_its_table_says_otherwise(tmp_path: Path) -> None:
    url = 'base_url = "https://models.example/v1"\n'
    env = {"HTTPS_PROXY": PROXY, "OPENAI_API_KEY": "k", "OLLAMA_HOST": "https://ollama.example"}
    assert house(tmp_path, url, env).proxy == Secret(PROXY)
    assert house(tmp_path, url + 'proxy = "http://other:1"', env).proxy == Secret("http://other:1")
    assert house(tmp_path, url + 'proxy = "none"', env).proxy is None
    assert house(tmp_path, url + 'unix_socket = "a.sock"', env).proxy is None
    models = load(tmp_path, "", env).models
    assert {name: backend.proxy for name, backend in models.items()} == {
        "openai": Secret(PROXY),
        "ollama": Secret(PROXY),
    }
    models = load(tmp_path, "", env | {"NO_PROXY": "openai.com,ollama.example"}).models
    assert [backend.proxy for backend in models.values()] == [None, None]


def test_tools_have_a_proxy_too(tmp_path: Path) -> None:
    toml = """
    [tools.web_search]
    provider = "brave"
    api_key = "k"
    [tools.mcp.near]
    url = "https://mcp.near.example"
    [tools.mcp.far]
    url = "https://mcp.far.example"
    proxy = "http://user:canary@p:1"
    [tools.mcp.notes]
    command = "notes"
    """
    tools = load(tmp_path, toml, {"HTTPS_PROXY": PROXY, "NO_PROXY": "near.example"}).tools
    assert tools.web_search.proxy == Secret(PROXY)
    assert {name: server.proxy for name, server in tools.mcp.servers.items()} == {
        "near": None,
        "far": Secret("http://user:canary@p:1"),
        "notes": None,
    }
    assert "canary" not in repr(tools)
    exempt = {"HTTPS_PROXY": PROXY, "NO_PROXY": "search.brave.com"}
    assert load(tmp_path, toml, exempt).tools.web_search.proxy is None


def test_files_and_headers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue("client")
    backend = house(
        tmp_path,
        """
        base_url = "https://models.example/v1"
        api_key = "k"
        ca_file = "authority.pem"
        client_cert = "client.crt"
        client_key = "client.key"
        http2 = true
        headers = {"X-Team" = "canary"}
        """,
    )
    assert backend.ca_file == str(tmp_path / "authority.pem")
    assert backend.client_cert == str(tmp_path / "client.crt")
    assert backend.client_key == str(tmp_path / "client.key")
    assert (backend.http2, backend.verify) == (True, True)
    assert backend.headers == {"X-Team": Secret("canary")}
    assert "canary" not in repr(backend)


def test_a_certificate_that_is_not_verified_is_noticed(tmp_path: Path) -> None:
    settings = load(tmp_path, '[models.a]\nbase_url = "https://a.example/v1"\nverify = false\n')
    assert settings.notices == (
        "a (antiphon.toml): its certificate is not verified; set ca_file instead of verify",
    )


def test_a_backend_at_a_unix_socket_is_not_this_server(tmp_path: Path) -> None:
    toml = '[models.a]\nbase_url = "http://127.0.0.1:8321/v1"\nunix_socket = "~/model.sock"\n'
    assert load(tmp_path, toml).models["a"].unix_socket == str(tmp_path / "home/model.sock")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("proxy = 'proxy'", "proxy: not the URL of a proxy; use http://[USER:PASSWORD@]HOST:PORT"),
        ("proxy = 'http://p:99999'", "proxy: not the URL of a proxy; use http://[USER:PASSWORD@]HOST:PORT"),
        (
            "proxy = 'http://canary@p:0'",
            "proxy: not the URL of a proxy; use http://[USER:PASSWORD@]HOST:PORT",
        ),
        ("proxy = 'http://p:1/path'", "proxy: not the URL of a proxy; use http://[USER:PASSWORD@]HOST:PORT"),
        ("proxy = 'socks5://p:1'", "proxy: SOCKS proxies are not supported; use an HTTP proxy, or `none`"),
        (
            "proxy = 'http://p:1'\nunix_socket = 'a'",
            "proxy and unix_socket contradict each other; remove one of them",
        ),
        ("ca_file = 'none.pem'", "ca_file: cannot be read: No such file or directory"),
        ("client_cert = 'none.pem'", "client_cert: cannot be read: No such file or directory"),
        ("ca_file = 'antiphon.toml'", "ca_file: expected PEM with certificates; use another file"),
        (
            "client_cert = 'authority.pem'",
            "client_cert: expected PEM with a certificate and its key without a password; use another file",
        ),
        (
            "client_cert = 'client.crt'\nclient_key = 'client.key'",
            "client_cert: expected PEM with a certificate and its key without a password; use another file",
        ),
        ("client_key = 'client.key'", "client_key has no effect without client_cert; set client_cert"),
        (
            "ca_file = 'authority.pem'\nverify = false",
            "ca_file has no effect without verify; remove one of them",
        ),
        ("headers = {'X Y' = 'canary'}", "headers: 'X Y' is not the name of a header; correct it"),
        ("headers = {Host = 'canary'}", "headers: the server sets Host itself; remove it"),
        ("headers = {Content-Length = '1'}", "headers: the server sets Content-Length itself; remove it"),
        (
            "headers = {transfer-encoding = 'x'}",
            "headers: the server sets transfer-encoding itself; remove it",
        ),
        (
            "headers = {x-antiphon-instance = 'x'}",
            "headers: the server sets x-antiphon-instance itself; remove it",
        ),
        (
            "headers = {authorization = 'canary'}\napi_key = 'k'",
            "both api_key and the header authorization are present; set only one",
        ),
        ('headers = {X = "canary\\r\\nA: b"}', "headers: the value of X is not printable ASCII; correct it"),
        ("headers = {X = 1}", "headers: expected text"),
    ],
)
def test_what_is_refused(tmp_path: Path, lines: str, message: str) -> None:
    authority = Authority(tmp_path)
    authority.issue("client", password=b"secret")
    with pytest.raises(ConfigError) as caught:
        house(tmp_path, f'base_url = "https://models.example/v1"\n{lines}')
    assert str(caught.value).startswith(f"{tmp_path / 'antiphon.toml'}: [models.house]: {message}")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("name", ["ca_file", "client_cert"])
def test_certificates_need_tls(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} needs TLS; use https:// in base_url"):
        house(tmp_path, f'base_url = "http://models.example/v1"\n{name} = "a.pem"')


def test_http2_through_a_proxy_needs_tls(tmp_path: Path) -> None:
    lines = 'base_url = "http://models.example/v1"\nhttp2 = true'
    assert house(tmp_path, lines).http2
    with pytest.raises(ConfigError, match="http2 through a proxy needs TLS; use https:// in base_url"):
        house(tmp_path, lines, {"HTTP_PROXY": PROXY})


def test_a_wrong_proxy_of_the_environment_is_named(tmp_path: Path) -> None:
    for value, problem in (("socks5://p:1", "SOCKS"), ("http://canary@", "not the URL of a proxy")):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, "", {"OPENAI_API_KEY": "k", "all_proxy": value})
        assert str(caught.value).startswith(f"all_proxy: {problem}")
        assert "canary" not in str(caught.value)


def test_the_settings_are_shown_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = """
    [models.house]
    base_url = "https://models.example/v1"
    proxy = "http://user:canary@p:1"
    headers = {"X-Team" = "canary"}
    """
    (tmp_path / "antiphon.toml").write_text(toml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    shown = CliRunner().invoke(antiphon, ["config"], catch_exceptions=False).output
    assert 'proxy = "***"' in shown
    assert 'headers = {"X-Team" = "***"}' in shown
    assert "canary" not in shown
