"""Hosted calls whose items stream while the model writes their arguments."""

import pytest

from antiphon.errors import StoreUnavailable, UpstreamBroken
from antiphon.wire.json import JSON, JSONObject
from tests.engine.hosting import FakeSearch, Hosting, Replies, calls, says, spent
from tests.engine.replies import call, chunk
from tests.tools.code_interpreter.fakes import PYTHON, FakeContainers, interpreter

F: JSONObject = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CODE = ("code_interpreter", '{"code":"1+1"}')
CODE_2 = ("code_interpreter", '{"code":"2+2"}')
FINISH = [chunk("tool_calls"), spent(5)]
RAN = [
    "output_item.added code_interpreter_call",
    "code_interpreter_call.in_progress",
    "code_interpreter_call_code.delta",
    "code_interpreter_call_code.done",
    "code_interpreter_call.interpreting",
    "code_interpreter_call.completed",
    "output_item.done code_interpreter_call",
]
MESSAGE = [
    "output_item.added message",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done message",
]


def running(
    *replies: list[bytes], tools: list[JSONObject] | None = None, error: bool = False, **more: JSON
) -> Hosting:
    """Return a response with the code interpreter, whose store may fail."""
    containers = FakeContainers({"1+1": StoreUnavailable("no disk")} if error else None)
    tools = [PYTHON, *(tools or [])]
    hosted = [interpreter(containers)]
    if {"type": "web_search"} in tools:
        hosted.append(FakeSearch(tools.index({"type": "web_search"})))
    return Hosting(Replies(*replies), tools, *hosted, body=more).run()


def test_the_code_streams_with_the_arguments() -> None:
    pieces = ['{"co', 'de": "pr', "int('a", "\\n'", ')"}']
    first = call(0, "call_1", "code_interpreter", "")
    reply = [first, *(call(0, None, None, piece) for piece in pieces), *FINISH]
    hosting = running(reply, says("Done."))
    hosting.check()
    deltas = [event["delta"] for event in hosting.events if "code.delta" in event["type"]]
    assert deltas == ["pr", "int('a", "\n'", ")"]
    assert hosting.response["output"][0]["code"] == "print('a\n')"
    assert hosting.kinds()[2:] == [*RAN[:2], *[RAN[2]] * 4, *RAN[3:], *MESSAGE, "completed"]


def test_outputs_are_hidden_unless_they_are_included() -> None:
    assert outputs(running(calls(CODE), says("a"))) == [None, None]
    included = running(calls(CODE), says("a"), include=["code_interpreter_call.outputs"])
    assert outputs(included) == [[], [{"type": "logs", "logs": "ran 1+1"}]]


def outputs(hosting: Hosting) -> list[JSON]:
    """Return the outputs of the first item, as its events show them."""
    items = [event["item"] for event in hosting.events if "item" in event]
    return [item["outputs"] for item in items[:2]]


def test_items_after_a_streamed_call_wait_for_its_result() -> None:
    reply = [
        *calls(CODE)[:-2],
        call(1, "call_2", "f", "{}"),
        call(2, "call_3", *CODE_2),
        *FINISH,
    ]
    hosting = running(reply, tools=[F])
    hosting.check()
    assert hosting.output() == ["code_interpreter_call", "function_call", "code_interpreter_call"]
    kinds = hosting.kinds()
    assert kinds[2:9] == RAN
    assert kinds[9] == "output_item.added function_call"
    assert kinds[-8:] == [*RAN, "completed"]


def test_several_calls_run_one_after_another() -> None:
    hosting = running(calls(CODE, CODE_2, CODE), says("Done."))
    hosting.check()
    assert hosting.kinds()[2:-7] == [*RAN, *RAN, *RAN]


def test_a_text_after_a_streamed_call_waits_too() -> None:
    hosting = running([*calls(CODE)[:-2], chunk(content="I ran it."), *FINISH], says("Done."))
    hosting.check()
    assert hosting.output() == ["code_interpreter_call", "message", "message"]


def test_an_open_call_runs_before_those_that_have_no_item_yet() -> None:
    search = ("web_search", '{"query":"one"}')
    hosting = running(calls(search, CODE), says("Done."), tools=[{"type": "web_search"}])
    hosting.check()
    assert hosting.output() == ["code_interpreter_call", "web_search_call", "message"]


def test_a_call_without_arguments_streams_at_its_run() -> None:
    hosting = running([call(0, "call_1", "code_interpreter", ""), *FINISH], says("Done."))
    hosting.check()
    assert hosting.response["output"][0]["code"] == ""


def test_a_call_that_a_limit_cuts_off_does_not_run() -> None:
    cut = [call(0, "call_1", "code_interpreter", '{"code":"1+'), chunk("length"), spent(5)]
    hosting = running(cut)
    hosting.check()
    (item,) = hosting.response["output"]
    assert (item["status"], item["code"]) == ("in_progress", "1+")
    assert hosting.response["status"] == "incomplete"


def test_calls_after_a_limit_do_not_run() -> None:
    cut = [*calls(CODE, CODE_2)[:-2], chunk("length"), spent(5)]
    hosting = running(cut)
    hosting.check()
    assert [item["status"] for item in hosting.response["output"]] == ["in_progress", "in_progress"]


def test_max_tool_calls_ends_a_streamed_call_without_a_run() -> None:
    hosting = running(calls(CODE, CODE_2), says("Done."), max_tool_calls=1)
    hosting.check()
    first, second, _ = hosting.response["output"]
    assert (first["status"], second["status"]) == ("completed", "in_progress")
    assert hosting.told()[-1]["content"].startswith("Tool call skipped")


@pytest.mark.parametrize("after", [[], [chunk(content="and")]])
def test_a_reply_that_breaks_leaves_an_incomplete_call(after: list[bytes]) -> None:
    hosting = running([call(0, "call_1", "code_interpreter", '{"code":"1+'), *after])
    assert isinstance(hosting.loop.failure, UpstreamBroken)
    item = hosting.response["output"][0]
    assert (item["type"], item["status"], item["code"]) == ("code_interpreter_call", "incomplete", "1+")


def test_an_error_of_the_server_leaves_an_incomplete_call() -> None:
    hosting = running(calls(CODE), error=True)
    assert isinstance(hosting.loop.failure, StoreUnavailable)
    assert hosting.response["status"] == "failed"
    assert hosting.response["output"][0]["status"] == "incomplete"


def test_a_broken_reply_after_a_call_fails_the_response() -> None:
    reply = [*calls(CODE)[:-2], call(1, "call_2", "", "{}"), *FINISH]
    hosting = running(reply)
    assert hosting.loop.failure is not None
