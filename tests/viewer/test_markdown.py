import pytest

from antiphon.viewer.markdown import markdown


def test_markdown_becomes_html() -> None:
    assert markdown("**Hi** `x`") == "<p><strong>Hi</strong> <code>x</code></p>\n"
    assert "<td>1</td>" in markdown("| a |\n| - |\n| 1 |")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("a <img src=x onerror=alert(1)>", "&lt;img"),
        ("<iframe srcdoc='x'></iframe>", "&lt;iframe"),
        ("&lt;script&gt;", "&lt;script&gt;"),
    ],
)
def test_html_is_text(text: str, shown: str) -> None:
    html = markdown(text)
    assert shown in html
    for tag in ("<script", "<img", "<iframe"):
        assert tag not in html


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#115;cript:alert(1)",
        "&#x6A;avascript:alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//evil.example/",
        "/viewer/responses",
        "?tab=raw",
    ],
)
def test_links_that_run_or_lead_into_this_server_lead_nowhere(address: str) -> None:
    for text in (f"[x]({address})", f"[x]: <{address}>\n\n[x]", f"<{address}>"):
        assert "href" not in markdown(text).replace("&quot;", "")


def test_links_of_the_web_lead_there_without_a_trace() -> None:
    html = markdown("[x](https://example.com/?a=1&b=2 'T')")
    assert 'href="https://example.com/?a=1&amp;b=2"' in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_images_are_never_loaded() -> None:
    assert "<img" not in markdown("![alt](https://evil.example/pixel.png)")
    assert "<img" not in markdown("![alt](data:image/png;base64,AAAA)")


def test_a_long_text_is_shown_as_it_is() -> None:
    html = markdown("**<b>**" * 5000)
    assert html.startswith("<pre>**&lt;b&gt;**")
    assert "<strong>" not in html


def test_deep_nesting_ends() -> None:
    assert ">" in markdown(">" * 19_000 + "x")
    assert markdown("[" * 5000 + "x" + "](y)" * 2000)
