"""Responses with hosted tools against recordings of api.openai.com, event for event.

The engine, the tools and the search for citations are this server's own; only the model and the results of
tool calls come from the recording. `recordings.py` lists the recordings.
"""

from collections.abc import Iterator
from functools import cache

import pytest

from antiphon.wire.json import JSONObject
from tests.support.schemas import check_event, check_response
from tests.wire.compare import Comparison, Difference
from tests.wire.deviations import DEVIATIONS, HOSTED_DEVIATIONS
from tests.wire.engine import Run
from tests.wire.hosted import play
from tests.wire.recordings import HOSTED, Exchange, hosted_exchanges

pytestmark = pytest.mark.shared


LISTED = "response.mcp_list_tools.completed"


@cache
def played(recording: str, number: int) -> Run:
    return play(next(e for e in hosted_exchanges(recording) if e.number == number))


def runs(recording: str) -> Iterator[tuple[Exchange, Run]]:
    for exchange in hosted_exchanges(recording):
        run = played(recording, exchange.number)
        assert run.failure is None, exchange.name
        yield exchange, run


@pytest.mark.parametrize("recording", HOSTED)
def test_hosted_tools_say_what_was_recorded(recording: str) -> None:
    compared = list(runs(recording))
    assert compared
    for exchange, run in compared:
        recorded, ours = in_one_order(exchange.events), in_one_order(run.events)
        if recorded:
            assert [e["type"] for e in ours] == [e["type"] for e in recorded], exchange.name
        unknown = [d for d in differences(exchange, run) if not is_known(d, exchange)]
        assert unknown == [], f"{exchange.name}: {unknown}"


@pytest.mark.parametrize("recording", HOSTED)
def test_what_hosted_tools_say_fits_the_descriptions(recording: str) -> None:
    for _, run in runs(recording):
        for event in run.events:
            check_event(event)
        check_response(run.events[-1]["response"])


@pytest.mark.parametrize("recording", HOSTED)
def test_the_batches_of_the_network_make_no_difference(recording: str) -> None:
    for exchange, run in runs(recording):
        assert play(exchange, in_one_read=True).events == run.events, exchange.name


@pytest.mark.parametrize("recording", HOSTED)
def test_the_sequence_numbers_are_contiguous(recording: str) -> None:
    for _, run in runs(recording):
        assert [event["sequence_number"] for event in run.events] == list(range(len(run.events)))


def test_every_deviation_is_still_needed() -> None:
    found = [
        (difference, exchange)
        for recording in HOSTED
        for exchange, run in runs(recording)
        for difference in differences(exchange, run)
    ]
    unused = [
        d for d in HOSTED_DEVIATIONS if not any(d.covers(one, exchange.request) for one, exchange in found)
    ]
    assert unused == []


def is_known(difference: Difference, exchange: Exchange) -> bool:
    known = (*DEVIATIONS, *HOSTED_DEVIATIONS)
    return any(deviation.covers(difference, exchange.request) for deviation in known)


def differences(exchange: Exchange, run: Run) -> list[Difference]:
    comparison = Comparison()
    if not exchange.events:
        return list(comparison.differences("response", exchange.body, run.events[-1]["response"]))
    return [
        difference
        for recorded, ours in zip(in_one_order(exchange.events), in_one_order(run.events), strict=True)
        for difference in comparison.differences(recorded["type"], recorded, ours)
    ]


def in_one_order(events: list[JSONObject]) -> list[JSONObject]:
    """Return the events with those of several MCP servers in the order of their items.

    Their lists arrive in any order. `output_item.done` is omitted, because the API sends only the last one.
    """
    lists = sum(event["type"] == LISTED for event in events)
    if lists < 2:
        return events
    completed = iter(sorted((e for e in events if e["type"] == LISTED), key=lambda e: e["output_index"]))
    kept = [
        next(completed) if event["type"] == LISTED else event
        for event in events
        if not (event["type"] == "response.output_item.done" and event["item"]["type"] == "mcp_list_tools")
    ]
    return [event | {"sequence_number": number} for number, event in enumerate(kept)]
