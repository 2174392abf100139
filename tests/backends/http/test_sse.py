import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.backends.http import sse
from antiphon.backends.http.sse import EventTooLarge, SseSplitter


def split(*reads: bytes) -> list[bytes]:
    splitter = SseSplitter()
    payloads = [payload for read in reads for payload in splitter.feed(read)]
    return payloads + splitter.close()


def test_the_usual_form_gives_a_list_a_read() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b'data: {"a":1}\n\ndata: {"a":2}\n\n') == [b'{"a":1}', b'{"a":2}']
    assert splitter.feed(b'data: {"a":3}\n\ndata: [DONE]\n\n') == [b'{"a":3}']
    assert splitter.done
    assert splitter.close() == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_F43_line_ends_comments_and_many_lines(end: bytes) -> None:
    lines = [
        b": keep-alive",
        b"",
        b"event: message",
        b"id: 7",
        b"data:{",
        b'data: "a":',
        b"data:   1}",
        b"",
        b": again",
        b"data: 2",
        b"retry: 3",
        b"",
        b"",
    ]
    assert split(end.join(lines) + end) == [b'{ "a":   1}', b"2"]


def test_a_payload_is_one_line() -> None:
    assert split(b"data: {\ndata: }\n\n") == [b"{ }"]


def test_no_space_no_colon_and_empty_data() -> None:
    assert split(b"data:1\n\ndata: \n\ndata:\n\ndata\n\ndatax: 2\n\n") == [b"1"]


def test_a_byte_order_mark_is_skipped() -> None:
    assert split(b"\xef\xbb\xbfdata: 1\n\n") == [b"1"]


def test_the_last_event_needs_no_blank_line() -> None:
    assert split(b"data: 1\n\ndata: 2") == [b"1", b"2"]
    assert split(b"data: 1\n") == [b"1"]


@pytest.mark.parametrize(
    "done", [b"data: [DONE]\n\n", b"data:[DONE]\n\n", b"data: [DONE] \r\n\r\n", b"data: [DONE]"]
)
def test_done_ends(done: bytes) -> None:
    splitter = SseSplitter()
    payloads = splitter.feed(b"data: 1\n\n" + done) + splitter.close()
    assert payloads == [b"1"]
    assert splitter.feed(b"") == []


def test_nothing_after_done_is_read() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b"data: 1\n\ndata: [DONE]\n\ndata: 2\n\ndata: 3") == [b"1"]
    assert splitter.close() == []


def test_F44_a_large_chunk_in_many_reads() -> None:
    payload = b'{"content":"' + b"x" * 10_000_000 + b'"}'
    body = b"data: " + payload + b"\n\n"
    assert split(*(body[at : at + 65536] for at in range(0, len(body), 65536))) == [payload]


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    splitter = SseSplitter()
    assert splitter.feed(b"data: " + b"x" * 900) == []
    with pytest.raises(EventTooLarge):
        splitter.feed(b"x" * 900)


def test_the_bound_is_for_one_event_not_for_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 100)
    splitter = SseSplitter()
    assert (
        sum(len(splitter.feed(b"data: 12345\n\nda")) + len(splitter.feed(b"ta: 1\n\n")) for _ in range(50))
        == 100
    )


_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
_TEXTS = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1).map(
    lambda text: f'"{text}"'
)


@given(
    st.lists(st.tuples(st.lists(_TEXTS, min_size=1, max_size=3), _ENDS, st.booleans()), max_size=5),
    st.lists(st.integers(0, 500), max_size=20),
)
def test_F29_any_cut_gives_the_same_payloads(
    events: list[tuple[list[str], bytes, bool]], cuts: list[int]
) -> None:
    body = b""
    for lines, end, comment in events:
        body += (b": note" + end + end) if comment else b""
        body += b"".join(b"data: " + line.encode() + end for line in lines) + end
    points = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(points)]
    assert split(*pieces) == [" ".join(lines).encode() for lines, _, _ in events]


def test_a_read_without_data_changes_nothing() -> None:
    splitter = SseSplitter()
    assert splitter.feed(b'data: {"a":1}\r') == []
    assert splitter.feed(b"") == []
    assert splitter.feed(b"\ndata: 2\r\n\r\n") == [b'{"a":1} 2']
