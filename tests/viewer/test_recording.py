"""Responses as recordings: a replay of them gives the same answers."""

from pathlib import Path

import pytest

from antiphon.errors import AntiphonError
from antiphon.testing import LocalServer, serve
from antiphon.tools.sandbox import Outcome
from antiphon.wire.json import JSON, JSONObject
from tests.recording.case_world import calling, recording, words
from tests.recording.hosted_world import ANSWER, KINDS, RUN, alone, with_tools
from tests.recording.test_cases_r_code import CODE, OUTCOMES, final, seen
from tests.recording.test_cases_r_code import RUN as CODE_RUN
from tests.recording.test_cases_r_code import run as run_code
from tests.recording.test_cases_r_hosted import results, whole_run
from tests.server.client import get, post
from tests.server.pages.browser import Browser
from tests.support.fake_sandbox import FakeSandbox, use_sandbox
from tests.support.upstream import Answer, chunk, reply, sse

FUNCTION: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}
USAGE = {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}


def pages(server: LocalServer) -> Browser:
    return Browser(server.url.partition("/scope/")[0] + "/v1")


def newest(server: LocalServer) -> str:
    found: str = pages(server).open("/viewer/responses.json").json["data"][0]["id"]
    return found


def saved(server: LocalServer, response_id: str, folder: Path) -> JSONObject:
    """Download the recording of a response into a folder, and return the view of the page."""
    browser = pages(server)
    answer = browser.open(f"/viewer/responses/{response_id}/recording")
    assert answer.status == 200, answer
    name = answer.headers["content-disposition"].partition('"')[2].rstrip('"')
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(answer.body)
    view: JSONObject = browser.open(f"/viewer/responses/{response_id}.json?tab=copy").json["recording"]
    assert (view["file"], view["text"].encode()) == (f"{response_id}.json", answer.body)
    return view


def problem(server: LocalServer, response_id: str) -> str:
    """Return the reason on the page why there is no recording."""
    browser = pages(server)
    assert browser.open(f"/viewer/responses/{response_id}/recording").status == 400
    browser.open(f"/viewer/responses/{response_id}?tab=copy")
    assert "There is no recording." in browser.text
    found: str = browser.open(f"/viewer/responses/{response_id}.json?tab=copy").json["recording"]["problem"]
    return found


