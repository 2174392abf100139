"""The comparison of our wire types with those of the openai package."""

from typing import Literal, Required

import pytest
from msgspec import UNSET, Struct, UnsetType, field
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from scripts.openai_types import differences, problems


class Part(BaseModel):
    type: Literal["part"]
    text: str
    size: Literal["small", "large"]


class Other(BaseModel):
    type: Literal["other"]


class Whole(BaseModel):
    parts: list[Part | Other]
    new: str
    in_order: bool = Field(alias="async")
    free: dict[str, int]


class Given(TypedDict, total=False):
    parts: Required[list[Part]]
    mode: Literal["a", "b"]


class OurPart(Struct, tag="part"):
    text: str
    size: Literal["small"] | UnsetType = UNSET


class OurOther(Struct, tag="other"):
    pass


class Ours(Struct):
    parts: list[OurPart]
    free: object = None


class All(Struct):
    parts: list[OurPart | OurOther]
    new: str
    free: object
    is_async: bool = field(name="async")


class Loose(Struct):
    parts: list[OurPart]
    mode: str


def found(theirs: object, our: object) -> list[str]:
    return differences([("root", theirs, our)])


def test_missing_fields_members_and_values_are_found() -> None:
    assert found(Whole, Ours) == [
        "test_openai_types.Part.size=large",
        "test_openai_types.Whole.async",
        "test_openai_types.Whole.new",
        "test_openai_types.Whole.parts:other",
    ]


def test_only_what_is_missing_is_found() -> None:
    assert found(Whole, All) == ["test_openai_types.Part.size=large"]


def test_parameters_are_compared_too_and_a_string_accepts_every_value() -> None:
    assert found(Given, Loose) == ["test_openai_types.Part.size=large"]
    assert found(Given, Ours) == ["test_openai_types.Given.mode", "test_openai_types.Part.size=large"]


def test_a_member_of_a_union_has_the_name_of_its_root() -> None:
    assert found(Part | Other, OurPart) == ["root:other", "test_openai_types.Part.size=large"]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"a.B.c": "why"}, []),
        ({"*.c": "why"}, []),
        ({}, ["a.B.c is new in the openai package; add it to the wire types, or here with a reason"]),
        ({"a.B.c": "why", "a.B.d": "why"}, ["a.B.d is not needed any more"]),
        ({"a.B.c": " "}, ["a.B.c has no reason"]),
    ],
)
def test_the_list_neither_lacks_nor_keeps_an_entry(entries: dict[str, str], expected: list[str]) -> None:
    assert list(problems(["a.B.c"], entries)) == expected
