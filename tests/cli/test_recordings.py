"""`antiphon recordings`, as an operator uses it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import Raw

from antiphon.cli import antiphon
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.files import scope_file
from antiphon.recording.files.llama_stack_writer import write
from antiphon.wire.json import JSON
from tests.recording.samples import chat_request, recordings

Run = Callable[..., tuple[int, str]]
SCOPE = "tests/test_small.py::test_hello"
SECRET = "ghp_" + "a1B2" * 9


def call(question: str = "Hello", answer: str = "Hi there", **rest: JSON) -> RecordedCall:
    choice = {"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}
    parts = (Raw(json.dumps({"id": "a", "choices": [choice]}).encode()),)
    return RecordedCall(
        **{"kind": "chat", "request": chat_request(question), "scope": SCOPE, "parts": parts, **rest}
    )


@pytest.fixture
def run() -> Run:
    """Run a command in this process; return its exit code and its output on both streams."""

    def invoke(*arguments: str | Path, text: str | None = None) -> tuple[int, str]:
        done = CliRunner().invoke(antiphon, ["recordings", *map(str, arguments)], input=text)
        return done.exit_code, done.output

    return invoke


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Create one file in our format with two calls, and one in llama-stack's."""
    path = tmp_path / "recordings"
    scope_file.write(path / "own.json", SCOPE, [call("One"), call("Two")])
    write(path, call("Three"))
    return path


def test_the_group_explains_itself(run: Run) -> None:
    code, output = run("--help")
    assert code == 0
    for name in ("check", "explain", "export", "import", "list", "prune", "scan", "show"):
        assert f"\n  {name} " in output
    assert "..." not in output.partition("Commands:")[2]


def test_list_has_a_line_for_each_call(run: Run, directory: Path) -> None:
    code, output = run("list", directory)
    assert code == 0
    own_one, own_two = (line for line in output.splitlines() if line.startswith("own.json"))
    assert '"One"' in own_one
    assert own_two.startswith(f"own.json#2  {SCOPE}  chat  small  ")
    assert len(output.splitlines()) == 3


def test_show_prints_what_was_said(run: Run, directory: Path) -> None:
    code, output = run("show", directory)
    assert code == 0
    assert output.count("→ assistant: Hi there") == 3


@pytest.mark.parametrize(
    ("name", "questions"),
    [("own.json#2", ["Two"]), ("own.json", ["One", "Two"]), (SCOPE, ["One", "Two", "Three"])],
)
def test_show_takes_calls_files_and_scopes(
    run: Run, directory: Path, name: str, questions: list[str]
) -> None:
    _, output = run("show", directory, name)
    assert [each for each in ("One", "Two", "Three") if f"user: {each}" in output] == questions


def test_show_of_an_unknown_name_is_an_error(run: Run, directory: Path) -> None:
    code, output = run("show", directory, "own.json", "else.json")
    assert code == 2
    assert output.count("else.json") == 1


def test_unreadable_files_are_reported(run: Run, directory: Path) -> None:
    (directory / "broken.json").write_text("{\x1b")
    for command in (["list"], ["show"], ["scan"]):
        code, output = run(*command, directory)
        assert code == 0
        assert "antiphon: unreadable: broken.json: " in output


def test_explain_names_the_call_that_answers(run: Run, directory: Path, tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(json.dumps(chat_request("Two")))
    assert run("explain", request, "--in", directory, "--scope", SCOPE) == (0, "hit exact own.json#2\n")


def test_explain_takes_the_name_that_the_server_has_for_a_model(run: Run, directory: Path) -> None:
    request = json.dumps({**chat_request("Two"), "model": "openai/small"})
    assert run("explain", "-", "--in", directory, "--scope", SCOPE, text=request) == (
        0,
        "hit exact own.json#2\n",
    )
    code, output = run("explain", "-", "--in", directory, text='{"messages": []}')
    assert (code, "model: requested nothing" in output) == (1, True)


def test_explain_shows_where_the_nearest_differs(run: Run, directory: Path) -> None:
    code, output = run("explain", "-", "--in", directory, text=json.dumps(chat_request("Twos")))
    assert code == 1
    assert "No recording answers this call to small." in output
    assert 'messages[0].content: requested "Twos", recorded "Two"' in output


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 5000])
def test_explain_wants_a_request(run: Run, directory: Path, text: str) -> None:
    code, output = run("explain", "-", "--in", directory, text=text)
    assert code == 2
    assert "not a chat request" in output


def test_a_good_collection_passes_the_check(run: Run, directory: Path) -> None:
    assert run("check", directory) == (0, "")


