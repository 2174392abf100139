"""Answers as the load generator reads them."""

from bench import stub
from bench.client import deltas, percentile
from bench.workloads import TEXT


def test_the_deltas_of_an_answer_make_its_text() -> None:
    answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + stub.chunked(
        stub.response_stream(200)
    )
    assert deltas(answer) == TEXT


def test_a_missing_delta_is_seen() -> None:
    events = stub.response_stream(200).replace(b'"delta":" token3"', b'"delta":""', 1)
    answer = b"HTTP/1.1 200 OK\r\n\r\n" + stub.chunked(events)
    assert deltas(answer) != TEXT


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2
    assert percentile([1.0, 2.0], 0.99) == 2
