"""Explanation of a miss: the nearest recording, and the fields that differ."""

from antiphon.recording.matching.nearest import describe, differences, nearest, printable
from antiphon.wire.json import JSONObject
from tests.recording.samples import chat_request


def described(asked: JSONObject, recorded: JSONObject) -> str:
    return describe(list(differences(asked, recorded)))


def talk(*texts: str, model: str = "small") -> JSONObject:
    return {"model": model, "messages": [{"role": "user", "content": text} for text in texts]}


def test_the_same_model_is_nearest() -> None:
    assert nearest(talk("Hello"), [talk("Hello", model="other"), talk("Something else")]) == 1


def test_the_longest_common_beginning_is_nearest() -> None:
    asked = talk("One", "Two", "Three")
    assert nearest(asked, [talk("One"), talk("One", "Two", "Four"), talk("Zero", "Two", "Three")]) == 1


def test_the_most_similar_message_is_nearest() -> None:
    assert nearest(talk("What is 2 + 3?"), [talk("Who are you?"), talk("What is 2 + 2?")]) == 1


def test_the_fewest_other_differences_are_nearest() -> None:
    asked = chat_request(temperature=0.5, top_p=0.5)
    assert nearest(asked, [chat_request(), chat_request(temperature=0.5)]) == 1


def test_nothing_is_nearest_to_nothing() -> None:
    assert nearest(chat_request(), []) is None


def test_differences_name_the_field_and_both_values() -> None:
    asked = {**talk("What is 2 + 3?"), "temperature": 0.5}
    recorded = {**talk("What is 2 + 2?"), "seed": 7}
    assert described(asked, recorded).splitlines() == [
        '  messages[0].content: requested "What is 2 + 3?", recorded "What is 2 + 2?"',
        "  temperature: requested 0.5, recorded nothing",
        "  seed: requested nothing, recorded 7",
    ]


def test_long_texts_are_shown_where_they_part() -> None:
    asked, recorded = "a" * 5000 + "X" + "b" * 5000, "a" * 5000 + "Y" + "b" * 5000
    text = described(talk(asked), talk(recorded))
    assert "aX" in text
    assert "aY" in text
    assert len(text) < 300


def test_many_differences_are_counted() -> None:
    asked, recorded = talk(*"abcdefghij"), talk(*"0123456789")
    lines = described(asked, recorded).splitlines()
    assert lines[-1] == "  and 4 more"


def test_true_and_one_differ() -> None:
    assert described({"n": True}, {"n": 1}) == "  n: requested true, recorded 1"


def test_nothing_that_steers_a_terminal_is_shown() -> None:
    text = described(talk("\x1b[31mred\u202e"), talk("\x07bell\nline"))
    assert all(character.isprintable() for character in text)
    assert printable("é\x1b") == "é\\u001b"
