"""The command `antiphon doctor`, also in a terminal."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.wire.json import JSONObject
from tests.doctor.stub import Stub

pytestmark = pytest.mark.slow

_SETTINGS = """\
discover = false
port = 0
database = "{folder}/state.db"

[models.up]
base_url = "{base_url}"
kind = "openai"
api_key = "sk-hidden-0123456789"

[tools.web_search]
provider = "searxng"
base_url = "{search}"
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


@pytest.fixture
def stub(running: Stub, tmp_path: Path) -> Stub:
    running.forget()
    running.faults = set()
    text = _SETTINGS.format(folder=tmp_path, base_url=running.base_url, search="http://127.0.0.1:9")
    (tmp_path / "antiphon.toml").write_text(text)
    return running


def environment(folder: Path, **variables: str) -> dict[str, str]:
    path = os.pathsep.join(sys.path)
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": path, **variables}


def doctor(folder: Path, *flags: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "antiphon", "doctor", "--timeout", "10", *flags]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60
    )


def section(report: JSONObject, area: str) -> JSONObject:
    (found,) = [each for each in report["sections"] if each["area"] == area]
    return {finding["check"]: finding for finding in found["findings"]}


def test_findings_as_json_and_an_error_as_exit_code(stub: Stub, tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "error"
    assert section(report, "backend")["tools"]["status"] == "ok"
    assert section(report, "search")["search"]["status"] == "error"
    assert report["settings"]["port"] == {"value": 0, "origin": str(tmp_path / "antiphon.toml")}
    assert "sk-hidden" not in done.stdout + done.stderr
    assert not (tmp_path / "state.db").exists()


def test_a_degraded_ability_is_no_error(stub: Stub, tmp_path: Path) -> None:
    stub.faults = {"one call", "no schema"}
    file = tmp_path / "antiphon.toml"
    file.write_text(file.read_text().partition("[tools.web_search]")[0])
    done = doctor(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "degraded  parallel calls: the model calls functions one after another" in lines
    assert lines[-1].startswith("0 errors, ")
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("no_color", ["", "1"])
def test_in_a_terminal_it_has_colors_unless_the_user_wants_none(
    stub: Stub, tmp_path: Path, no_color: str
) -> None:
    stub.faults = {"wrong key"}
    master, terminal = pty.openpty()
    variables = environment(tmp_path, TERM="xterm", NO_COLOR=no_color)
    command = [sys.executable, "-m", "antiphon", "doctor", "--timeout", "10"]
    process = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while select.select([master], [], [], 60)[0]:
            try:
                data = os.read(master, 4096)
            except OSError:  # Linux reports the end of the terminal as an error.
                break
            if not data:
                break
            shown += data
    finally:
        os.close(master)
        process.kill() if process.poll() is None and b"errors" not in shown else process.wait(timeout=30)
    text = shown.decode()
    assert ("\x1b[31m" in text) == (not no_color)
    assert "reachable: up: Incorrect API key provided." in text
    assert "Check the API key: api_key_env of [models.up]" in text
    assert process.returncode == 1
