"""Examples of the documentation: requests and programs are run, commands and files are parsed."""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from antiphon.cli import antiphon
from antiphon.settings.load import load_settings
from antiphon.tools.web_search.providers import SEARCH_PROVIDERS
from tests.support.certificates import Authority
from tests.support.programs import Programs
from tests.support.schemas import check_openai, check_response

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTED_URL = "http://127.0.0.1:8321/v1"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TUTORIAL = "docs/first_agent.md"
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "AGENTS.md",
    "CHANGELOG.md",
    "VERSIONING.md",
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    *(page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").rglob("*.md"))),
]


def examples(language: str) -> list[tuple[str, str]]:
    """Return the fenced examples in a language, each with its page."""
    found = []
    for page in PAGES:
        for match in FENCE.finditer((ROOT / page).read_text(encoding="utf-8")):
            if match[1] == language:
                found.append((page, match[2]))
    return found


def commands() -> list[tuple[str, list[str]]]:
    """Return the shell commands of all pages, split into words."""
    lines = [
        (page, line)
        for page, text in examples("bash")
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip()
    ]
    return [(page, shlex.split(line, comments=True)) for page, line in lines]


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server without backends, with the checks of docs/moderation.md, on a free port."""
    home = tmp_path_factory.mktemp("home")
    (checks,) = [text for page, text in examples("toml") if page == "docs/moderation.md"]
    (home / "antiphon.toml").write_text(checks)
    env = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = [sys.executable, "-m", "antiphon", "serve", "--port", "0", "--print-url", "--no-discover"]
    command.append("--resumable-streams")
    with subprocess.Popen(command, cwd=home, env=env, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def programs(base_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("programs"), base_url) as programs:
        yield programs


@pytest.mark.parametrize(
    ("page", "program"),
    # Examples that begin with a file name belong to a session (test_docs_console.py) or to the server
    # (tools/test_registry.py); those that begin with an installation need other packages (real_clients/).
    # test_docs_agent.py runs those of the tutorial.
    [
        (page, program)
        for page, program in examples("python")
        if page != TUTORIAL and not program.startswith(("# tests/", "# src/", "# pip install "))
    ],
)
def test_python_examples_run(base_url: str, programs: Programs, page: str, program: str) -> None:
    assert DOCUMENTED_URL in program
    done = programs.run(program.replace(DOCUMENTED_URL, base_url))
    assert done.stderr == "", page
    assert done.returncode == 0
    assert done.stdout.strip()


@pytest.mark.parametrize(("page", "words"), [each for each in commands() if each[1][0] == "curl"])
def test_curl_examples_are_answered(base_url: str, page: str, words: list[str]) -> None:
    request = curl([word.replace(DOCUMENTED_URL, base_url) for word in words])
    assert request.full_url.startswith(base_url), page
    with urllib.request.urlopen(request, timeout=30) as answer:
        body = json.load(answer)
    if page == "docs/messages.md":
        assert (body["type"], body["stop_reason"]) == ("message", "end_turn")
        assert body["content"][0]["text"]
        return
    if body["object"] == "response.compaction":
        check_openai("CompactResource", body)
        assert body["output"][-1]["type"] == "compaction"
        return
    check_response(body)
    assert body["status"] == "completed"
    assert body["output"][-1]["content"][0]["text"]


def curl(words: list[str]) -> urllib.request.Request:
    """Return the request that a curl command makes, so that the test needs no curl."""
    url, headers, data, rest = "", {}, None, iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            data = next(rest).encode()
        else:
            assert word.startswith("http"), f"teach this test the flag {word}"
            url = word
    return urllib.request.Request(url, data=data, headers=headers)


@pytest.mark.parametrize(("page", "words"), [each for each in commands() if each[1][0] != "curl"])
def test_commands_exist(page: str, words: list[str]) -> None:
    program, *arguments = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets), page
        return
    if program in ("pip", "uvx", "pipx", "uv"):
        # tests/wheel runs the installations.
        assert {*arguments} <= {"install", "run", "antiphon", "openai"}, page
        return
    assert program == "antiphon", page
    command: click.Command = antiphon
    name = program
    while isinstance(command, click.Group) and arguments:
        name, *arguments = arguments
        command = command.commands[name]
    assert isinstance(command.make_context(name, arguments), click.Context)


@pytest.mark.parametrize(("page", "text"), examples("toml"))
def test_configuration_examples_load(tmp_path: Path, page: str, text: str) -> None:
    (tmp_path / "antiphon.toml").write_text(text)
    Authority(tmp_path, "company-ca").issue("antiphon")
    keys = dict.fromkeys(re.findall(r'\w+_env = "(\w+)"', text), "secret")
    settings = load_settings({}, {"HOME": str(tmp_path), **keys}, tmp_path, SEARCH_PROVIDERS)
    assert len(settings.models) == text.count("[models."), page
    assert all(backend.api_key for backend in settings.models.values()) or not keys


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


@pytest.mark.parametrize(("page", "text"), examples("json"))
def test_json_examples_are_json(page: str, text: str) -> None:
    assert json.loads(text), page
