"""The outcomes of raw bytes, at our connections and at uvicorn's over h11."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

import pytest
import uvloop
from uvicorn.protocols.http.h11_impl import H11Protocol

from antiphon.server.http.connection import connections
from tests.server.http.corpus import CASES
from tests.server.http.raw import outcomes


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Each malformed request is logged; a failure of a test would show all of it."""
    caplog.set_level(logging.CRITICAL)


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 150
    assert [name for name, count in Counter(case.name for case in CASES).items() if count > 1] == []


def test_each_difference_has_a_reason() -> None:
    assert [case.name for case in CASES if (case.h11 is None) != (case.why is None)] == []
    assert [case.name for case in CASES if case.h11 == case.ours] == []


@pytest.mark.parametrize("run", [uvloop.run, asyncio.run], ids=["uvloop", "asyncio"])
def test_raw_bytes_have_the_listed_outcomes(run: Callable[..., dict[str, str]]) -> None:
    assert run(outcomes(connections(), CASES)) == {case.name: case.ours for case in CASES}


def test_h11_agrees_except_where_a_difference_is_listed() -> None:
    listed = {case.name: case.ours if case.h11 is None else case.h11 for case in CASES}
    assert uvloop.run(outcomes(H11Protocol, CASES)) == listed
