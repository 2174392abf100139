"""The code interpreter for llama-stack's clients, whose calls of one reply run at the same time."""

from pathlib import Path

import pytest

from antiphon.tools.sandbox import Outcome
from tests.clients.replies import calls, says
from tests.recording.case_world import ask, recording
from tests.support.fake_sandbox import FakeSandbox, use_sandbox


def test_calls_of_one_reply_share_a_container_and_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = [f"step({number})" for number in range(4)]
    outcomes = {code: Outcome(logs="", files={"a.csv": code.encode()}) for code in codes}
    sandbox = FakeSandbox(outcomes)
    use_sandbox(monkeypatch, sandbox)
    made = [(f"call_{number}", "code_interpreter", {"code": code}) for number, code in enumerate(codes)]
    tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
    answers = calls(*made), says("Done.")
    with recording(tmp_path / "unused", *answers, mode="live", dialect="llama-stack") as (server, _):
        response = ask(server.url, tools=tools, stream=False).json
    assert response["status"] == "completed"
    items = response["output"][:-1]
    assert [(item["code"], item["status"]) for item in items] == [(code, "completed") for code in codes]
    assert len({item["container_id"] for item in items}) == 1
    assert [*sandbox.made] == codes
