"""Output types: the format of the request, and the value of the text."""

from dataclasses import dataclass, field
from typing import NotRequired, TypedDict

import jsonschema_rs
import msgspec
import pydantic
import pytest
from openai.lib._pydantic import to_strict_json_schema

from antiphon.agent import Agent, TurnError
from antiphon.agent.plan import AgentSettings
from antiphon.wire.json import JSON, JSONObject
from tests.agent.scripted import Script, created, ended, message, numbered, says


@dataclass
class Leg:
    city: str
    nights: int = 1


@dataclass
class DataTrip:
    name: str
    legs: list[Leg] = field(default_factory=list)
    note: str | None = None


class StructTrip(msgspec.Struct):
    name: str
    legs: list[Leg] = []
    note: str | None = None


class DictTrip(TypedDict):
    name: str
    legs: list[Leg]
    note: NotRequired[str | None]


class ModelLeg(pydantic.BaseModel):
    city: str
    nights: int = 1


class ModelTrip(pydantic.BaseModel):
    name: str
    legs: list[ModelLeg] = []
    note: str | None = None


TEXT = '{"name": "North", "legs": [{"city": "Oslo", "nights": 2}], "note": null}'
TYPES: dict[type[object], object] = {
    DataTrip: DataTrip("North", [Leg("Oslo", 2)]),
    StructTrip: StructTrip("North", [Leg("Oslo", 2)]),
    DictTrip: {"name": "North", "legs": [Leg("Oslo", 2)], "note": None},
    ModelTrip: ModelTrip(name="North", legs=[ModelLeg(city="Oslo", nights=2)]),
}


def format_of(kind: type[object]) -> JSONObject:
    body = AgentSettings(model="m", output_type=kind).body
    found: JSONObject = body["text"]["format"]
    return found


@pytest.mark.parametrize("kind", TYPES)
def test_each_kind_of_output_type_is_the_output_of_the_turn(kind: type[object]) -> None:
    script = Script([says(TEXT)])
    with script.client() as client:
        turn = Agent(client, model="m", output_type=kind).run("Plan a trip")
    assert turn.output == TYPES[kind]
    assert turn.final_text == TEXT
    assert script.bodies[0]["text"] == {"format": format_of(kind)}


@pytest.mark.parametrize("kind", TYPES)
def test_the_format_is_strict_and_every_property_is_required(kind: type[object]) -> None:
    made = format_of(kind)
    assert (made["type"], made["name"], made["strict"]) == ("json_schema", kind.__name__, True)
    validator = jsonschema_rs.validator_for(made["schema"])
    whole: JSON = msgspec.json.decode(TEXT)
    assert validator.is_valid(whole)
    assert not validator.is_valid({"name": "North", "legs": []})
    assert not validator.is_valid({**whole, "more": 1})
    assert not validator.is_valid({**whole, "legs": [{"city": "Oslo"}]})


def test_the_schema_of_a_pydantic_model_means_what_openais_sdk_sends() -> None:
    theirs = to_strict_json_schema(ModelTrip)
    ours = format_of(ModelTrip)["schema"]
    assert ours["required"] == theirs["required"]
    assert ours["additionalProperties"] is theirs["additionalProperties"] is False
    assert sorted(ours["properties"]) == sorted(theirs["properties"])


def test_a_type_with_free_keys_is_not_strict() -> None:
    class Counts(msgspec.Struct):
        words: dict[str, int]

    assert format_of(Counts)["strict"] is False


def test_other_text_settings_stay() -> None:
    settings = AgentSettings(model="m", output_type=Leg, request={"text": {"verbosity": "low"}})
    assert sorted(settings.body["text"]) == ["format", "verbosity"]


@pytest.mark.parametrize(
    ("text", "message_"),
    [
        ("It is cold.", "The text doesn't fit Leg: JSON is malformed"),
        ('{"city": 1, "nights": 2}', "The text doesn't fit Leg: Expected `str`, got `int` - at `$.city`"),
        ("", "The text doesn't fit Leg: Input data was truncated"),
        ("[" * 5000, "The text doesn't fit Leg: "),
    ],
)
def test_a_text_that_does_not_fit_fails_the_turn(text: str, message_: str) -> None:
    with Script([says(text)]).client() as client:
        agent = Agent(client, model="m", output_type=Leg)
        with pytest.raises(TurnError) as caught:
            agent.run("Go")
    assert str(caught.value).startswith(message_)
    assert caught.value.code == "invalid_output"


def test_a_refusal_fails_the_turn_with_the_models_words() -> None:
    refusal = {**message(), "content": [{"type": "refusal", "refusal": "I can't."}]}
    with Script([numbered(created(), ended(refusal))]).client() as client:
        agent = Agent(client, model="m", output_type=Leg)
        with pytest.raises(TurnError, match=r"The model refused: I can't\.") as caught:
            agent.run("Go")
    assert caught.value.code == "refusal"


def test_the_output_is_the_last_message_and_not_a_comment_before_it() -> None:
    comment = message("I will answer in JSON.")
    answer = {**message('{"city": "Oslo", "nights": 1}'), "id": "msg_2"}
    with Script([numbered(created(), ended(comment, answer))]).client() as client:
        assert Agent(client, model="m", output_type=Leg).run("Go").output == Leg("Oslo")
