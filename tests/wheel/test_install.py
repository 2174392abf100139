"""The ways to install and start the program, from a local index, with every supported interpreter."""

import json
import subprocess
import urllib.request
from collections.abc import Mapping
from os import environ
from pathlib import Path

import pytest

from antiphon import __version__
from scripts import install_size
from tests.wheel.conftest import TOOLS, only, run

pytestmark = pytest.mark.timeout(600)

_IMPORT_ALL = """
import importlib, pkgutil, antiphon
for module in pkgutil.walk_packages(antiphon.__path__, "antiphon."):
    if module.name not in ("antiphon.__main__", "antiphon.pytest_plugin"):
        importlib.import_module(module.name)
"""


def ask(command: list[str], env: Mapping[str, str]) -> str:
    """Start the server with a command, and return the text of the sample model's response."""
    command = [*command, "--port", "0", "--print-url"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ | env) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:"), url
            body = json.dumps({"model": "antiphon/sample", "input": "Say hello"}).encode()
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(f"{url}/responses", body, headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(json.load(answer)["output"][-1]["content"][0]["text"])
        finally:
            server.terminate()


@pytest.fixture
def installed(python: Path, index: Path, tmp_path: Path) -> Path:
    """Return the `bin` folder of an environment with a plain installation."""
    run([str(python), "-m", "venv", str(tmp_path / "venv")])
    folder = tmp_path / "venv" / "bin"
    run([str(folder / "python"), "-m", "pip", "install", "antiphon"], only(index, tmp_path))
    return folder


def test_pip_install_gives_a_server(installed: Path, index: Path, tmp_path: Path) -> None:
    assert run([str(installed / "antiphon"), "--version"]).stdout == f"antiphon {__version__}\n"
    assert "hello" in ask([str(installed / "antiphon")], only(index, tmp_path)).lower()
    run([str(installed / "python"), "-W", "error", "-c", _IMPORT_ALL])

    packages = install_size.measure(str(installed / "python"))
    assert install_size.problems(packages, install_size.dependencies()) == []

    run([str(installed / "python"), "-m", "pip", "install", "antiphon[postgres]"], only(index, tmp_path))
    run([str(installed / "python"), "-c", "import psycopg"])


def test_uvx_starts_the_server(python: Path, index: Path, tmp_path: Path) -> None:
    uvx = [str(TOOLS / "uvx"), "--python", str(python), "antiphon"]
    assert run([*uvx, "--version"], only(index, tmp_path)).stdout == f"antiphon {__version__}\n"
    assert "hello" in ask(uvx, only(index, tmp_path)).lower()


def test_pipx_run_starts_the_server(python: Path, index: Path, tmp_path: Path) -> None:
    pipx = [str(TOOLS / "pipx"), "run", "--python", str(python), "antiphon"]
    assert run([*pipx, "--version"], only(index, tmp_path)).stdout == f"antiphon {__version__}\n"
    assert "hello" in ask(pipx, only(index, tmp_path)).lower()
