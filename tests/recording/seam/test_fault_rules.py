"""Fault rules: parsing, and messages about errors in them."""

import pytest

from antiphon.errors import ConfigError
from antiphon.recording.seam.fault_rules import FaultRule, parse_rules


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("cut:3", {"action": "cut", "value": 3.0}),
        ("cut", {"action": "cut", "value": 0}),
        ("stall:2,for=0.5", {"action": "stall", "value": 2.0, "seconds": 0.5}),
        ("garble:4", {"action": "garble", "value": 4.0}),
        ("garble", {"action": "garble", "value": 1}),
        ("unfinished,model=gpt-*", {"action": "unfinished", "model": "gpt-*"}),
        ("delay:0.25", {"action": "delay", "value": 0.25}),
        ("429:7, call=2", {"action": "429", "value": 7.0, "call": 2}),
        ("503", {"action": "503", "value": None}),
        ("500,tool=search", {"action": "500", "tool": "search"}),
        ("cut:1,chance=0.5,seed=a", {"action": "cut", "value": 1.0, "chance": 0.5, "seed": "a"}),
    ],
)
def test_a_rule_is_read(text: str, fields: dict[str, object]) -> None:
    (rule,) = parse_rules(text)
    assert rule == FaultRule(text=text, **fields)  # type: ignore[arg-type]


def test_rules_are_separated_by_semicolons() -> None:
    assert [rule.text for rule in parse_rules(" cut:3 ;; 500,call=1; ")] == ["cut:3", "500,call=1"]
    assert parse_rules("") == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("explode", "unknown action 'explode'; there are cut, stall"),
        ("200", "unknown action '200'"),
        ("600:1", "unknown action '600'"),
        ("cut:x", "cut needs a number, but got 'x'"),
        ("cut:", "cut needs a number, but got ''"),
        ("cut:-1", "cut needs a number"),
        ("cut:1e9", "cut needs a number"),
        ("429:soon", "429 needs a number"),
        ("delay", "delay needs seconds"),
        ("unfinished:1", "unfinished takes no value"),
        ("cut,modle=x", "unknown condition 'modle'"),
        ("cut,model=", "unknown condition|needs"),
        ("cut,call=0", "call counts from 1"),
        ("cut,call=1.5", "call counts from 1"),
        ("cut,chance=2", "chance is between 0 and 1"),
        ("garble,tool=search", "garble is for model calls only"),
        ("cut,", "unknown condition ''"),
    ],
)
def test_a_wrong_rule_is_named(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        parse_rules(f"500;{text}")
    assert repr(text) in str(caught.value)


def test_there_is_an_end_to_rules() -> None:
    with pytest.raises(ConfigError, match="at most 20"):
        parse_rules("cut;" * 21)


def test_the_nth_call() -> None:
    (rule,) = parse_rules("cut,call=3")
    assert [rule.applies("s", number) for number in (1, 2, 3, 4)] == [False, False, True, False]


def test_chance_is_the_same_in_each_run_and_about_as_often_as_it_says() -> None:
    (rule,) = parse_rules("cut,chance=0.3,seed=x")
    drawn = [rule.applies("s", number) for number in range(1000)]
    assert drawn == [rule.applies("s", number) for number in range(1000)]
    assert 250 < sum(drawn) < 350
    (other,) = parse_rules("cut,chance=0.3,seed=y")
    assert drawn != [other.applies("s", number) for number in range(1000)]
    assert drawn != [rule.applies("another scope", number) for number in range(1000)]


@pytest.mark.parametrize(("chance", "often"), [("0", 0), ("1", 100)])
def test_never_and_always(chance: str, often: int) -> None:
    (rule,) = parse_rules(f"cut,chance={chance}")
    assert sum(rule.applies("s", number) for number in range(100)) == often
