"""Selection of results, and the arguments of recorded searches."""

import msgspec
import pytest

from antiphon.tools.web_search.providers.countries import LANGUAGES, NAMES
from antiphon.tools.web_search.providers.protocol import (
    Search,
    SearchResult,
    is_allowed,
    plain,
    shortened,
    wanted,
)


def result(url: str, content: str = "c", raw: str | None = None) -> SearchResult:
    return SearchResult(url=url, title="t", content=content, raw_content=raw)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/a", True),
        ("http://docs.EXAMPLE.com:8080/", True),
        ("https://example.com./", True),
        ("https://notexample.com/", False),
        ("https://example.com.evil.org/", False),
        ("https://evil.org/?example.com", False),
        ("https://example.com@evil.org/", False),
        ("ftp://example.com/", False),
        ("javascript:alert(1)", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_allowed_domains_hold_for_the_host_alone(url: str, expected: bool) -> None:
    assert is_allowed(url, ("example.com", "b.org")) is expected


def test_without_domains_every_page_of_the_web_counts() -> None:
    assert is_allowed("https://a.com", ())
    assert not is_allowed("file:///etc/passwd", ())


def test_results_are_filtered_before_they_are_counted() -> None:
    found = [result(f"https://{host}/") for host in ("x.org", "a.com", "b.a.com", "c.a.com", "d.a.com")]
    kept = wanted(found, Search(query="q", allowed_domains=("a.com",), context_size="low"), 1000)
    assert [each.url for each in kept] == ["https://a.com/", "https://b.a.com/", "https://c.a.com/"]


def test_texts_are_cut_where_they_are_too_long_together() -> None:
    found = [
        result("https://a.com/", "é" * 4, "r" * 4),
        result("https://b.com/", "x"),
        result("https://c.com/"),
    ]
    kept = wanted(found, Search(query="q"), 11)
    assert [(each.content, each.raw_content) for each in kept] == [("éééé", "rrr")]
    assert shortened("éé", 3) == "é"
    assert shortened("x", -1) == ""


def test_a_search_is_recorded_without_what_is_usual() -> None:
    assert Search(query="q").arguments == {"query": "q"}
    search = Search(query="q", allowed_domains=("a.com",), city="Utrecht", context_size="high")
    assert search.arguments == {
        "query": "q",
        "allowed_domains": ["a.com"],
        "city": "Utrecht",
        "context_size": "high",
    }
    assert msgspec.convert(search.arguments, Search) == search


def test_text_is_text_without_nul() -> None:
    assert plain("a\0b") == "ab"
    assert plain(None) == plain(7) == ""


def test_every_country_has_a_language_and_a_name() -> None:
    assert LANGUAGES.keys() == NAMES.keys()
    assert all(len(code) == 2 and code.isupper() for code in NAMES)
    assert all(len(language) == 2 and language.islower() for language in LANGUAGES.values())
    assert NAMES["US"] == "united states"
    assert LANGUAGES["NL"] == "nl"