def test_check_finds_what_is_wrong(run: Run, directory: Path, tmp_path: Path) -> None:
    (directory / "broken.json").write_text("{")
    write(directory, call("Four")).rename(directory / "0123.json")
    (tmp_path / "hits.jsonl").write_text('{"file": "own.json", "call": 1}\n{"file": "0123.json"}\n')
    code, output = run("check", directory, "--hits", tmp_path / "hits.jsonl", "--max-bytes", "10")
    assert code == 1
    kinds = [line.partition(":")[0] for line in output.splitlines()]
    assert kinds == ["unreadable", "stale", "unused", "unused", "oversize", "oversize", "oversize"]


def test_alternatives_are_reported_and_are_not_an_error(run: Run, directory: Path) -> None:
    write(directory, call(answer="Yes", request={**chat_request("Three"), "user": "someone"}))
    code, output = run("check", directory)
    assert (code, output.partition(":")[0], output.count("\n")) == (0, "alternatives", 1)


def test_prune_removes_only_when_told_to(run: Run, directory: Path, tmp_path: Path) -> None:
    write(directory, call("Four")).rename(directory / "0123.json")
    (tmp_path / "hits.jsonl").write_text('{"file": "own.json", "call": 1}\n')
    before = sorted(path.name for path in directory.iterdir())
    code, output = run("prune", directory, "--hits", tmp_path / "hits.jsonl")
    assert (code, output.splitlines()[-1]) == (0, "3 calls to remove; add --yes to remove them")
    assert sorted(path.name for path in directory.iterdir()) == before
    code, output = run("prune", directory, "--hits", tmp_path / "hits.jsonl", "--yes")
    assert (code, output.splitlines()[-1]) == (0, "3 calls removed")
    assert [path.name for path in directory.iterdir()] == ["own.json"]
    assert len(scope_file.read(directory / "own.json")) == 1


def test_import_and_export_convert(run: Run, directory: Path, tmp_path: Path) -> None:
    code, output = run("import", directory, "--into", tmp_path / "ours")
    assert (code, output) == (0, f"3 calls in 1 file in {tmp_path / 'ours'}\n")
    code, output = run("export", tmp_path / "ours", "--into", tmp_path / "theirs")
    assert (code, output) == (0, f"3 calls in 5 files in {tmp_path / 'theirs'}\n")
    name = next(path.name for path in directory.iterdir() if path.name != "own.json")
    assert (tmp_path / "theirs" / name).read_bytes() == (directory / name).read_bytes()


def test_export_reports_omitted_calls(run: Run, tmp_path: Path) -> None:
    scope_file.write(tmp_path / "ours" / "own.json", SCOPE, [call(answer="Yes"), call(answer="No")])
    code, output = run("export", tmp_path / "ours", "--into", tmp_path / "theirs")
    assert code == 0
    assert "1 call in 2 files" in output
    assert "antiphon: omitted: own.json#2: " in output


def test_import_refuses_secrets(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "theirs", call(f"My token is {SECRET}"))
    code, output = run("import", tmp_path / "theirs", "--into", tmp_path / "ours")
    assert code == 1
    assert "request.messages[0].content: GitHub token" in output
    assert SECRET not in output
    assert not (tmp_path / "ours").exists()


def test_scan_finds_secrets_and_masks_them(run: Run, directory: Path) -> None:
    assert run("scan", directory) == (0, "")
    path = write(directory, call(f"My token is {SECRET}"))
    code, output = run("scan", directory)
    assert code == 1
    assert output == f"{path.name}: request.messages[0].content: GitHub token (ghp_…, 40 characters)\n"


def test_scan_takes_patterns_of_the_operators_own(run: Run, directory: Path) -> None:
    code, output = run("scan", directory, "--pattern", "number=Tw[o]", "--pattern", "b=x=y")
    assert code == 1
    assert output == "own.json#2: request.messages[0].content: number (…, 3 characters)\n"


@pytest.mark.parametrize("pattern", ["name", "name=("])
def test_a_wrong_pattern_is_reported(run: Run, directory: Path, pattern: str) -> None:
    code, output = run("scan", directory, "--pattern", pattern)
    assert code == 2
    assert "--pattern: expected NAME=REGEX" in output


@pytest.mark.shared
def test_real_recordings_can_be_scanned_and_checked(run: Run) -> None:
    assert run("scan", recordings("llama-stack"), recordings("seeds")) == (0, "")
    code, output = run("check", recordings("seeds"))
    assert (code, output) == (0, "")


@pytest.mark.parametrize("command", ["list", "check", "scan"])
def test_a_missing_directory_is_one_line(command: str, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "antiphon", "recordings", command, "nowhere"]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "antiphon: nowhere: the folder of recordings does not exist; check the path\n"


def test_the_exit_code_reaches_the_shell(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    program = [sys.executable, "-m", "antiphon", "recordings", "check", "."]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("unreadable: broken.json")
