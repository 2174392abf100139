import time

import pytest

from antiphon.viewer.text import MOST_TEXT, cut, duration, excerpt, indented, iso, moment, plain, size


def test_an_excerpt_is_one_line() -> None:
    assert excerpt("  a\n\tb  ") == "a b"
    assert excerpt("word " * 100, 10) == "word word…"
    assert len(excerpt("x" * 10_000)) == 120


def test_a_long_text_is_cut_with_a_note() -> None:
    assert cut("x" * MOST_TEXT) == "x" * MOST_TEXT
    assert cut("x" * (MOST_TEXT + 1000)).endswith("… 1,000 more characters; the JSON has them")


@pytest.mark.parametrize(
    ("text", "shown"),
    [('{"a":1}', '{\n  "a": 1\n}'), ("no JSON {", "no JSON {"), ("[" * 100_000, None)],
)
def test_json_is_indented_and_other_text_remains(text: str, shown: str | None) -> None:
    assert indented(text).startswith("[[[") if shown is None else indented(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (0.0123, "12 ms"),
        (1.234, "1.23 s"),
        (12.34, "12.3 s"),
        (75, "1 min 15 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(("count", "shown"), [(999, "999 B"), (1500, "1.5 KB"), (2.5e9, "2.5 GB")])
def test_sizes(count: float, shown: str) -> None:
    assert size(count) == shown


def test_times() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert moment(0) == "1970-01-01"
    assert moment(time.time()).count(":") == 2


def test_values_of_settings() -> None:
    assert (plain("a"), plain(True), plain(["b"])) == ("a", "true", '["b"]')
