"""Command line: choice of the command, imports, error messages."""

import errno
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from antiphon.build import version_text
from antiphon.cli import main
from antiphon.errors import ConfigError, StoreUnavailable
from antiphon.settings.schema import Settings
from tests.cli.conftest import Run


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, bool]]:
    """Replace the server by a function that only notes its arguments."""
    calls: list[tuple[Settings, bool]] = []

    def serve(settings: Settings, *, print_url: bool) -> None:
        calls.append((settings, print_url))

    _put_server(monkeypatch, serve)
    return calls


def _put_server(monkeypatch: pytest.MonkeyPatch, serve: Callable[..., None]) -> None:
    server = ModuleType("antiphon.serving.serve")
    vars(server)["run"] = serve
    monkeypatch.setitem(sys.modules, "antiphon.serving.serve", server)


def test_without_a_command_it_serves(run: Run, served: list[tuple[Settings, bool]]) -> None:
    assert run() == (0, "", "")
    assert run("--port", "0", "--print-url") == (0, "", "")
    assert run("serve", "--port", "0", "--no-discover") == (0, "", "")
    ports = [(settings.port, settings.discover, print_url) for settings, print_url in served]
    assert ports == [(8321, True, False), (0, True, True), (0, False, False)]


def test_flags_win_over_variables_and_these_over_the_file(
    run: Run, served: list[tuple[Settings, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("antiphon.toml").write_text('port = 1111\nhost = "127.0.0.2"\nlog_level = "error"\n')
    monkeypatch.setenv("ANTIPHON_PORT", "2222")
    monkeypatch.setenv("ANTIPHON_HOST", "127.0.0.3")
    assert run("--port", "3333")[0] == 0
    settings, _ = served[0]
    assert (settings.port, settings.host, settings.log_level) == (3333, "127.0.0.3", "error")


def test_config_prints_the_settings_as_toml_and_keeps_keys_secret(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    code, out, err = run("config", "--port", "9000", "--database", "postgresql://me:hidden@db/antiphon")
    assert (code, err) == (0, "")
    printed = tomllib.loads(out)
    assert printed["port"] == 9000
    assert printed["database"] == "postgresql://me:***@db/antiphon"
    assert printed["models"]["openai"]["base_url"] == "https://api.openai.com/v1"
    assert printed["models"]["openai"]["api_key"] == "***"
    assert "port = 9000  # --port" in out
    assert 'host = "127.0.0.1"  # default' in out
    assert "secret" not in out
    assert "hidden" not in out


def test_config_names_the_files_that_it_reads(run: Run, tmp_path: Path) -> None:
    user = tmp_path / ".config" / "antiphon" / "config.toml"
    assert run("config")[1].splitlines()[:2] == [
        f"# not found: {user}",
        f"# not found: {tmp_path / 'antiphon.toml'}",
    ]
    (tmp_path / "antiphon.toml").write_text("port = 9000\n")
    assert run("config")[1].splitlines()[1] == f"# read {tmp_path / 'antiphon.toml'}"


def test_config_prints_the_tables_of_tools(run: Run) -> None:
    Path("antiphon.toml").write_text(
        '[tools]\ntimeout = 5\n[tools.mcp.wiki]\nurl = "http://h/?key=canary"\n'
        'headers = {"X-Key" = "canary"}\n'
    )
    code, out, err = run("config", "--allow-host", "a.test", "--allow-host", "10.0.0.0/8")
    assert (code, err) == (0, "")
    assert "canary" not in out
    printed = tomllib.loads(out)
    assert printed["security"]["allow_hosts"] == ["a.test", "10.0.0.0/8"]
    assert (printed["tools"]["timeout"], printed["tools"]["web_search"]["timeout"]) == (5, 5)
    assert printed["tools"]["mcp"]["wiki"]["headers"] == {"X-Key": "***"}
    assert printed["tools"]["file_search"]["max_file_bytes"] == 512 * 1024 * 1024


def test_config_tells_notices_on_standard_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PROT", "1")
    _, out, err = run("config")
    assert err.startswith("antiphon: ANTIPHON_PROT")
    assert "PROT" not in out


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"antiphon {version_text()}\n", "")


@pytest.mark.parametrize("group", ["keys", "recordings"])
def test_a_group_without_a_command_prints_its_help(run: Run, group: str) -> None:
    asked = run(group, "--help")
    assert run(group) == asked
    assert run(group, "-h") == asked
    code, out, err = asked
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: antiphon {group} ")
    assert out.count("\n") > 10


def test_help_has_a_short_flag(run: Run) -> None:
    assert run("-h") == run("--help")
    assert run("serve", "-h") == run("serve", "--help")


def test_help_leads_with_examples(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert out.index("Examples:") < out.index("Options:") < out.index("Commands:")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--prot", "1"], "--prot: no such option; did you mean --port? See antiphon serve --help"),
        (
            ["--no-discovr"],
            "--no-discovr: no such option; did you mean --no-discover? See antiphon serve --help",
        ),
        (["--config", "x"], "--config: no such option; see antiphon serve --help"),
        (["serv"], "serv: no such command; did you mean serve? See antiphon --help"),
        (
            ["keys", "mint"],
            "mint: no such command; use one of create, list, revoke, or see antiphon keys --help",
        ),
        (["serve", "extra"], "got unexpected extra argument (extra); see antiphon serve --help"),
        (["keys", "revoke"], "missing argument 'NAME'; see antiphon keys revoke --help"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(run: Run, arguments: list[str], line: str) -> None:
    assert run(*arguments) == (2, "", f"antiphon: {line}\n")


def test_a_wrong_file_is_one_line_that_names_it(run: Run) -> None:
    Path("antiphon.toml").write_text("prot = 1\n")
    code, _, err = run("config")
    assert (code, err.count("\n")) == (2, 1)
    assert "antiphon.toml" in err
    assert "did you mean port" in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConfigError("replay: no such folder: recordings"), 2, "replay: no such folder: recordings"),
        (StoreUnavailable("state.db is not a database"), 1, "state.db is not a database"),
        (OSError(errno.EADDRINUSE, "address already in use"), 1, "choose a port with --port"),
        (PermissionError(13, "Permission denied", "state.db"), 1, "state.db"),
    ],
)
def test_a_failed_start_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, words: str
) -> None:
    def fail(_: Settings, *, print_url: bool) -> None:
        raise error

    _put_server(monkeypatch, fail)
    got, out, err = run("serve")
    assert (got, out, err.count("\n")) == (code, "", 1)
    assert err.startswith("antiphon: ")
    assert words in err


def test_debug_lets_the_error_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(_: Settings, *, print_url: bool) -> None:
        raise StoreUnavailable("state.db is not a database")

    _put_server(monkeypatch, fail)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["antiphon", "--debug"])
    with pytest.raises(StoreUnavailable):
        main()


