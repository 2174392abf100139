"""`antiphon serve` as a process: its output, failures at startup, and shutdown."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.support.schemas import check_openai


def listening(process: "subprocess.Popen[str]") -> str:
    """Return the first line of standard output, once the server at that URL answers."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert models(line.strip())
    return line


def models(base_url: str) -> list[str]:
    with urllib.request.urlopen(f"{base_url}/models", timeout=30) as answer:
        body = json.load(answer)
    check_openai("ListModelsResponse", body)
    return [model["id"] for model in body["data"]]


def test_print_url_prints_the_url_and_nothing_else(start: Start) -> None:
    server = start("--port", "0", "--print-url")
    line = listening(server)
    assert line.startswith("http://127.0.0.1:")
    assert line.endswith("/v1\n")
    assert models(line.strip()) == ["antiphon/sample"]
    server.send_signal(signal.SIGINT)
    out, _ = server.communicate(timeout=30)
    assert out == ""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_D2_a_stopped_server_ends_well(start: Start, stop: signal.Signals) -> None:
    server = start("--port", "0", "--print-url")
    listening(server)
    server.send_signal(stop)
    _, err = server.communicate(timeout=30)
    assert "Traceback" not in err
    assert server.returncode == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_open_page_does_not_delay_the_end(start: Start, workers: str) -> None:
    server = start("--port", "0", "--print-url", "--workers", workers)
    url = listening(server).strip().removesuffix("/v1")
    with urllib.request.urlopen(f"{url}/viewer/live/responses", timeout=30) as stream:
        assert stream.readline() == b"retry: 2000\n"
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=30)
    # After the grace of five seconds, it would be cancelled, with an error in the log.
    assert "Cancel" not in err
    assert server.returncode == 0


def test_a_start_loads_nothing_for_tools_documents_and_other_databases(tmp_path: Path) -> None:
    heavy = {"mcp", "mcp_types", "pydantic", "httpx2", "ddgs", "lxml", "pypdf", "llguidance", "psycopg"}
    heavy |= {"openai", "sqlalchemy.dialects.postgresql"}
    command = [sys.executable, "-X", "importtime", "-m", "antiphon", "serve"]
    flags = ["--no-discover", "--port", "0", "--print-url"]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with (tmp_path / "imports").open("w+") as imports:  # Too much for the buffer of a pipe.
        with subprocess.Popen(
            [*command, *flags], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=imports, text=True
        ) as server:
            listening(server)
            server.terminate()
        imports.seek(0)
        loaded = {line.rpartition("|")[2].strip() for line in imports if line.startswith("import time:")}
    assert {"antiphon.serving.serve", "sqlalchemy"} <= loaded
    assert loaded & heavy == set()


def test_the_startup_message_has_at_most_eight_lines(start: Start) -> None:
    server = start("--port", "0")
    assert server.stderr is not None
    lines = [server.stderr.readline()]
    while not lines[-1].startswith("export OPENAI_BASE_URL="):
        lines.append(server.stderr.readline())
        assert lines[-1], f"it ended: {lines}"
    assert lines[0].startswith("Antiphon ")
    assert len(lines) <= 8
    assert models(lines[-1].partition("=")[2].strip()) == ["antiphon/sample"]


def failure(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit code and the one-line error of a server that failed to start."""
    out, err = process.communicate(timeout=30)
    assert out == ""
    assert err.startswith("antiphon: "), err
    assert err.count("\n") == 1, err
    return process.returncode, err


def test_a_port_in_use(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = failure(start("--port", str(port)))
    assert code == 1
    assert str(port) in line
    assert "--port" in line


def test_a_replay_folder_that_is_not_there(start: Start) -> None:
    code, line = failure(start("--port", "0", "--replay", "no/such/folder"))
    assert code == 2
    assert "no/such/folder" in line


def test_a_folder_for_recordings_that_cannot_be(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, line = failure(start("--port", "0", "--record", "file/recordings"))
    assert code == 2
    assert "file/recordings: cannot create the folder" in line


def test_a_host_that_is_none(start: Start) -> None:
    code, line = failure(start("--port", "0", "--host", "no host"))
    assert code == 1
    assert line.startswith("antiphon: cannot listen on no host:0: ")


def test_a_database_that_is_none(start: Start, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("These are notes, and no database. " * 100)
    code, line = failure(start("--port", "0", "--database", "notes.txt"))
    assert code in (1, 2)
    assert "notes.txt" in line


def test_a_database_in_a_place_that_cannot_be(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, line = failure(start("--port", "0", "--database", "file/antiphon.db"))
    assert code in (1, 2)
    assert str(tmp_path / "file") in line
