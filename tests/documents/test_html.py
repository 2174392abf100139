import pytest

from antiphon.documents.html import html_text


def test_blocks_are_lines_and_cells_are_separated_by_tabs() -> None:
    page = b"""<!doctype html><html><head><title>Owls</title><style>p {}</style></head>
    <body><h1>On <em>owls</em></h1><p>They   hunt
    at night &amp; sleep.<br>By day.</p><ul><li>one<li>two</ul>
    <table><tr><th>Name<th>Size</tr><tr><td>Eagle&nbsp;owl<td>70 cm</tr></table>
    <script>alert("no")</script><!-- no --><noscript>no</noscript></body></html>"""
    assert html_text(page).split("\n") == [
        "Owls",
        "On owls",
        "They hunt at night & sleep.",
        "By day.",
        "one",
        "two",
        "Name\tSize",
        "Eagle owl\t70 cm",
    ]


@pytest.mark.parametrize(
    "page",
    [
        "<p>Grüße</p>".encode(),
        b'<meta charset="iso-8859-1"><p>Gr\xfc\xdfe</p>',
        '<?xml version="1.0" encoding="utf-8"?><html><p>Grüße</p></html>'.encode(),
    ],
)
def test_the_encoding_is_found(page: bytes) -> None:
    assert html_text(page) == "Grüße"


@pytest.mark.parametrize("page", [b"", b"   ", b"<!-- -->", b"<script>x</script>"])
def test_a_page_without_text(page: bytes) -> None:
    assert html_text(page) == ""


def test_text_after_a_skipped_element_is_kept() -> None:
    assert html_text(b"<p>one <script>no</script>two</p>") == "one two"


def test_a_page_nested_without_end_is_read_as_far_as_it_goes() -> None:
    assert "no" not in html_text(b"<p>before" + b"<div>" * 100_000 + b"after")
