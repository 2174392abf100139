"""Functions as tools: definitions from type hints and docstrings, and arguments."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypedDict

import jsonschema_rs
import msgspec
import pydantic
import pytest

from antiphon.agent import WrongAgent
from antiphon.agent.functions.tools import function_tool
from antiphon.wire.json import JSON, JSONObject


@dataclass
class Place:
    lat: float
    lon: float


class Person(pydantic.BaseModel):
    name: str
    home: Place | None = None


class Options(TypedDict):
    unit: Literal["c", "f"]


class Tag(msgspec.Struct):
    name: str
    inner: "list[Tag]"


def google(city: str, days: int = 3) -> str:
    """Return the weather in a city.

    It comes from far away.

    Args:
        city: Name of the
            city.
        days: Number of days.

    Returns:
        A text.
    """
    return f"{city} {days}"


def rest(city: str, days: int = 3) -> str:
    """Return the weather in a city.

    It comes from far away.

    :param city: Name of the
        city.
    :param days: Number of days.
    :returns: A text.
    """
    return f"{city} {days}"


def rich(place: Place, person: Person, options: Options, tags: list[Tag]) -> str:
    """Take everything.

    :param place: Where.
    """
    return f"{place} {person} {options} {tags}"


@pytest.mark.parametrize("function", [google, rest])
def test_both_styles_of_docstrings_give_the_same_definition(function: Callable[..., str]) -> None:
    assert function_tool(function).definition == {
        "type": "function",
        "name": function.__name__,
        "description": "Return the weather in a city.\n\nIt comes from far away.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Name of the city."},
                "days": {"type": "integer", "default": 3, "description": "Number of days."},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": False,
    }


def test_a_function_whose_parameters_are_all_required_is_strict() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    definition = function_tool(add).definition
    assert definition["strict"] is True
    assert definition["parameters"]["required"] == ["a", "b"]
    assert "description" not in definition


def test_a_function_without_parameters_is_an_empty_object() -> None:
    def now() -> str:
        return "noon"

    tool = function_tool(now)
    assert tool.definition["parameters"] == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }
    assert tool.decode("{}") == {}


def test_arguments_become_values_of_the_parameters_types() -> None:
    values = function_tool(rich).decode(
        '{"place": {"lat": 1, "lon": "2.5"}, "person": {"name": "Ann", "home": {"lat": 1, "lon": 2}}, '
        '"options": {"unit": "c"}, "tags": [{"name": "a", "inner": []}]}'
    )
    assert values == {
        "place": Place(1, 2.5),
        "person": Person(name="Ann", home=Place(1, 2)),
        "options": {"unit": "c"},
        "tags": [Tag("a", [])],
    }


def test_an_absent_argument_has_the_functions_default() -> None:
    assert function_tool(google).decode('{"city": "Oslo"}') == {"city": "Oslo"}


def test_the_schema_accepts_and_rejects_what_the_function_does() -> None:
    tool = function_tool(rich)
    validator = jsonschema_rs.validator_for(tool.definition["parameters"])
    good: JSONObject = {
        "place": {"lat": 1, "lon": 2},
        "person": {"name": "Ann"},
        "options": {"unit": "f"},
        "tags": [{"name": "a", "inner": [{"name": "b", "inner": []}]}],
    }
    bad: list[JSON] = [
        {},
        {**good, "more": 1},
        {**good, "place": {"lat": 1}},
        {**good, "options": {"unit": "k"}},
        {**good, "tags": [{"name": "a", "inner": [1]}]},
        {**good, "person": {}},
    ]
    assert validator.is_valid(good)
    assert tool.decode(msgspec.json.encode(good).decode())
    for each in bad:
        assert not validator.is_valid(each), each
        with pytest.raises(msgspec.DecodeError):
            tool.decode(msgspec.json.encode(each).decode())


def test_methods_and_objects_are_tools() -> None:
    class Weather:
        def of(self, city: str) -> str:
            return city

        async def __call__(self, city: str) -> str:
            return city

    method, whole = function_tool(Weather().of), function_tool(Weather())
    assert (method.name, method.is_async) == ("of", False)
    assert (whole.name, whole.is_async) == ("Weather", True)
    assert list(whole.definition["parameters"]["properties"]) == ["city"]


def test_a_parameter_can_have_the_name_of_a_keyword_of_schemas() -> None:
    def find(properties: str, type: str, items: list[str]) -> str:
        return properties + type + str(items)

    tool = function_tool(find)
    assert tool.definition["strict"] is True
    assert tool.decode('{"properties": "a", "type": "b", "items": []}') == {
        "properties": "a",
        "type": "b",
        "items": [],
    }


def test_free_keys_and_any_value_are_not_strict() -> None:
    def keep(values: dict[str, int]) -> None:
        del values

    assert function_tool(keep).definition["strict"] is False


def untyped(a) -> None:  # type: ignore[no-untyped-def]
    del a


def starred(*names: str) -> None:
    del names


def odd(a: object) -> None:
    del a


def unknown(a: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821
    del a


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (untyped, "The parameter 'a' of tool 'untyped' has no type. Add a type hint."),
        (starred, "The parameter 'names' of tool 'starred' has no name for the model. Use plain parameters."),
        (odd, "The types of tool 'odd' have no JSON schema: type <class 'object'> is not supported"),
        (unknown, "The types of tool 'unknown' have no JSON schema: name 'Missing' is not defined"),
    ],
)
def test_a_function_that_the_model_cant_call_is_an_error(function: Callable[..., None], message: str) -> None:
    with pytest.raises(WrongAgent) as caught:
        function_tool(function)
    assert str(caught.value) == message


def test_a_missing_parser_of_docstrings_is_an_error_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "griffe", None)
    with pytest.raises(WrongAgent, match=r"Install 'antiphon\[agent\]'"):
        function_tool(google)
