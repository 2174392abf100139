"""Results in the forms in which they are recorded."""

import json

import pytest

from antiphon.errors import UpstreamBroken, UpstreamError
from antiphon.tools.web_search.calls import results_of
from antiphon.wire.json import JSON
from tests.tools.web_search.searching import RESULT


def invocation(**changes: JSON) -> JSON:
    """Return a result as llama-stack records it."""
    return {"content": None, "error_message": None, "error_code": None, "metadata": None} | changes


@pytest.mark.parametrize(
    "value",
    [
        {"query": "q", "top_k": [RESULT]},
        {"url": "https://example.com/a", "results": [RESULT]},
        invocation(content=json.dumps({"query": "q", "top_k": [RESULT]})),
    ],
)
def test_results_are_found_in_every_form(value: JSON) -> None:
    assert results_of(value) == [RESULT]


def test_a_recorded_failure_is_one() -> None:
    with pytest.raises(UpstreamError, match="out of credits"):
        results_of(invocation(error_message="out of credits", error_code=1))


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"top_k": {}},
        {"top_k": ["x"]},
        {"top_k": [{"title": "no address"}]},
        invocation(),
        invocation(content="not JSON"),
        invocation(content="[]"),
        invocation(content="[" * 10_000),
    ],
)
def test_anything_else_is_broken(value: JSON) -> None:
    with pytest.raises(UpstreamBroken, match="not a list of pages"):
        results_of(value)
