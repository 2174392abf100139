"""Calls of custom tools; `test_calls.py` and `test_assemble.py` test those of functions."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.reply.grammar import Grammar
from antiphon.engine.reply.tool_calls import KnownTools
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import CustomGrammarFormat
from tests.engine.replies import CALLED, STOP, Reply, assemble, call, chunk, failure_of

DIGITS = Grammar(CustomGrammarFormat(syntax="regex", definition="[0-9]+"), "tools[0].format")
KNOWN = KnownTools(names={"n__sh": ("n", "sh")}, custom={"sh": None, "n__sh": None, "count": DIGITS})
OPTIONS = AssemblyOptions(source="backend/model", tools=KNOWN)
FORCED = AssemblyOptions(source="backend/model", tools=KNOWN, input_of="count")


def custom(index: int, name: str | None = None, text: str = "", call_id: str | None = None) -> bytes:
    """Return a delta as OpenAI's models send it."""
    entry: JSONObject = {"index": index, "custom": {"input": text}}
    if name is not None:
        entry["custom"]["name"] = name
        entry |= {"id": call_id or f"call_{name}", "type": "custom"}
    return chunk(tool_calls=[entry])


def inputs(reply: Reply) -> list[tuple[str, str, str]]:
    items = [item for item in reply.items if item["type"] == "custom_tool_call"]
    return [(item["name"], item["input"], item["status"]) for item in items]


def deltas(reply: Reply) -> list[str]:
    return [event["delta"] for event in reply.events if event["type"].endswith("_call_input.delta")]


def test_the_life_of_a_call() -> None:
    reply = assemble(
        call(0, "call_a", "sh", ""),
        call(0, arguments='{"input":'),
        call(0, arguments=' "ls \\'),
        call(0, arguments='n"}'),
        CALLED,
        options=OPTIONS,
    )
    assert reply.types == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert deltas(reply) == ["ls ", "\n"]
    (item,) = reply.items
    assert item == {
        "type": "custom_tool_call",
        "id": item["id"],
        "status": "completed",
        "call_id": "call_a",
        "input": "ls \n",
        "name": "sh",
    }
    assert item["id"].startswith("ctc_")


def test_a_call_of_a_namespace() -> None:
    reply = assemble(call(0, "call_a", "n__sh", '{"input":"ls"}'), CALLED, options=OPTIONS)
    assert (reply.items[0]["namespace"], reply.items[0]["name"]) == ("n", "sh")


def test_calls_of_models_that_know_custom_tools() -> None:
    reply = assemble(
        custom(0, "sh"),
        custom(0, text='{"input":'),
        custom(0, text=" 1}"),
        custom(1, "sh", call_id="call_b"),
        custom(1, text="}"),
        CALLED,
        options=OPTIONS,
    )
    assert inputs(reply) == [("sh", '{"input": 1}', "completed"), ("sh", "}", "completed")]
    assert [item["call_id"] for item in reply.items] == ["call_sh", "call_b"]
    assert deltas(reply) == ['{"input":', " 1}", "}"]


def test_a_whole_call_in_one_chunk_without_input() -> None:
    reply = assemble(custom(0, "sh"), CALLED, options=OPTIONS)
    assert inputs(reply) == [("sh", "", "completed")]


def test_functions_and_custom_tools_in_parallel() -> None:
    reply = assemble(
        call(0, "call_a", "sh", '{"input":'),
        call(1, "call_b", "f", '{"x":'),
        call(0, arguments='"ls"}'),
        call(1, arguments="1}"),
        CALLED,
        options=OPTIONS,
    )
    assert [item["type"] for item in reply.items] == ["custom_tool_call", "function_call"]
    assert inputs(reply) == [("sh", "ls", "completed")]
    assert reply.calls() == [("call_b", "f", '{"x":1}')]


@pytest.mark.parametrize("arguments", [{"input": "ls"}, '{"note": 1, "input": "ls"}', "ls"])
def test_other_forms_of_the_input(arguments: JSON) -> None:
    reply = assemble(call(0, "call_a", "sh", arguments), CALLED, options=OPTIONS)
    assert inputs(reply) == [("sh", "ls", "completed")]


def test_a_call_that_is_cut_off() -> None:
    reply = assemble(call(0, "call_a", "count", '{"input": "12'), chunk("length"), options=OPTIONS)
    assert inputs(reply) == [("count", "12", "incomplete")]


@given(st.data(), st.text(max_size=40))
def test_any_input_comes_whole_however_it_is_cut(data: st.DataObject, text: str) -> None:
    arguments = msgspec.json.encode({"input": text}).decode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arguments)), max_size=6)))
    pieces = [arguments[a:b] for a, b in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
    chunks = [call(0, arguments=piece) for piece in pieces]
    reply = assemble(call(0, "call_a", "sh"), *chunks, CALLED, options=OPTIONS)
    assert inputs(reply) == [("sh", text, "completed")]
    assert "".join(deltas(reply)) == text


def test_an_input_that_matches_its_grammar() -> None:
    reply = assemble(call(0, "call_a", "count", '{"input": "12"}'), CALLED, options=OPTIONS)
    assert inputs(reply) == [("count", "12", "completed")]


def test_an_input_that_breaks_its_grammar_ends_the_reply_at_once() -> None:
    reply = assemble(
        call(0, "call_a", "count", '{"input": "1'),
        call(0, arguments="2x3"),
        call(0, arguments="456"),
        options=OPTIONS,
    )
    assert reply.failure is not None
    assert reply.failure.message == (
        "backend/model: the input of the custom tool 'count' does not match its grammar from character 2 on: "
        "'x3'"
    )
    assert deltas(reply) == ["1", "2x3"]
    assert inputs(reply) == [("count", "12x3", "incomplete")]


@pytest.mark.parametrize("arguments", ['{"input": ""}', '{"count": 12}', "twelve"])
def test_an_input_that_is_not_whole_for_its_grammar(arguments: str) -> None:
    reply = assemble(call(0, "call_a", "count", arguments), CALLED, options=OPTIONS)
    assert reply.failure is not None
    assert "its grammar" in reply.failure.message
    assert "output_item.done" not in reply.types


def test_a_waiting_call_is_checked_when_its_turn_comes() -> None:
    reply = assemble(
        call(0, "call_a", "f", '{"x":'),
        call(1, "call_b", "count", '{"input": "x"}'),
        call(0, arguments="1}"),
        CALLED,
        options=OPTIONS,
    )
    assert reply.failure is not None
    assert reply.calls() == [("call_a", "f", '{"x":1}')]
    assert inputs(reply) == [("count", "x", "incomplete")]


def test_a_reply_that_is_an_input() -> None:
    reply = assemble(chunk(reasoning="Hm."), chunk(content="1"), chunk(content="2"), STOP, options=FORCED)
    assert inputs(reply) == [("count", "12", "completed")]
    assert [item["type"] for item in reply.items] == ["reasoning", "custom_tool_call"]
    assert reply.items[1]["call_id"].startswith("call_")
    assert deltas(reply) == ["1", "2"]


def test_a_reply_that_is_an_input_must_match_too() -> None:
    assert "from character 0 on: 'Sure'" in failure_of(chunk(content="Sure"), STOP, options=FORCED)
    assert "ends after 0 characters" in failure_of(STOP, options=FORCED)


def test_a_reply_that_is_an_input_and_is_cut_off() -> None:
    reply = assemble(chunk(content="1"), chunk("length"), options=FORCED)
    assert inputs(reply) == [("count", "1", "incomplete")]
