"""The page of a response in which the model runs code."""

import json
from pathlib import Path

import pytest

from antiphon.tools.sandbox import Outcome
from tests.clients.replies import calls, says
from tests.recording.case_world import recording
from tests.recording.test_cases_r_code import PNG, run
from tests.server.pages.browser import Browser
from tests.support.fake_sandbox import FakeSandbox, use_sandbox

CODE = "print('<script>alert(1)</script>')"
LOGS = "<script>alert(2)</script>\n"


@pytest.mark.parametrize("error", [None, "The code ran for longer than 60 seconds."])
def test_the_call_is_a_step_and_an_item_with_its_code_and_its_outputs(
    error: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = Outcome(logs=LOGS, images=[PNG], files={"a.csv": b"1"}, error=error)
    use_sandbox(monkeypatch, FakeSandbox({CODE: outcome}))
    answers = calls(("call_1", "code_interpreter", {"code": CODE})), says("Done.")
    with recording(tmp_path / "unused", *answers, mode="live") as (server, _):
        made = run(server.url, stream=True).last["id"]
        browser = Browser(server.url.partition("/scope/")[0] + "/v1")
        bars = browser.open(f"/viewer/responses/{made}.json").json["timeline"]["bars"]
        steps = [bar["step"] for bar in bars]
        page = browser.open(f"/viewer/responses/{made}").body.decode()
    assert [(step["kind"], step["name"], step.get("failed", False)) for step in steps] == [
        ("model", "up/m", False),
        ("tool", "code_interpreter", error is not None),
        ("model", "up/m", False),
    ]
    assert json.loads(steps[1]["arguments"]) == {"code": CODE}
    assert steps[1]["result"].startswith(LOGS)
    assert CODE not in page
    assert LOGS.strip() not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in page
    assert 'src="data:image/png;base64,' in page
    assert error is None or error in page
