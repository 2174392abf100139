"""Execution of functions: bounds, and values of every kind."""

import asyncio
import threading
from datetime import UTC, datetime
from pathlib import Path

import pydantic
import pytest

from antiphon.agent import ToolCall, ToolResponse
from antiphon.agent.functions.execution import execute
from antiphon.agent.functions.tools import Function, function_tool


def run(function: Function, *arguments: str) -> list[ToolResponse]:
    tool = function_tool(function)
    calls = [ToolCall(f"c{number}", tool.name, text) for number, text in enumerate(arguments)]
    return asyncio.run(execute(calls, {tool.name: tool}, 20))


class Point(pydantic.BaseModel):
    x: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "null"),
        (True, "true"),
        ([1, {"a": 2.5}], '[1,{"a":2.5}]'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00Z"'),
        (Path("a"), '"a"'),
        ({"point": Point(x=1)}, '{"point":{"x":1}}'),
    ],
)
def test_a_value_is_text_for_the_model(value: object, text: str) -> None:
    def give() -> None:
        return value  # type: ignore[return-value]

    (response,) = run(give, "{}")
    assert (response["content"], response["is_error"]) == (text, False)


def test_a_value_that_has_no_json_is_an_error_of_the_tool() -> None:
    def give() -> list[object]:
        values: list[object] = []
        values.append(values)
        return values

    (response,) = run(give, "{}")
    assert response["is_error"]
    assert response["content"].startswith("Error in tool 'give': RecursionError: ")


def test_at_most_16_functions_run_at_the_same_time() -> None:
    lock, running, most = threading.Lock(), 0, 0
    full = threading.Barrier(16, timeout=20)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        full.wait()
        with lock:
            running -= 1

    responses = run(work, *["{}"] * 32)
    assert [each["call_id"] for each in responses] == [f"c{number}" for number in range(32)]
    assert not any(each["is_error"] for each in responses)
    assert most == 16


def test_the_message_of_an_exception_is_bounded() -> None:
    def fail() -> None:
        raise ValueError("x" * 100_000)

    (response,) = run(fail, "{}")
    assert len(response["content"]) == 2000


@pytest.mark.parametrize("error", [SystemExit, StopIteration, TimeoutError])
def test_an_unusual_exception_ends_only_its_tool(error: type[BaseException]) -> None:
    def fail() -> None:
        raise error("no")

    (response,) = run(fail, "{}")
    assert response["content"] == f"Error in tool 'fail': {error.__name__}: no"


def test_deep_arguments_are_wrong_arguments() -> None:
    def take(values: list[list[int]]) -> None:
        del values

    (response,) = run(take, '{"values": ' + "[" * 100_000)
    assert response["is_error"]
    assert response["content"].startswith("The arguments of tool 'take' are wrong: ")
