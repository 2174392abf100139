"""Links to known pages in streamed text: detection, extent, and time of report."""

import pytest

from antiphon.engine.reply.links import MAX_URL, LinkFinder, url_key
from antiphon.wire.content import UrlCitation

FED = "https://www.fed.gov/rates.htm"
MERCURY = "https://en.wikipedia.org/wiki/Mercury_(planet)"
ARRAY = "https://shop.example/list?ids[]=1"
TITLES = {
    "www.fed.gov/rates.htm?": "Rates",
    "en.wikipedia.org/wiki/Mercury_(planet)?": "Mercury",
    "shop.example/list?ids[]=1": "List",
}


def find(text: str) -> list[UrlCitation]:
    """Return the citations of a text, which are the same character by character and all at once."""
    finder = LinkFinder(TITLES)
    found = [citation for character in text for citation in finder.feed(character)] + finder.flush()
    whole = LinkFinder(TITLES)
    assert whole.feed(text) + whole.flush() == found
    return found


def cited(text: str) -> list[str]:
    return [text[citation.start_index : citation.end_index] for citation in find(text)]


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        (f"Held. ([fed.gov]({FED}?utm_source=openai))\n", f"([fed.gov]({FED}?utm_source=openai))"),
        (f"See [the rates]({FED}), then", f"[the rates]({FED})"),
        (f"([fed.gov]({FED}), or others)", f"[fed.gov]({FED})"),
        (f"See {FED}.", FED),
        (f"See {FED}", FED),
        (f"({FED})", FED),
        (f"<{FED}>", FED),
        (f"**{FED}**", FED),
        (f"[see {FED}]", FED),
        (f"[see {FED}] (once more)", FED),
        (f"在这里：{FED}。", FED),
        (f'[rates]({FED} "The rates")', FED),
        (f"[{FED}]({FED})", f"[{FED}]({FED})"),
        (f"[a [b] c]({FED})", f"[a [b] c]({FED})"),
        (f"[planet]({MERCURY}).", f"[planet]({MERCURY})"),
        (f"(see {MERCURY})", MERCURY),
        (f"[cut off]({FED}", FED),
        ("HTTP://WWW.FED.GOV/rates.htm", "HTTP://WWW.FED.GOV/rates.htm"),
        (f"[ids]({ARRAY})", f"[ids]({ARRAY})"),
        (f"[\n]({FED})", FED),
    ],
)
def test_a_link_to_a_source_is_cited(text: str, covered: str) -> None:
    assert cited(text) == [covered]


@pytest.mark.parametrize(
    "text",
    [
        "https://www.fed.gov/other.htm",
        f"https://web.archive.org/web/2026/{FED}",
        f"{FED}x",
        "www.fed.gov/rates.htm",
        "[rates](rates.htm)",
        "https://[broken",
        f"https://{'a' * MAX_URL}/ {'b' * 9}",
        f"{FED}?x={'a' * MAX_URL}",
    ],
)
def test_other_addresses_are_not_cited(text: str) -> None:
    assert cited(text) == []


def test_several_links_are_cited_in_order_with_the_page_s_title_and_the_address_in_the_text() -> None:
    text = f"One ([fed.gov]({FED}#top))[two]({FED}/)🙂 {MERCURY}"
    assert find(text) == [
        UrlCitation(start_index=4, end_index=50, title="Rates", url=f"{FED}#top"),
        UrlCitation(start_index=50, end_index=87, title="Rates", url=f"{FED}/"),
        UrlCitation(start_index=89, end_index=135, title="Mercury", url=MERCURY),
    ]


@pytest.mark.parametrize(
    ("cited_text", "after"),
    [(f"[rates]({FED})", ""), (f"([rates]({FED}))", ""), (f"([rates]({FED})", ","), (FED, " ")],
)
def test_a_citation_is_sent_as_soon_as_its_end_is_certain(cited_text: str, after: str) -> None:
    finder = LinkFinder(TITLES)
    text = f"See {cited_text}{after}"
    assert finder.feed(text[:-1]) == []
    assert len(finder.feed(text[-1])) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example", "http://A.example/"),
        ("https://a.example/b/", "https://a.example/b#part"),
        ("https://a.example/b?x=1", "https://a.example/b?utm_source=openai&x=1&utm_medium=web"),
        ("https://a.example/%E6%9D%B1", "https://a.example/東"),
    ],
)
def test_spellings_of_an_address_have_one_key(one: str, other: str) -> None:
    assert url_key(one) == url_key(other)


@pytest.mark.parametrize("other", ["https://a.example/B", "https://a.example/b?x=2", "https://b.example/b"])
def test_other_addresses_have_other_keys(other: str) -> None:
    assert url_key(other) != url_key("https://a.example/b")


def test_what_is_no_address_has_no_key() -> None:
    assert url_key("https://[broken") is None
