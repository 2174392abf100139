"""Phases of messages: commentary before anything else of the reply, else the final answer."""

import pytest

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.reply.tool_calls import HostedFunctionCall, KnownTools
from tests.engine.replies import CALLED, STOP, Reply, assemble, call, chunk

PHASES = AssemblyOptions(source="backend", phases=True)


def phases_of(reply: Reply) -> list[object]:
    return [item.get("phase") for item in reply.items if item["type"] == "message"]


def test_an_answer_alone_is_the_final_one() -> None:
    reply = assemble(chunk(content="Hello"), STOP, options=PHASES)
    assert phases_of(reply) == ["final_answer"]
    assert "phase" not in reply.events[0]["item"]
    assert reply.events[-1]["item"]["phase"] == "final_answer"


def test_text_before_a_call_is_commentary() -> None:
    reply = assemble(
        chunk(content="I look."),
        call(0, "call_1", "f", "{}"),
        call(1, "call_2", "g", "{}"),
        CALLED,
        options=PHASES,
    )
    assert phases_of(reply) == ["commentary"]


def test_text_before_a_hosted_call_is_commentary() -> None:
    tools = KnownTools(hosted=frozenset({"search"}))
    options = AssemblyOptions(source="backend", phases=True, tools=tools)
    reply = assemble(chunk(content="I look."), call(0, "call_1", "search", "{}"), CALLED, options=options)
    assert phases_of(reply) == ["commentary"]
    assert reply.assembler.hosted_calls == [HostedFunctionCall("search", "{}")]


def test_text_after_a_call_is_the_final_answer() -> None:
    reply = assemble(call(0, "call_1", "f", "{}"), chunk(content="Done."), CALLED, options=PHASES)
    assert phases_of(reply) == ["final_answer"]


def test_text_between_reasoning_is_commentary() -> None:
    reply = assemble(
        chunk(content="First."), chunk(reasoning_content="Hm."), chunk(content="Last."), STOP, options=PHASES
    )
    assert phases_of(reply) == ["commentary", "final_answer"]


def test_a_cut_answer_has_a_phase_too() -> None:
    reply = assemble(chunk(content="Hel"), chunk("length"), options=PHASES)
    assert phases_of(reply) == ["final_answer"]


def test_messages_have_no_phase_unless_it_is_used() -> None:
    assert phases_of(assemble(chunk(content="Hello"), STOP)) == [None]


@pytest.mark.parametrize("phase", ["commentary", "final_answer"])
@pytest.mark.parametrize("options", [PHASES, AssemblyOptions(source="backend")])
def test_a_phase_of_the_backend_wins(phase: str, options: AssemblyOptions) -> None:
    reply = assemble(chunk(role="assistant", phase=phase), chunk(content="Hello"), STOP, options=options)
    assert phases_of(reply) == [phase]
    assert reply.events[0]["item"]["phase"] == phase


@pytest.mark.parametrize("phase", [None, "other", 3, {}, ["commentary"]])
def test_other_phases_of_a_backend_are_ignored(phase: object) -> None:
    assert phases_of(assemble(chunk(phase=phase, content="Hello"), STOP)) == [None]
