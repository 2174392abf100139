"""Requests and tokens per minute, and streams at the same time, with the test's own clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.service.access.errors import RateLimited
from antiphon.service.access.limits import Bucket, Limits, Meter, duration


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def meter(clock: Clock, **limits: int) -> Meter:
    return Meter(Limits(**limits), clock)


def refusal(meter: Meter) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        meter.begin_request()
    assert (caught.value.status, caught.value.code, caught.value.param) == (429, "rate_limit_exceeded", None)
    return caught.value


def test_requests_are_let_in_up_to_the_limit_and_again_after_their_share_of_a_minute() -> None:
    clock = Clock()
    limited = meter(clock, requests_per_minute=3)
    for _ in range(3):
        limited.begin_request()
    refused = refusal(limited)
    assert refused.type == "requests"
    assert refused.headers == {"retry-after": "20", "retry-after-ms": "20000"}
    assert refused.message == (
        "Rate limit reached on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 20s."
    )
    clock.now = 19.9
    refusal(limited)
    clock.now = 20.0
    limited.begin_request()
    refusal(limited)


def test_tokens_may_be_overdrawn_once_and_the_debt_is_waited_off() -> None:
    clock = Clock()
    limited = meter(clock, tokens_per_minute=600)
    limited.begin_request()
    limited.spend(599)
    limited.begin_request()
    limited.spend(101)
    refused = refusal(limited)
    assert refused.type == "tokens"
    # 100 tokens of debt and one token for the request, at ten per second.
    assert refused.headers["retry-after-ms"] == "10100"
    assert refused.headers["retry-after"] == "11"
    assert refused.message == (
        "Rate limit reached on tokens per min (TPM): Limit 600, Used 700. Please try again in 10.1s."
    )
    clock.now = 10.1
    limited.begin_request()


def test_what_is_refused_for_its_tokens_is_no_request() -> None:
    clock = Clock()
    limited = meter(clock, requests_per_minute=2, tokens_per_minute=60)
    limited.begin_request()
    limited.spend(60)
    refusal(limited)
    clock.now = 1.0
    limited.begin_request()


def test_streams_are_counted_while_they_are_open() -> None:
    limited = meter(Clock(), concurrent_streams=2)
    for _ in range(2):
        limited.begin_stream()
    with pytest.raises(RateLimited, match="concurrent streams: Limit 2, Used 2") as caught:
        limited.begin_stream()
    assert caught.value.headers["retry-after"] == "1"
    limited.end_stream()
    limited.begin_stream()


def test_without_limits_nothing_is_refused_or_counted() -> None:
    free = meter(Clock())
    for _ in range(100):
        free.begin_request()
        free.begin_stream()
        free.spend(10**9)
    assert free.headers() == []


def test_the_headers_are_openais() -> None:
    clock = Clock()
    limited = meter(clock, requests_per_minute=60, tokens_per_minute=6000)
    limited.begin_request()
    limited.spend(6600)
    assert limited.headers() == [
        (b"x-ratelimit-limit-requests", b"60"),
        (b"x-ratelimit-remaining-requests", b"59"),
        (b"x-ratelimit-reset-requests", b"1s"),
        (b"x-ratelimit-limit-tokens", b"6000"),
        (b"x-ratelimit-remaining-tokens", b"0"),
        (b"x-ratelimit-reset-tokens", b"1m6s"),
    ]
    clock.now = 66.0
    assert dict(limited.headers())[b"x-ratelimit-remaining-tokens"] == b"6000"
    assert dict(limited.headers())[b"x-ratelimit-reset-tokens"] == b"0s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0171, "18ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.999, "59.999s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (3602, "1h0m2s"),
        (86_400, "24h0m0s"),
    ],
)
def test_times_are_written_as_in_openais_headers(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 5000)), max_size=30),
)
def test_a_bucket_never_holds_more_than_its_limit_and_waiting_suffices(
    limit: int, steps: list[tuple[float, int]]
) -> None:
    clock = Clock()
    bucket = Bucket(limit, clock)
    for seconds, amount in steps:
        clock.now += seconds
        assert bucket.level() <= limit
        bucket.take(amount)
    clock.now += bucket.wait(1)
    assert bucket.level() == pytest.approx(max(1, bucket.level()))
    assert bucket.wait(1) < 1e-3
