"""`truncation: auto` omits the oldest items, some more with each attempt, and never splits a call."""

from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.request.messages import translate_items
from antiphon.engine.request.truncation import shortened
from antiphon.settings.backends import Capabilities
from antiphon.wire.items import FunctionCall, FunctionCallOutput, Item, Message
from tests.support.immediate import at_once


def said(text: str) -> Message:
    return Message(role="user", content=text)


def called(call_id: str) -> list[Item]:
    return [
        FunctionCall(call_id=call_id, name="look", arguments="{}"),
        FunctionCallOutput(call_id=call_id, output="seen"),
    ]


def test_each_attempt_omits_more_and_the_last_item_stays() -> None:
    items: list[Item] = [said(str(number)) for number in range(10)]
    assert [len(rest) for rest in shortened(items)] == [9, 7, 3, 1]
    assert all(rest[-1] is items[-1] for rest in shortened(items))


def test_a_call_goes_with_its_output() -> None:
    items = [said("first"), *called("a"), said("last")]
    assert list(shortened(items)) == [items[1:], items[3:]]


def test_one_item_cannot_be_shortened() -> None:
    assert list(shortened([said("only")])) == []


def test_a_call_whose_output_is_last_stays() -> None:
    items = [said("first"), *called("a")]
    assert list(shortened(items)) == [items[1:]]


@given(st.lists(st.sampled_from(["say", "call", "parallel"]), min_size=1, max_size=30))
def test_every_rest_can_still_be_translated(kinds: list[str]) -> None:
    items: list[Item] = []
    for number, kind in enumerate(kinds):
        if kind == "say":
            items.append(said(str(number)))
        elif kind == "call":
            items += called(str(number))
        else:
            (first, first_output), (second, second_output) = called(f"{number}a"), called(f"{number}b")
            items += [first, second, second_output, first_output]
    for rest in shortened(items):
        assert rest == items[-len(rest) :]
        assert at_once(translate_items(rest, Capabilities()))
