"""Calls of hosted functions in a reply, which are collected and leave nothing in the reply's own items."""

import pytest

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.reply.tool_calls import HostedFunctionCall, KnownTools
from tests.engine.replies import CALLED, STOP, assemble, call, chunk

HOSTED = AssemblyOptions(source="backend/model", tools=KnownTools(hosted=frozenset({"look"})))


def test_a_hosted_call_has_no_events_and_no_item() -> None:
    reply = assemble(call(0, "call_1", "look", '{"at"'), call(0, None, None, ":1}"), CALLED, options=HOSTED)
    assert (reply.events, reply.items) == ([], [])
    assert reply.assembler.hosted_calls == [HostedFunctionCall("look", '{"at":1}')]


def test_other_items_go_on_around_it() -> None:
    reply = assemble(
        chunk(content="I look."),
        call(0, "call_1", "look", "{}"),
        call(1, "call_2", "f", "{}"),
        call(2, "call_3", "look", '{"at":2}'),
        CALLED,
        options=HOSTED,
    )
    assert [item["type"] for item in reply.items] == ["message", "function_call"]
    assert reply.calls() == [("call_2", "f", "{}")]
    assert reply.assembler.hosted_calls == [
        HostedFunctionCall("look", "{}"),
        HostedFunctionCall("look", '{"at":2}'),
    ]


def test_interleaved_calls() -> None:
    reply = assemble(
        call(0, "call_1", "look", '{"a":'),
        call(1, "call_2", "f", '{"b":'),
        call(0, None, None, "1}"),
        call(1, None, None, "2}"),
        CALLED,
        options=HOSTED,
    )
    assert reply.calls() == [("call_2", "f", '{"b":2}')]
    assert reply.assembler.hosted_calls == [HostedFunctionCall("look", '{"a":1}')]


@pytest.mark.parametrize(("pieces", "is_hosted"), [(("lo", "ok"), True), (("look", "_up"), False)])
def test_names_in_pieces(pieces: tuple[str, str], is_hosted: bool) -> None:
    deltas = [call(0, "call_1", pieces[0]), call(0, None, pieces[1]), call(0, None, None, "{}")]
    reply = assemble(*deltas, CALLED, options=HOSTED)
    assert bool(reply.assembler.hosted_calls) is is_hosted
    assert bool(reply.items) is not is_hosted


def test_F39_arguments_that_are_not_json_are_for_the_tool_to_judge() -> None:
    reply = assemble(call(0, "call_1", "look", "at the sky"), STOP, options=HOSTED)
    assert reply.assembler.hosted_calls == [HostedFunctionCall("look", "at the sky")]


def test_a_call_without_arguments() -> None:
    reply = assemble(call(0, "call_1", "look"), CALLED, options=HOSTED)
    assert reply.assembler.hosted_calls == [HostedFunctionCall("look", "")]
    assert reply.items == []


def test_an_interrupted_hosted_call_leaves_nothing() -> None:
    reply = assemble(chunk(content="I look."), call(0, "call_1", "look", '{"at"'), options=HOSTED)
    assert reply.failure is not None
    assert [item["type"] for item in reply.items] == ["message"]


def test_F40_a_function_that_nobody_has_goes_to_the_caller() -> None:
    reply = assemble(call(0, "call_1", "jump", "{}"), CALLED, options=HOSTED)
    assert reply.calls() == [("call_1", "jump", "{}")]