def shape(body: JSONObject) -> list[JSON]:
    """Return what a client sees of a response, without IDs."""
    hidden = {"id", "call_id"}
    items = [{name: value for name, value in item.items() if name not in hidden} for item in body["output"]]
    return [body["status"], body["error"], body["incomplete_details"], body["usage"], items]


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_with_hosted_tools_replays_without_their_services(stream: bool, tmp_path: Path) -> None:
    with with_tools(tmp_path / "unused", *RUN, mode="live") as (server, running):
        mcp_url = f"{running.url}/basic/mcp"
        made = whole_run(server.url, mcp_url, stream=stream)
        view = saved(server, made.id, tmp_path / "recordings")
    assert view["notes"] == ["A replay searches the vector stores again, so it needs the same ones."]
    with alone(tmp_path / "recordings") as server:
        replayed = whole_run(server.url, mcp_url, stream=not stream)
    assert [item.type for item in replayed.output] == KINDS
    assert replayed.output_text == ANSWER
    # The IDs of files differ, because each run has files of its own.
    assert results(replayed) == results(made)


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_a_response_with_code_replays_without_a_sandbox(
    outcome: Outcome | AntiphonError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_sandbox(monkeypatch, FakeSandbox({CODE: outcome}))
    with recording(tmp_path / "unused", *CODE_RUN, mode="live") as (server, _):
        made = final(run_code(server.url, stream=True), stream=True)
        view = saved(server, made["id"], tmp_path / "recordings")
    assert view["notes"] == ["The files that the code wrote are empty in a replay, except for its charts."]
    use_sandbox(monkeypatch, None)
    with alone(tmp_path / "recordings") as server:
        again = final(run_code(server.url, stream=True), stream=True)
    assert seen(again["output"]) == seen(made["output"])


REASONING = sse(chunk(reasoning_content="Hm."), chunk("Yes."), chunk(finish="stop"), chunk(usage=USAGE))
REFUSAL = sse(chunk(refusal="No."), chunk(finish="stop"))
CUT = sse(chunk("Yes and"), chunk(finish="length"))
BROKEN = sse(chunk("Half"), chunk(error={"message": "It broke."}))


@pytest.mark.parametrize(
    "answer",
    [words("Good", " day."), calling("f", {"a": 1}), REASONING, REFUSAL, CUT, BROKEN],
    ids=["text", "function", "reasoning", "refusal", "cut", "broken"],
)
def test_a_replay_gives_what_the_backend_gave(answer: Answer, tmp_path: Path) -> None:
    request: JSONObject = {"model": "up/m", "input": "Hello", "tools": [FUNCTION], "stream": True}
    with recording(tmp_path / "unused", answer, mode="live") as (server, _):
        post(server.url, "/responses", request)
        made = get(server.url, f"/responses/{newest(server)}").json
        assert saved(server, made["id"], tmp_path / "recordings")["notes"] == []
    with serve(tmp_path / "recordings", backends=[]) as server:
        post(server.url, "/responses", request)
        again = get(server.url, f"/responses/{newest(server)}").json
    assert made["output"]
    assert shape(again) == shape(made)


def test_a_response_of_a_chain_has_the_history_in_its_recording(tmp_path: Path) -> None:
    first: JSONObject = {"model": "up/m", "input": "One", "stream": True}
    with recording(tmp_path / "unused", words("First."), words("Second."), mode="live") as (server, _):
        post(server.url, "/responses", first)
        one = newest(server)
        post(server.url, "/responses", first | {"input": "Two", "previous_response_id": one})
        two = newest(server)
        saved(server, one, tmp_path / "recordings")
        saved(server, two, tmp_path / "recordings")
    with serve(tmp_path / "recordings", backends=[]) as server:
        post(server.url, "/responses", first)
        last = {"input": "Two", "previous_response_id": newest(server), "stream": False}
        again = post(server.url, "/responses", first | last).json
    assert again["output"][0]["content"][0]["text"] == "Second."


def test_a_secret_is_not_written(tmp_path: Path) -> None:
    key = "sk-proj-" + "a1B2c3D4" * 5
    with recording(tmp_path / "unused", words("Yes."), mode="live") as (server, _):
        post(server.url, "/responses", {"model": "up/m", "input": f"My key is {key}", "stream": True})
        found = problem(server, newest(server))
    assert "looks like a secret" in found
    assert key not in found


def test_without_requests_in_the_log_there_is_no_recording(tmp_path: Path) -> None:
    with recording(tmp_path / "unused", words("Yes."), mode="live", log_content="metadata") as (server, _):
        post(server.url, "/responses", {"model": "up/m", "input": "Hello", "stream": True})
        assert "doesn't have all parts" in problem(server, newest(server))


def test_a_refusal_of_the_backend_is_recorded_with_its_status(tmp_path: Path) -> None:
    refusal = reply({"error": {"message": "Too hot.", "code": "hot"}}, status=400)
    with recording(tmp_path / "unused", refusal, mode="live") as (server, _):
        made = post(server.url, "/responses", {"model": "up/m", "input": "Hello", "background": True}).json
        pages(server).open(f"/viewer/live/responses/{made['id']}")  # It ends with the response.
        failed = get(server.url, f"/responses/{made['id']}").json
        saved(server, made["id"], tmp_path / "recordings")
    assert failed["status"] == "failed"
    with serve(tmp_path / "recordings", backends=[]) as server:
        again = post(server.url, "/responses", {"model": "up/m", "input": "Hello"})
    assert (again.status, again.error["message"]) == (400, failed["error"]["message"])
