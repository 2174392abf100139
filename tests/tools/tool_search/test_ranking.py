import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.tools.tool_search.ranking import ranked, words_of

TOOLS = [
    "get_weather Get the current weather at a location",
    "send_email Send an email to a recipient",
    "search_files Search through files in the workspace",
    "createInvoice Create an invoice for a customer crm Customers and their orders",
    "list_orders List the orders of a customer crm Customers and their orders",
]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("weather in Paris", 0),
        ("get_weather", 0),
        ("write emails", 1),
        ("find a file", 2),
        ("create invoices", 3),
        ("CREATEINVOICE create invoice", 3),
        ("which orders has this customer", 4),
    ],
)
def test_the_tool_for_the_task_is_first(query: str, best: int) -> None:
    assert ranked(query, TOOLS, 3)[0] == best


@pytest.mark.parametrize("query", ["", "!!!", "quantum physics"])
def test_a_query_without_common_words_finds_nothing(query: str) -> None:
    assert ranked(query, TOOLS, 3) == []


def test_ties_keep_the_order_of_the_request() -> None:
    assert ranked("alpha", ["alpha one", "beta two", "alpha two", "alpha six"], 2) == [0, 2]


def test_no_tools_are_no_error() -> None:
    assert ranked("alpha", [], 3) == []


def test_words_of_names() -> None:
    assert words_of("getUser_name, HTTPServer2-fooBar's") == [
        "get",
        "user",
        "name",
        "httpserver2",
        "foo",
        "bar",
        "s",
    ]
    assert words_of("classes glass his") == ["classe", "glass", "his"]


@given(st.text(), st.lists(st.text(max_size=50), max_size=6), st.integers(0, 6))
def test_any_texts_are_ranked_alike_each_time(query: str, documents: list[str], limit: int) -> None:
    places = ranked(query, documents, limit)
    assert places == ranked(query, documents, limit)
    assert len(set(places)) == len(places) <= limit
    assert all(0 <= place < len(documents) for place in places)
