"""The engine against recordings of api.openai.com, event for event; `recordings.py` lists them."""

import asyncio
from functools import cache

import msgspec
import pytest

from antiphon.errors import AntiphonError, ContextLengthExceeded, InvalidRequest
from antiphon.wire.json import JSONObject
from tests.support.schemas import (
    check_error,
    check_event,
    check_openresponses_event,
    check_openresponses_response,
    check_response,
)
from tests.wire.compare import Comparison, Difference
from tests.wire.derive import chunks_of
from tests.wire.deviations import DEVIATIONS
from tests.wire.engine import Run, ScriptedModel
from tests.wire.recordings import (
    COVERED,
    HOSTED,
    LEFT_OUT,
    Exchange,
    engine_exchanges,
    recording_names,
)

pytestmark = pytest.mark.shared


TOO_LONG = "Your input exceeds the context window of this model. Please adjust your input and try again."


def test_every_recording_is_covered_or_listed_as_omitted() -> None:
    assert sorted({*COVERED, *HOSTED, *LEFT_OUT}) == recording_names()
    assert not {*COVERED, *HOSTED} & LEFT_OUT.keys()


@pytest.mark.parametrize("recording", LEFT_OUT)
def test_no_recording_is_omitted_that_the_engine_could_answer(recording: str) -> None:
    if LEFT_OUT[recording].startswith("written by hand"):
        statuses = {exchange.body["status"] for exchange in engine_exchanges(recording)}
        assert statuses == {"complete"}
    else:
        assert engine_exchanges(recording) == []


@pytest.mark.parametrize("recording", COVERED)
def test_the_engine_says_what_was_recorded(recording: str) -> None:
    compared = engine_exchanges(recording)
    assert compared
    for exchange in compared:
        if exchange.status == 200:
            run = play(exchange)
            assert_same_types(exchange, run)
            unknown = [d for d in differences(exchange, run) if not is_known(d, exchange)]
            assert unknown == [], f"{exchange.name}: {unknown}"
        else:
            assert refusal(exchange) == exchange.body, exchange.name


@pytest.mark.parametrize("recording", COVERED)
def test_what_the_engine_says_fits_the_descriptions(recording: str) -> None:
    for exchange in engine_exchanges(recording):
        if exchange.status != 200:
            check_error(refusal(exchange))
            continue
        run = play(exchange)
        plain = is_plain(exchange)
        for event in run.events:
            check_event(event)
            if plain:
                check_openresponses_event(event)
        response = run.events[-1]["response"]
        check_response(response)
        if plain:
            check_openresponses_response(response)


@pytest.mark.parametrize("recording", COVERED)
def test_the_batches_of_the_network_make_no_difference(recording: str) -> None:
    for exchange in engine_exchanges(recording):
        if exchange.status == 200:
            run = Run(exchange.request, model_for(exchange, in_one_read=True))
            asyncio.run(run.play())
            assert run.events == play(exchange).events, exchange.name


def test_every_deviation_is_still_needed() -> None:
    recorded = [exchange for name in COVERED for exchange in engine_exchanges(name) if exchange.status == 200]
    found = [
        (difference, exchange)
        for exchange in recorded
        for difference in differences(exchange, play(exchange))
    ]
    unused = [d for d in DEVIATIONS if not any(d.covers(one, exchange.request) for one, exchange in found)]
    assert unused == []


def is_known(difference: Difference, exchange: Exchange) -> bool:
    return any(deviation.covers(difference, exchange.request) for deviation in DEVIATIONS)


def is_plain(exchange: Exchange) -> bool:
    """Return whether Open Responses' description can cover the exchange.

    It has no hosted tools, and can't echo a JSON schema (an error in the description).
    """
    request: JSONObject = exchange.request
    return not (
        any(tool["type"] != "function" for tool in request.get("tools", []))
        or request.get("text", {}).get("format", {}).get("type") == "json_schema"
    )


@cache
def _played(recording: str, number: int) -> Run:
    exchange = next(e for e in engine_exchanges(recording) if e.number == number)
    run = Run(exchange.request, model_for(exchange))
    asyncio.run(run.play())
    return run


def play(exchange: Exchange) -> Run:
    return _played(exchange.recording, exchange.number)


def model_for(exchange: Exchange, in_one_read: bool = False) -> ScriptedModel:
    """Return a model whose reply leads to the exchange."""
    last = exchange.events[-1]["type"] if exchange.events else ""
    if exchange.status != 200 or last == "response.failed":
        return ScriptedModel(error=ContextLengthExceeded(TOO_LONG))
    return ScriptedModel(chunks_of(exchange), in_one_read=in_one_read)


def assert_same_types(exchange: Exchange, run: Run) -> None:
    if exchange.events:
        assert [e["type"] for e in run.events] == [e["type"] for e in exchange.events], exchange.name


def differences(exchange: Exchange, run: Run) -> list[Difference]:
    """Return the differences between the recording and the run, including known deviations."""
    comparison = Comparison()
    if not exchange.events:
        return list(comparison.differences("response", exchange.body, run.events[-1]["response"]))
    return [
        difference
        for recorded, ours in zip(exchange.events, run.events, strict=True)
        for difference in comparison.differences(recorded["type"], recorded, ours)
    ]


def refusal(exchange: Exchange) -> JSONObject:
    """Return the error body for a request that fails, at once or during the model call."""
    error: AntiphonError | None
    try:
        run = Run(exchange.request, model_for(exchange))
        asyncio.run(run.play())
        error = run.failure
    except InvalidRequest as refused:
        error = refused
    assert error is not None, exchange.name
    assert error.status == exchange.status
    return {"error": msgspec.to_builtins(error.body())}
