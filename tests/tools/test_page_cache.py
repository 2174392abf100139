"""The cache of pages, with limits of age and size."""

from antiphon.tools.page_cache import Page, PageCache


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def page(text: str) -> Page:
    return Page("", "", text)


def test_a_page_is_kept_for_its_time() -> None:
    clock = Time()
    pages = PageCache(clock, max_age=10)
    pages.put("a", page("text"))
    clock.now = 10
    assert pages.get("a") == page("text")
    clock.now = 10.1
    assert pages.get("a") is None
    assert pages.get("b") is None


def test_a_page_that_is_read_again_is_as_new() -> None:
    clock = Time()
    pages = PageCache(clock, max_age=10)
    pages.put("a", page("old"))
    clock.now = 8
    pages.put("a", page("new"))
    clock.now = 18
    assert pages.get("a") == page("new")


def test_the_page_that_nobody_used_for_longest_makes_room() -> None:
    pages = PageCache(max_bytes=22)
    pages.put("a", page("x" * 9))
    pages.put("b", page("é" * 4))
    assert pages.get("a")
    pages.put("c", page("x" * 9))
    assert [bool(pages.get(url)) for url in "abc"] == [True, False, True]


def test_a_page_that_alone_is_too_large_is_not_kept_and_throws_nobody_out() -> None:
    pages = PageCache(max_bytes=20)
    pages.put("a", page("x"))
    pages.put("b", page("x" * 20))
    assert pages.get("a")
    assert pages.get("b") is None


def test_a_page_that_has_become_too_large_is_not_answered_with_its_old_text() -> None:
    pages = PageCache(max_bytes=20)
    pages.put("a", page("x"))
    pages.put("a", page("x" * 20))
    assert pages.get("a") is None