@pytest.mark.parametrize(("flags", "traceback"), [([], False), (["--debug"], True)])
def test_an_unexpected_error_is_one_line_too(tmp_path: Path, flags: list[str], traceback: bool) -> None:
    program = (
        "import sys, types; server = types.ModuleType('antiphon.serving.serve'); sys.argv[0] = 'antiphon'\n"
        "def run(settings, *, print_url): raise KeyError('a\\nb')\n"
        "server.run = run; sys.modules['antiphon.serving.serve'] = server\n"
        "from antiphon.cli import main; main()\n"
    )
    command = [sys.executable, "-c", program, "serve", *flags]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert ("Traceback" in done.stderr) is traceback
    if not traceback:
        assert done.stderr.startswith("antiphon: unexpected KeyError: ")
        assert done.stderr.count("\n") == 1


def test_an_interrupt_before_the_server_listens_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Settings, *, print_url: bool) -> None:
        raise KeyboardInterrupt

    _put_server(monkeypatch, interrupted)
    code, out, err = run("serve")
    assert (code, out, err.strip()) == (130, "", "antiphon: interrupted")


@pytest.mark.parametrize("module", ["antiphon", "antiphon.cli"])
def test_what_a_command_does_not_use_is_not_imported(module: str) -> None:
    heavy = ("httpx2", "sqlalchemy", "starlette", "uvicorn", "asyncio", "antiphon.settings.load", "openai")
    program = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
