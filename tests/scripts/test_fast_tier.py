"""`make test-fast` uses no server and no database, and its plugin finds a test that does."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parents[2]

TESTS = """
    import socket
    import subprocess
    import sys

    import pytest

    @pytest.fixture
    def listener():
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            yield listening

    def test_a_fixture_that_listens(listener): ...

    def test_a_connection():
        socket.create_connection(("127.0.0.1", 9))

    def test_a_program():
        subprocess.run([sys.executable, "-c", ""], check=True)

    def test_a_pair_of_sockets():
        for each in socket.socketpair():
            each.close()

    def test_a_reader_of_pdf_files():
        command = [sys.executable, "-c", "", "antiphon.documents.pdf"]
        assert subprocess.run(command).returncode == 0
"""


def test_a_test_that_needs_a_server_is_found(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(dedent(TESTS))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-q", "-p", "tests.support.no_servers", "-p", "no:antiphon", "-p", "no:schemathesis"]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert re.findall(r"^(?:FAILED|ERROR) .*::(\w+)", run.stdout, re.MULTILINE) == [
        "test_a_connection",
        "test_a_program",
        "test_a_fixture_that_listens",
    ], run.stdout
    assert "test_a_connection connects a socket; `make test-fast` runs tests without servers" in run.stdout
    assert "2 passed" in run.stdout


@pytest.mark.parametrize(
    "option", ["-p tests.support.no_servers", "-m 'not slow and not shared and not sandbox'"]
)
def test_the_fast_tests_are_watched(option: str) -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\ntest-fast:")[2].partition("\n\n")[0]
    assert option in recipe


def test_the_fast_tests_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (names,) = re.findall(r"^FAST := \$\(addprefix tests/,(.*)\)$", makefile, re.MULTILINE)
    assert [name for name in names.split() if not (ROOT / "tests" / name).exists()] == []
