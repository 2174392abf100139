import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.engine.reply import grammar as grammar_module
from antiphon.engine.reply.grammar import Grammar
from antiphon.errors import InvalidRequest
from antiphon.wire.tools import CustomGrammarFormat

SUMS = "start: expr\nexpr: NUMBER (OPERATOR NUMBER)*\nOPERATOR: /[+-]/\n%import common.NUMBER\n%ignore / +/"
AMBIGUOUS = 'start: start start | "a" |'


def regex(definition: str) -> Grammar:
    return Grammar(CustomGrammarFormat(syntax="regex", definition=definition), "tools[0].format")


def lark(definition: str) -> Grammar:
    return Grammar(CustomGrammarFormat(syntax="lark", definition=definition), "tools[0].format")


def fault(grammar: Grammar, *pieces: str) -> str | None:
    """Return the fault of an input that arrives in pieces."""
    check = grammar.check()
    for piece in pieces:
        if (found := check.feed(piece)) is not None:
            return found
    return check.end()


@pytest.mark.parametrize(
    ("grammar", "text"),
    [
        (regex(r"[a-z]+"), "abc"),
        (regex(r"^[a-z]+$"), "abc"),
        (regex(r"a/b"), "a/b"),
        (regex(r"(?s).*"), 'é\n"😀'),
        (regex(""), ""),
        (lark(SUMS), "1 + 22 - 3"),
        (lark("start: /.+/"), "héllo"),
    ],
)
def test_inputs_that_match(grammar: Grammar, text: str) -> None:
    assert fault(grammar, text) is None
    assert fault(grammar, *text) is None


@pytest.mark.parametrize(
    ("pieces", "place", "rest"),
    [
        (["1 + x + y"], 4, "x + y"),
        (["1 +", " 2", " x"], 6, "x"),
        (["é"], 0, "é"),
        (["1" * 20 + "!"], 20, "!"),
    ],
)
def test_where_an_input_stops_to_match(pieces: list[str], place: int, rest: str) -> None:
    expected = f"does not match its grammar from character {place} on: {rest!r}"
    assert fault(lark(SUMS), *pieces) == expected


def test_a_regular_expression_matches_the_whole_input() -> None:
    grammar = regex("b+")
    assert fault(grammar, "ab") == "does not match its grammar from character 0 on: 'ab'"
    assert fault(grammar, "bba") == "does not match its grammar from character 2 on: 'a'"


def test_an_input_that_ends_too_early() -> None:
    assert fault(lark(SUMS), "1 + ") == "ends after 4 characters, where its grammar requires more"
    assert fault(regex("a+")) == "ends after 0 characters, where its grammar requires more"


def test_one_grammar_checks_many_inputs() -> None:
    grammar = regex("ab")
    first, second = grammar.check(), grammar.check()
    assert first.feed("a") is None
    assert second.feed("a") is None
    assert first.feed("b") is None
    assert first.end() is None
    assert second.end() is not None


@given(st.text(st.sampled_from("ab/é")), st.sampled_from([r"a*b?", r"(ab|é)+", r"[^b]*", r"a{2,4}|b/"]))
def test_python_agrees_on_simple_expressions(text: str, expression: str) -> None:
    assert (fault(regex(expression), text) is None) == bool(re.fullmatch(expression, text))


@pytest.mark.parametrize(
    ("syntax", "definition", "said"),
    [
        ("regex", "[", "unclosed character class"),
        ("regex", "(?=a)a", "look-ahead"),
        ("lark", "", "Empty grammar"),
        ("lark", "start: missing", "missing"),
        ("lark", "%import .secrets.KEY\nstart: KEY", "Unknown common regex"),
        ("lark", "start: " + "(" * 50_000 + '"a"' + ")" * 50_000, "too deeply nested"),
        ("lark", "start: " + "a? " * 30_000 + '\na: "x"', "too big"),
    ],
)
def test_definitions_that_are_refused(syntax: str, definition: str, said: str) -> None:
    begin = time.perf_counter()
    with pytest.raises(InvalidRequest, match=said) as caught:
        regex(definition) if syntax == "regex" else lark(definition)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "tools[0].format.definition")
    assert len(caught.value.message) < 600
    assert time.perf_counter() - begin < 5


def test_a_definition_that_is_too_long() -> None:
    with pytest.raises(InvalidRequest) as caught:
        regex("a" * 200_001)
    assert caught.value.code == "string_above_max_length"


@pytest.mark.parametrize("expression", ["(a+)+b", "(a|a)*(a|a)*(a|a)*b", "(.*a){50}b"])
def test_expressions_that_make_others_backtrack_are_checked_at_once(expression: str) -> None:
    begin = time.perf_counter()
    assert fault(regex(expression), "a" * 20_000) is not None
    assert time.perf_counter() - begin < 5


def test_an_ambiguous_grammar_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar_module, "BUDGET", 0.2)
    begin = time.perf_counter()
    assert (
        fault(lark(AMBIGUOUS), "a" * 5_000) == "cannot be checked against its grammar, which is too complex"
    )
    assert time.perf_counter() - begin < 5


def test_a_grammar_whose_steps_are_too_many() -> None:
    twice = "\n".join(f"x{level}: x{level + 1} x{level + 1}" for level in range(30))
    grammar = lark(f'start: x0\n{twice}\nx30: "a" | ""')
    assert fault(grammar, "a" * 300) == "cannot be checked against its grammar, which is too complex"
