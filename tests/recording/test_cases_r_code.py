"""R12 with the code interpreter: a replay has no sandbox, and stores the same files."""

import json
import re
from pathlib import Path

import pytest

from antiphon.errors import AntiphonError
from antiphon.tools.sandbox import Outcome, SandboxFailed
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.recording.case_world import ask, recording
from tests.recording.hosted_world import alone
from tests.server.client import Reply, check_life_cycle, get
from tests.support.fake_sandbox import FakeSandbox, use_sandbox

CODE = "draw()"
PNG = b"\x89PNG picture"
OUTCOMES: dict[str, Outcome | AntiphonError] = {
    "done": Outcome(logs="hi\n", result="2", images=[PNG], files={"a.csv": b"1,2"}),
    "limit": Outcome(logs="half", error="The code ran for too long.", files={"a.csv": b"1,2"}),
    "failure": SandboxFailed("The interpreter ended during the call."),
}
RUN = (calls(("call_1", "code_interpreter", {"code": CODE})), says("See [a](sandbox:/mnt/data/a.csv)."))
TOOLS: JSON = [{"type": "code_interpreter", "container": {"type": "auto"}}]


def run(url: str, *, stream: bool) -> Reply:
    reply = ask(url, "Draw.", tools=TOOLS, include=["code_interpreter_call.outputs"], stream=stream)
    assert reply.status == 200, reply.body
    return reply


def seen(body: JSON) -> JSON:
    """Return a body with the IDs replaced by numbers in their order, and without times."""
    numbers: dict[str, str] = {}
    text = re.sub(
        r"\b([a-z]+)_[0-9a-f]{32,}",
        lambda found: numbers.setdefault(found[0], f"{found[1]}_{len(numbers)}"),
        json.dumps(body),
    )
    return json.loads(re.sub(r'"(created|completed)_at": [\d.]+', r'"\1_at": 0', text))


def final(reply: Reply, *, stream: bool) -> JSONObject:
    response: JSONObject = reply.last if stream else reply.json
    return response


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_R12_code_replays_without_a_sandbox(
    outcome: Outcome | AntiphonError, stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "recordings"
    sandbox = FakeSandbox({CODE: outcome})
    use_sandbox(monkeypatch, sandbox)
    with recording(directory, *RUN, discover=False) as (server, _):
        recorded = run(server.url, stream=stream)
    assert sandbox.made == {CODE: 1}
    call, message = final(recorded, stream=stream)["output"]
    has_failed = not isinstance(outcome, Outcome) or outcome.error is not None
    assert call["status"] == ("failed" if has_failed else "completed")
    use_sandbox(monkeypatch, None)
    with alone(directory) as server:
        again = run(server.url, stream=stream)
        citations = final(again, stream=stream)["output"][1]["content"][0]["annotations"]
        contents = [
            get(server.url, f"/containers/{each['container_id']}/files/{each['file_id']}/content").body
            for each in citations
        ]
    if stream:
        check_life_cycle(recorded.payloads)
        assert seen(again.payloads) == seen(recorded.payloads)
    else:
        assert seen(again.json) == seen(recorded.json)
    expected = [*outcome.files.values(), *outcome.images] if isinstance(outcome, Outcome) else []
    assert sorted(contents) == sorted(expected)
    assert len(message["content"][0]["annotations"]) == len(expected)


@pytest.mark.parametrize("stream", [False, True])
def test_R12_a_recorded_stream_of_code_replays_whole_and_the_reverse(
    stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "recordings"
    use_sandbox(monkeypatch, FakeSandbox({CODE: OUTCOMES["done"]}))
    with recording(directory, *RUN, discover=False) as (server, _):
        recorded = final(run(server.url, stream=stream), stream=stream)
    use_sandbox(monkeypatch, None)
    with alone(directory) as server:
        again = final(run(server.url, stream=not stream), stream=not stream)
    assert seen(again["output"]) == seen(recorded["output"])


def test_R12_other_code_than_the_recorded_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone has edited the code in the file."""
    directory = tmp_path / "recordings"
    use_sandbox(monkeypatch, FakeSandbox({CODE: OUTCOMES["done"]}))
    with recording(directory, *RUN, discover=False) as (server, _):
        run(server.url, stream=False)
    [path] = directory.glob("*.json")
    path.write_text(path.read_text().replace('"code": "draw()"', '"code": "other()"'))
    use_sandbox(monkeypatch, None)
    with alone(directory) as server:
        reply = ask(server.url, "Draw.", tools=TOOLS, stream=False)
    assert (reply.status, reply.error["code"]) == (502, "recording_not_found")
    assert "other()" in reply.error["message"]
