"""Texts of prompts; the order of messages and the words for media are llama-stack's."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.request.prompts import fill, variables_in
from antiphon.engine.request.translate import translate
from antiphon.errors import InvalidRequest
from antiphon.settings.backends import Capabilities
from antiphon.wire.content import InputFile, InputImage, InputText
from antiphon.wire.items import Message
from antiphon.wire.responses import CreateResponse, PromptReference
from tests.support.immediate import at_once

IMAGE = InputImage(image_url="data:image/png;base64,AA==", detail="low")
FILE = InputFile(filename="a.pdf", file_data="data:application/pdf;base64,AA==")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Hello", []),
        ("{{a}} {{ b }} {{  a}}", ["a", "b"]),
        ("{{a b}} { {c}} {{d-e}} {{}} {{{f}}}", ["f"]),
        ("{{größe}}", ["größe"]),
    ],
)
def test_variables_are_names_in_double_braces(text: str, names: list[str]) -> None:
    assert variables_in(text) == names


def test_texts_are_put_in_as_they_are() -> None:
    reference = PromptReference(id="p", variables={"a": InputText("{{b}} \\1"), "b": "B"})
    filled = fill(reference, "{{a}}-{{ b }}-{{ a }}-{{ c d }}", ["a", "b"], 3)
    assert filled.text == "{{b}} \\1-B-{{b}} \\1-{{ c d }}"
    assert (filled.id, filled.version, filled.parts) == ("p", "3", [])
    assert filled.variables == reference.variables


@given(st.text(), st.text())
def test_a_value_never_changes_the_text_around_it(value: str, around: str) -> None:
    if variables_in(around + "{{v}}" + around) == ["v"]:
        filled = fill(PromptReference(id="p", variables={"v": value}), around + "{{v}}" + around, ["v"], 1)
        assert filled.text == around + value + around


def test_media_are_named_in_the_text_and_follow_as_parts() -> None:
    reference = PromptReference(id="p", variables={"photo": IMAGE, "bill": FILE})
    filled = fill(reference, "See {{ photo }} and {{bill}}.", ["bill", "photo"], 1)
    assert filled.text == "See [Image: photo] and [File: bill]."
    assert filled.parts == [IMAGE, FILE]
    assert filled.names == ["photo", "bill"]
    assert filled.parts[0] is not IMAGE


@pytest.mark.parametrize(
    ("variables", "param", "code"),
    [
        ({"a": "1", "x": "2"}, "prompt.variables.x", "unknown_variable"),
        ({"a": "1"}, "prompt.variables.b", "missing_variable"),
        (None, "prompt.variables.a", "missing_variable"),
    ],
)
def test_values_must_fit_the_variables(
    variables: dict[str, str | InputText | InputImage | InputFile] | None, param: str, code: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        fill(PromptReference(id="p", variables=variables), "{{a}}{{b}}", ["a", "b"], 1)
    assert (raised.value.param, raised.value.code) == (param, code)


def test_the_prompt_comes_first_and_its_media_last() -> None:
    reference = PromptReference(id="p", variables={"photo": IMAGE})
    request = CreateResponse(
        model="m", instructions="Be brief.", prompt=fill(reference, "See {{photo}}", ["photo"], 1)
    )
    chat = at_once(translate(request, [Message(role="user", content="Hi")], "m", Capabilities())).chat_request
    assert msgspec.to_builtins(chat["messages"]) == [
        {"role": "system", "content": "See [Image: photo]"},
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}}
            ],
        },
    ]


def test_a_reference_that_nobody_looked_up_says_nothing() -> None:
    request = CreateResponse(model="m", prompt=PromptReference(id="p"))
    chat = at_once(translate(request, [Message(role="user", content="Hi")], "m", Capabilities())).chat_request
    assert [message["role"] for message in chat["messages"]] == ["user"]
