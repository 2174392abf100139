import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.net.fetch import Fetched
from antiphon.net.readable import Readable, readable


def page(
    body: str | bytes, content_type: str = "text/html", charset: str | None = None, *, whole: bool = True
) -> Fetched:
    data = body if isinstance(body, bytes) else body.encode()
    return Fetched("https://site.test/a/b?c", content_type, charset, data, whole)


def text(body: str | bytes, content_type: str = "text/html", charset: str | None = None) -> str:
    read = readable(page(body, content_type, charset), 10_000)
    assert read is not None
    return read.text


def test_title_and_blocks() -> None:
    body = """<html><head><title> A &amp;
    B </title><style>p {}</style></head><body><h1>Head</h1><p>One
    <b>two</b>three<br>four<ul><li>x</li><li>y</li></ul><table><tr><td>1</td><td>2</td></tr></table></body>"""
    assert readable(page(body), 1000) == Readable("A & B", "# Head\nOne twothree\nfour\nx\ny\n1 2")


def test_what_is_not_read() -> None:
    body = "<nav>no</nav><script>no</script><noscript>no</noscript><!-- no --><form>no</form>yes"
    assert text(body + "<footer>no</footer>") == "yes"


def test_links() -> None:
    assert text('<a href="../x?y=z">up</a> <a href="//other.test/">there</a>') == (
        "[up](https://site.test/x?y=z) [there](https://other.test/)"
    )
    assert (
        text('<a href="#top">a</a><a href="javascript:b()">b</a><a>c</a><a href="http://[x">d</a>') == "abcd"
    )


def test_a_link_around_what_is_not_read() -> None:
    assert (
        text('<nav><a href="/x">no</a></nav>a<a href="/y"><script>no</script>b</a>')
        == "a[b](https://site.test/y)"
    )


@pytest.mark.parametrize("body", ["", "  \n", "<!-- -->", "<html></html>"])
def test_empty_pages(body: str) -> None:
    assert readable(page(body), 10) == Readable(None, "")


def test_encodings() -> None:
    assert text("café".encode("latin-1"), charset="iso-8859-1") == "café"
    assert text("<meta charset='windows-1252'>café €".encode("cp1252")) == "café €"
    assert text("日本".encode("shift_jis"), charset="Shift_JIS") == "日本"
    assert text("café", charset="iso-8859-1") == "café"  # UTF-8, despite the server's header.


@pytest.mark.parametrize("charset", ["hex", "punycode", "utf-7", "cp0", "no such thing", "os.system"])
def test_encodings_that_are_none(charset: str) -> None:
    assert text(b"caf\xe9 \xff", content_type="text/plain", charset=charset).startswith("caf")


def test_a_page_cut_in_the_middle_of_a_character() -> None:
    read = readable(page("naïve café".encode()[:-1], "text/plain", whole=False), 100)
    assert read == Readable(None, "naïve caf")


def test_plain_text_is_as_it_is() -> None:
    assert text("a\n\n  b <p>", content_type="text/plain") == "a\n\n  b <p>"
    assert text('{"a": 1}', content_type="application/problem+json") == '{"a": 1}'
    assert text("x", content_type="") == "x"


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/zip", "video/mp4"])
def test_what_is_no_text(kind: str) -> None:
    assert readable(page("x", kind), 10) is None


def test_binary_that_is_called_text() -> None:
    assert readable(page(b"\x00\x01", "text/plain"), 10) is None


def test_the_text_is_bounded() -> None:
    read = readable(page("<p>word</p>" * 10_000), 50)
    assert read is not None
    assert len(read.text) == 50
    assert read.text.startswith("word\nword\n")


def test_deep_and_wide_pages() -> None:
    assert text("<p>" * 100_000 + "end").endswith("end")
    assert text("start" + "<div>" * 100_000).startswith("start")
    assert text("<a href=/x>" * 5_000 + "end") != ""


@given(st.binary(max_size=300))
def test_anything_is_read(body: bytes) -> None:
    read = readable(page(body), 100)
    assert read is not None
    assert len(read.text) <= 100


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<a href='/x'>", "</a>", "<nav>", "</nav>", "x", "<td>", "&lt;"])
    )
)
def test_any_nesting_is_read(parts: list[str]) -> None:
    read = readable(page("".join(parts)), 1000)
    assert read is not None
    assert "<nav>" not in read.text
