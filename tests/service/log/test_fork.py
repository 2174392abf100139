"""Forks of stored responses."""

import msgspec
import pytest

from antiphon.errors import InvalidRequest
from antiphon.wire.items import McpCall, Message
from tests.durable.crashing import REPLIES
from tests.service.log.runs import Runs
from tests.service.world import say


def kinds(runs: Runs, response_id: str) -> list[tuple[str, bool]]:
    return [(step.kind, step.is_kept) for step in runs.logged(response_id).timeline]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_the_calls_before_the_step_are_kept_and_the_others_made_again(runs: Runs, step: int) -> None:
    original = runs.respond()
    requests = list(runs.servers.model.requests)
    fork = runs.fork(original, step=step)
    made = runs.servers.model.requests[len(requests) :]
    assert made[0] == requests[step - 1]
    assert len(made) == 4 - step
    assert runs.servers.tool.made == {"1": 2 if step == 1 else 1, "2": 2 if step < 3 else 1}
    kept = 2 * (step - 1)
    order = ["model", "tool", "model", "tool", "model"]
    assert kinds(runs, fork) == [(kind, number < kept) for number, kind in enumerate(order)]
    found = runs.logged(fork)
    assert (found.entry.forked_from, found.entry.status) == (original, "completed")
    assert runs.logged(original).forks == [fork]
    assert [type(item) for item in found.output] == [type(item) for item in runs.logged(original).output]


def test_a_fork_at_the_last_call_can_have_another_answer(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    original = runs.respond()
    monkeypatch.setitem(
        vars(__import__("tests.durable.crashing", fromlist=["REPLIES"]))["REPLIES"], 2, say("No.")
    )
    found = runs.logged(runs.fork(original, step=3))
    assert [item.output for item in found.output if isinstance(item, McpCall)] == ["seen 1", "seen 2"]
    last = found.output[-1]
    assert isinstance(last, Message)
    assert found.timeline[-1].text == "No."
    assert runs.logged(original).timeline[-1].text == "All done."


def test_a_fork_can_be_forked(runs: Runs) -> None:
    first = runs.fork(runs.respond(), step=2)
    second = runs.fork(first, step=3)
    assert runs.logged(second).entry.forked_from == first
    assert kinds(runs, second) == [*[("model", True), ("tool", True)] * 2, ("model", False)]


def test_a_fork_can_have_other_instructions_and_another_input(runs: Runs) -> None:
    original = runs.respond(instructions="Be kind.")
    runs.fork(original, instructions="Be brief.", input="Ho")
    messages = runs.servers.model.requests[3]["messages"]
    assert [message["content"] for message in messages] == ["Be brief.", "Ho"]


def test_a_fork_continues_what_its_original_continued_and_is_in_no_conversation(runs: Runs) -> None:
    first = runs.respond()
    second = runs.respond(previous_response_id=first, input="And then?")
    requests = list(runs.servers.model.requests)
    fork = runs.fork(second, step=1)
    assert runs.servers.model.requests[len(requests)] == requests[3]
    assert runs.logged(fork).entry.previous_response_id == first


def test_a_failed_call_can_be_made_again(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(REPLIES, 2, [b"no JSON"])
        failed = runs.respond()
    assert runs.logged(failed).entry.status == "failed"
    assert runs.logged(failed).timeline[-1].call == 3
    fork = runs.logged(runs.fork(failed, step=3))
    assert (fork.entry.status, fork.timeline[-1].text) == ("completed", "All done.")


@pytest.mark.parametrize("step", [4, 100])
def test_an_unknown_step_is_refused(runs: Runs, step: int) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 3, the number of model calls"):
        runs.fork(runs.respond(), step=step)


def test_the_events_of_a_fork_begin_with_the_kept_items(runs: Runs) -> None:
    original = runs.respond()
    fork = runs.logged(runs.fork(original, step=3))
    same = [msgspec.json.encode(item) for item in fork.output[:-1]]
    assert same == [msgspec.json.encode(item) for item in runs.logged(original).output[: len(same)]]
