import pytest

from antiphon.build import version_text
from antiphon.serving.banner import MAX_LINES, banner, size_text


def lines(
    *notices: str,
    url: str = "http://127.0.0.1:8321/v1",
    mode: str = "live",
    keys: int = 0,
    has_pages: bool = True,
) -> list[str]:
    return banner(
        url=url, store="state.db (0 B)", mode=mode, keys=keys, has_pages=has_pages, notices=[*notices]
    )


def test_everything_is_said() -> None:
    assert lines("ollama at http://127.0.0.1:11434 (found): 3 models, 12 ms") == [
        f"Antiphon {version_text()}",
        "ollama at http://127.0.0.1:11434 (found): 3 models, 12 ms",
        "store     state.db (0 B)",
        "mode      live",
        "access    no authentication; this machine only",
        "pages     http://127.0.0.1:8321/",
        "export OPENAI_BASE_URL=http://127.0.0.1:8321/v1",
    ]


def test_a_server_without_pages_names_none() -> None:
    assert not any(line.startswith("pages") for line in lines(has_pages=False))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_at_most_eight_lines_and_the_url_is_last(count: int) -> None:
    notices = [f"notice {number}" for number in range(count)]
    shown = lines(*notices)
    assert len(shown) <= MAX_LINES == 8
    assert shown[-1] == "export OPENAI_BASE_URL=http://127.0.0.1:8321/v1"
    if count > 2:
        assert shown[1] == "notice 0"
        assert shown[2] == f"... and {count - 1} more lines"
    else:
        assert [line for line in shown if line.startswith("notice")] == notices


@pytest.mark.parametrize(
    ("host", "warns"),
    [
        ("127.0.0.1", False),
        ("localhost", False),
        ("[::1]", False),
        ("0.0.0.0", True),
        ("[::]", True),
        ("10.1.2.3", True),
    ],
)
def test_open_access_is_a_warning(host: str, warns: bool) -> None:
    (access,) = (line for line in lines(url=f"http://{host}:8321/v1") if line.startswith("access"))
    assert ("WARNING: no authentication" in access) is warns
    assert (host in access) is warns


@pytest.mark.parametrize(("keys", "words"), [(1, "(1 valid)"), (3, "(3 valid)")])
def test_with_keys_the_banner_reports_access(keys: int, words: str) -> None:
    for host in ("127.0.0.1", "0.0.0.0"):
        assert f"access    API key required {words}" in lines(url=f"http://{host}:8321/v1", keys=keys)


def test_the_mode_is_named() -> None:
    assert "mode      replay from tapes: no calls to backends" in lines(
        mode="replay from tapes: no calls to backends"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KB"), (45_600_000, "45.6 MB"), (7_800_000_000, "7.8 GB")],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text
