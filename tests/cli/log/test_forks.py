"""`antiphon replay-run` with the sample model, and `antiphon diff` of responses and of recordings."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.recording.calls.recorded import RecordedCall
from antiphon.recording.collection import Collection
from antiphon.serving.services import opened_services
from antiphon.settings.schema import Settings
from antiphon.wire.responses import CreateResponse
from tests.cli.conftest import Run
from tests.cli.log.conftest import Filled, NewDatabase


def test_two_responses_are_compared_and_the_first_difference_is_marked(run: Run, filled: Filled) -> None:
    code, out, err = run("diff", filled.first, filled.second)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0].split(" | ")[0].strip().startswith("resp_")
    assert any(line.startswith("> input: ") for line in lines)
    assert "first difference: step 2, step" in out or "first difference: step 1" in out
    assert "\x1b" not in out


def test_a_response_equals_itself(run: Run, filled: Filled) -> None:
    code, out, _ = run("diff", filled.first, filled.first)
    assert code == 0
    assert out.endswith("all steps are equal\n")
    comparison = json.loads(run("diff", filled.first, filled.first, "--json")[1])
    assert (comparison["first"], len(comparison["pairs"])) == (None, 5)


@pytest.fixture(scope="module")
def sampled(new_database: NewDatabase) -> str:
    """Return the path or URL of a database with one response of the sample model."""
    path = new_database()

    async def respond() -> None:
        async with opened_services(Settings(database=path, discover=False)) as services:
            request = CreateResponse(model="antiphon/sample", input="Hello.", instructions="Be kind.")
            async with await services.responses.create(RequestContext(), request) as run:
                await run.response()

    asyncio.run(respond())
    return path


def test_a_fork_is_made_without_a_server_and_shown(
    run: Run, sampled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_DATABASE", sampled)
    monkeypatch.setenv("ANTIPHON_DISCOVER", "false")
    original = json.loads(run("show", "-1", "--format", "json")[1])["entry"]["id"]
    Path("other.txt").write_text("Be brief.", encoding="utf-8")
    options = ("--from", "1", "--input", "Goodbye.", "--instructions", "other.txt", "--json")
    code, out, err = run("replay-run", "-1", *options)
    assert (code, err) == (0, "")
    fork = json.loads(out)
    assert fork["entry"]["forked_from"] == original
    assert "Goodbye." in fork["response"]["output"][0]["content"][0]["text"]
    assert fork["response"]["instructions"] == "Be brief."
    assert f"fork of {original}" in run("show", "-1")[1]
    sent = json.loads(run("show", "-1", "--request", "--format", "json")[1])["requests"][0]
    assert sent["is_exact"]
    assert [message["content"] for message in sent["body"]["messages"]] == ["Be brief.", "Goodbye."]
    code, out, _ = run("diff", original, "-1")
    assert code == 1
    assert "> instructions: Be kind." in out
    assert "first difference: step 1, text" in out


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["-1"], 2, "missing option '--from'"),
        (["-1", "--from", "7"], 1, "Invalid 'step': expected a number from 1 to 1"),
        (["resp_zz", "--from", "1"], 1, "Response with id 'resp_zz' not found."),
        (["-1", "--from", "1", "--instructions", "no.txt"], 1, "No such file or directory: 'no.txt'"),
        (["-1", "--from", "1", "--model", "antiphon/nope"], 1, "The model 'antiphon/nope' does not exist."),
    ],
)
def test_what_cannot_be_forked_is_explained_in_one_line(
    run: Run, sampled: str, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, error: str
) -> None:
    monkeypatch.setenv("ANTIPHON_DATABASE", sampled)
    monkeypatch.setenv("ANTIPHON_DISCOVER", "false")
    found, out, err = run("replay-run", *arguments)
    assert (found, out) == (code, "")
    assert error in err
    assert err.count("\n") == 1


def recorded(directory: Path, *texts: str) -> None:
    """Record a model call for each text, which is the answer."""
    directory.mkdir()

    async def record() -> None:
        collection = Collection(directory, ())
        for number, text in enumerate(texts):
            reply = {"choices": [{"message": {"role": "assistant", "content": text}}]}
            request = {"model": "m", "messages": [{"role": "user", "content": f"Question {number}"}]}
            call = RecordedCall(kind="chat", request=request, parts=[msgspec.Raw(msgspec.json.encode(reply))])
            await collection.add(call, overwrite=True)

    asyncio.run(record())


def test_two_recorded_runs_are_compared_call_by_call(run: Run, tmp_path: Path) -> None:
    recorded(tmp_path / "a", "One.", "Two.\x1b[31m", "Three.")
    recorded(tmp_path / "b", "One.", "Other.", "Three.")
    code, out, err = run("diff", str(tmp_path / "a"), str(tmp_path / "b"))
    assert (code, err) == (1, "")
    assert "first difference: step 2, text" in out
    assert out.count("\n> ") == 3
    assert "\x1b" not in out
    assert run("diff", str(tmp_path / "a"), str(tmp_path / "a"))[0] == 0
