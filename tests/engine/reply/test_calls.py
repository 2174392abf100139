"""Tool calls, in all the ways that backends number, name and repeat them."""

import pytest

from antiphon.engine.reply.assemble import AssemblyOptions
from antiphon.engine.reply.tool_calls import KnownTools
from antiphon.wire.json import JSON
from tests.engine.replies import CALLED, STOP, assemble, call, chunk, failure_of


def test_the_life_of_a_function_call() -> None:
    reply = assemble(
        chunk(role="assistant", content=None),
        call(0, "a", "f", ""),
        call(0, arguments='{"x"'),
        call(0, arguments=":1}"),
        CALLED,
    )
    assert reply.types == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert reply.items == [
        {
            "type": "function_call",
            "id": "fc_0",
            "status": "completed",
            "arguments": '{"x":1}',
            "call_id": "a",
            "name": "f",
        }
    ]


def test_arguments_stream_before_the_call_is_whole() -> None:
    reply = assemble(call(0, "a", "f", '{"x"'))
    assert reply.types == ["output_item.added", "function_call_arguments.delta"]


TWO = [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]

WAYS: dict[str, list[bytes]] = {
    "one after the other": [
        call(0, "a", "f", ""),
        call(0, arguments='{"x"'),
        call(0, arguments=":1}"),
        call(1, "b", "g", ""),
        call(1, arguments='{"y":2}'),
    ],
    "F37 interleaved": [
        call(0, "a", "f", ""),
        call(1, "b", "g", ""),
        call(0, arguments='{"x"'),
        call(1, arguments='{"y"'),
        call(1, arguments=":2}"),
        call(0, arguments=":1}"),
    ],
    "whole calls": [call(0, "a", "f", '{"x":1}'), call(1, "b", "g", '{"y":2}')],
    "whole calls, index 0 for all": [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", '{"y":2}')],
    "whole calls, no index": [call(None, "a", "f", '{"x":1}'), call(None, "b", "g", '{"y":2}')],
    "arguments as objects": [call(0, "a", "f", {"x": 1}), call(1, "b", "g", {"y": 2})],
    "index 0 for all, in pieces": [
        call(0, "a", "f", ""),
        call(0, arguments='{"x":'),
        call(0, arguments="1}"),
        call(0, "b", "g", ""),
        call(0, arguments='{"y":2}'),
    ],
    "no index, in pieces": [
        call(None, "a", "f", ""),
        call(arguments='{"x":'),
        call(arguments="1}"),
        call(None, "b", "g", ""),
        call(arguments='{"y":2}'),
    ],
    "F38 index gap": [
        call(3, "a", "f", ""),
        call(3, arguments='{"x":1}'),
        call(17, "b", "g", ""),
        call(17, arguments='{"y":2}'),
    ],
    "negative and falling indexes": [call(9, "a", "f", '{"x":1}'), call(-1, "b", "g", '{"y":2}')],
    "id repeated": [
        call(0, "a", "f", ""),
        call(0, "a", arguments='{"x":'),
        call(0, "a", arguments="1}"),
        call(1, "b", "g", ""),
        call(1, "b", arguments='{"y":2}'),
    ],
    "id and name repeated, interleaved": [
        call(0, "a", "f", '{"x"'),
        call(1, "b", "g", '{"y"'),
        call(0, "a", "f", ":1}"),
        call(1, "b", "g", ":2}"),
    ],
    "id repeated, no index, interleaved": [
        call(None, "a", "f", '{"x"'),
        call(None, "b", "g", '{"y"'),
        call(None, "a", arguments=":1}"),
        call(None, "b", arguments=":2}"),
    ],
    "a fresh id in each delta": [
        call(0, "a", "f", ""),
        call(0, "a2", arguments='{"x":'),
        call(0, "a3", arguments="1}"),
        call(0, "a4", arguments=""),
        call(1, "b", "g", ""),
        call(1, "b2", arguments='{"y":2}'),
    ],
    "id late": [
        call(0, None, "f"),
        call(0, "a", arguments='{"x":1}'),
        call(1, None, "g"),
        call(1, "b", arguments='{"y":2}'),
    ],
    "F36 names in pieces": [
        call(0, "a", ""),
        call(0, None, "f"),
        call(0, arguments='{"x":1}'),
        call(1, "b", "g"),
        call(1, None, "g", '{"y":2}'),
    ],
    "name after the first arguments": [
        call(0, "a", None, '{"x"'),
        call(0, None, "f", ":1}"),
        call(1, "b", "g", '{"y":2}'),
    ],
    "blank after the arguments": [
        call(0, "a", "f", '{"x":1}'),
        call(1, "b", "g", '{"y":2}'),
        call(0, arguments="\n"),
        call(1, "b", arguments=""),
    ],
    "deltas that bring nothing": [
        chunk(tool_calls=[{}]),
        call(0),
        call(0, "a", "f", '{"x":1}'),
        chunk(tool_calls=[{"index": 1, "function": None}]),
        call(1, "b", "g", '{"y":2}'),
        call(2, arguments=""),
        call(0, arguments=""),
    ],
    "both in one delta": [
        chunk(
            tool_calls=[
                {"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}},
                {"index": 1, "id": "b", "function": {"name": "g", "arguments": '{"y":2}'}},
            ]
        )
    ],
}


@pytest.mark.parametrize("chunks", WAYS.values(), ids=WAYS)
def test_two_parallel_calls(chunks: list[bytes]) -> None:
    reply = assemble(*chunks, CALLED)
    assert reply.failure is None
    assert reply.calls() == TWO
    assert [item["status"] for item in reply.items] == ["completed", "completed"]


def test_a_blank_after_whole_arguments_does_not_begin_another_call() -> None:
    reply = assemble(call(0, "a", "f", "{}"), call(0, "a", "f", "\n"), call(0, "a2", arguments=" "), CALLED)
    assert [(name, arguments.strip()) for _, name, arguments in reply.calls()] == [("f", "{}")]


def test_the_second_call_streams_as_soon_as_the_first_is_whole() -> None:
    reply = assemble(call(0, "a", "f", '{"x"'), call(1, "b", "g", '{"y"'), call(0, arguments=":1}"))
    assert reply.types == [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
    ]


@pytest.mark.parametrize("index", [None, 0])
def test_ids_that_are_missing_are_made(index: int | None) -> None:
    reply = assemble(call(index, None, "f", '{"x":1}'), call(index, "", "g", '{"y":2}'), CALLED)
    ids = [call_id for call_id, _, _ in reply.calls()]
    assert [call_id.partition("_")[0] for call_id in ids] == ["call", "call"]
    assert len(set(ids)) == 2
    assert [entry[1:] for entry in reply.calls()] == [entry[1:] for entry in TWO]


def test_an_id_that_comes_too_late_does_not_begin_another_call() -> None:
    reply = assemble(call(None, None, "f", '{"x"'), call(None, "late", arguments=":1}"), CALLED)
    assert [entry[1:] for entry in reply.calls()] == [("f", '{"x":1}')]


@pytest.mark.parametrize(
    "chunks",
    [
        [call(0, "same", "f", '{"x":1}'), call(1, "same", "g", '{"y":2}')],
        [
            call(0, "same", "f", ""),
            call(0, "same", arguments='{"x":1}'),
            call(1, "same", "g", ""),
            call(1, "same", arguments='{"y":2}'),
        ],
        [
            call(0, "same", "f", ""),
            call(1, "same", "g", ""),
            call(1, "same", arguments='{"y":2}'),
            call(0, "same", arguments='{"x":1}'),
        ],
        [call(0, None, "f", '{"x":1}'), call(1, None, "g", ""), call(1, "call_1", arguments='{"y":2}')],
    ],
    ids=["whole", "in pieces", "interleaved", "an id that we have given"],
)
def test_one_id_for_all_calls_is_made_unique(chunks: list[bytes]) -> None:
    reply = assemble(*chunks, CALLED)
    assert [entry[1:] for entry in reply.calls()] == [entry[1:] for entry in TWO]
    assert len({call_id for call_id, _, _ in reply.calls()}) == 2


def test_two_equal_calls_are_two_calls() -> None:
    reply = assemble(call(0, "a", "f", "{}"), call(1, "b", "f", "{}"), CALLED)
    assert reply.calls() == [("a", "f", "{}"), ("b", "f", "{}")]


def test_a_name_in_three_pieces() -> None:
    reply = assemble(
        call(0, "a", "get_"),
        call(0, None, "current_"),
        call(0, None, "weather"),
        call(0, arguments="{}"),
        STOP,
    )
    assert reply.calls() == [("a", "get_current_weather", "{}")]
    assert reply.events[0]["item"]["name"] == "get_current_weather"


@pytest.mark.parametrize("arguments", [None, ""])
def test_calls_without_arguments(arguments: str | None) -> None:
    reply = assemble(call(0, "a", "f", arguments), call(1, "b", "g", arguments), CALLED)
    assert reply.calls() == [("a", "f", ""), ("b", "g", "")]
    assert reply.types[:2] == ["output_item.added", "function_call_arguments.done"]


@pytest.mark.parametrize(
    "arguments",
    ["{broken", "[1]", "null", '{"a":1}}', '{"a":' * 3000 + "1" + "}" * 3000],
    ids=lambda a: a[:8],
)
def test_F39_arguments_not_json(arguments: str) -> None:
    """The client receives them as the model wrote them, and the later calls are not lost."""
    reply = assemble(call(0, "a", "f", arguments), call(1, "b", "g", "{}"), CALLED)
    assert reply.calls() == [("a", "f", arguments), ("b", "g", "{}")]


def test_F40_unknown_tool_named() -> None:
    assert assemble(call(0, "a", "no_such_tool", "{}"), CALLED).calls() == [("a", "no_such_tool", "{}")]


def test_F28_cut_mid_tool_arguments() -> None:
    reply = assemble(call(0, "a", "f", '{"x"'), call(1, "b", "g", '{"y'))
    assert reply.failure is not None
    assert [item["status"] for item in reply.items] == ["incomplete", "incomplete"]
    assert [arguments for _, _, arguments in reply.calls()] == ['{"x"', '{"y']


@pytest.mark.parametrize("chunks", [[call(0, "a")], [call(0, "a", None, "{}"), call(1, "b", "g", "{}")]])
def test_a_call_without_a_name_fails(chunks: list[bytes]) -> None:
    assert failure_of(*chunks, CALLED) == "backend/model: sent a tool call without the name of a function"


def test_more_arguments_after_a_call_was_closed_fail() -> None:
    chunks = [call(0, "a", "f", "{}"), call(1, "b", "g", "{}"), call(0, arguments='{"x":1}')]
    assert "whose arguments were complete" in failure_of(*chunks, CALLED)


def test_namespaces_are_given_back() -> None:
    options = AssemblyOptions(source="backend/model", tools=KnownTools(names={"crm__find": ("crm", "find")}))
    reply = assemble(
        call(0, "a", "crm__"),
        call(0, None, "find", "{}"),
        call(1, "b", "find", "{}"),
        CALLED,
        options=options,
    )
    expected: JSON = {"name": "find", "namespace": "crm"}
    assert {key: reply.items[0].get(key) for key in expected} == expected
    assert reply.events[0]["item"]["namespace"] == "crm"
    assert "namespace" not in reply.items[1]


def test_a_long_run_of_calls() -> None:
    calls = [(f"id{number}", f"f{number}", "{}") for number in range(200)]
    reply = assemble(*(call(number, *entry) for number, entry in enumerate(calls)), CALLED)
    assert reply.calls() == calls
