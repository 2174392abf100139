from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.documents.filters import decode_filter
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject

KEYS = ("region", "year", "draft", "size")
VALUES = (
    st.sampled_from(["eu", "us", "", "2", "é"])
    | st.integers(-2, 3)
    | st.sampled_from([0.5, 1.0, 2.5])
    | st.booleans()
)
ORDERED = st.sampled_from(["eu", "us", "", "2"]) | st.integers(-2, 3) | st.sampled_from([0.5, 1.0, 2.5])
COMPARISONS = (
    st.fixed_dictionaries(
        {"type": st.sampled_from(["eq", "ne"]), "key": st.sampled_from(KEYS), "value": VALUES}
    )
    | st.fixed_dictionaries(
        {
            "type": st.sampled_from(["gt", "gte", "lt", "lte"]),
            "key": st.sampled_from(KEYS),
            "value": ORDERED,
        }
    )
    | st.fixed_dictionaries(
        {
            "type": st.sampled_from(["in", "nin"]),
            "key": st.sampled_from(KEYS),
            "value": st.lists(VALUES, max_size=3),
        }
    )
)
FILTERS: st.SearchStrategy[JSONObject] = st.recursive(
    COMPARISONS,
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["and", "or"]), "filters": st.lists(inner, max_size=3)}
    ),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(st.sampled_from(KEYS), VALUES)


def brute_force(wanted: JSONObject, attributes: Mapping[str, JSON]) -> bool:
    """Return the expected result by the same rules, written as one case per kind of value."""
    kind = wanted["type"]
    if kind in ("and", "or"):
        passed = 0
        for inner in wanted["filters"]:
            if brute_force(inner, attributes):
                passed += 1
        return passed == len(wanted["filters"]) if kind == "and" else passed > 0
    if wanted["key"] not in attributes:
        return kind in ("ne", "nin")
    have = attributes[wanted["key"]]
    if kind == "in":
        return sum(same(have, value) for value in wanted["value"]) > 0
    if kind == "nin":
        return sum(same(have, value) for value in wanted["value"]) == 0
    value = wanted["value"]
    if kind == "eq":
        return same(have, value)
    if kind == "ne":
        return not same(have, value)
    if sort(have) != sort(value) or sort(have) == "boolean":
        return False
    less, equal = have < value, have == value
    outcomes = {"lt": less, "lte": less or equal, "gt": not less and not equal, "gte": not less}
    return bool(outcomes[kind])


def same(left: JSON, right: JSON) -> bool:
    return sort(left) == sort(right) and bool(left == right)


def sort(value: JSON) -> str:
    if value is True or value is False:
        return "boolean"
    return "string" if isinstance(value, str) else "number"


@given(FILTERS, ATTRIBUTES)
def test_filters_do_what_a_brute_force_evaluator_does(
    wanted: JSONObject, attributes: dict[str, str | float | bool]
) -> None:
    decoded = decode_filter(wanted)
    assert decoded is not None
    assert decoded.matches(attributes) == brute_force(wanted, attributes)


def test_null_is_no_filter() -> None:
    assert decode_filter(None) is None


def test_eq_is_the_default_of_a_comparison() -> None:
    decoded = decode_filter({"key": "region", "value": "eu"})
    assert decoded is not None
    assert decoded.matches({"region": "eu"})
    assert not decoded.matches({"region": "us"})


def test_one_and_true_are_not_equal() -> None:
    decoded = decode_filter({"type": "in", "key": "draft", "value": [1, "true"]})
    assert decoded is not None
    assert not decoded.matches({"draft": True})
    assert decoded.matches({"draft": 1.0})


EQ = {"type": "eq", "key": "k", "value": 1}


@pytest.mark.parametrize(
    ("wanted", "param", "code"),
    [
        ([], "filters", "invalid_type"),
        ("x", "filters", "invalid_type"),
        ({}, "filters.type", "missing_required_parameter"),
        ({"type": "near", "key": "k", "value": 1}, "filters.type", "invalid_value"),
        ({"type": ["eq"], "key": "k", "value": 1}, "filters.type", "invalid_value"),
        ({"type": "eq", "value": 1}, "filters.key", "missing_required_parameter"),
        ({"type": "eq", "key": 1, "value": 1}, "filters.key", "invalid_type"),
        ({"type": "eq", "key": "k"}, "filters.value", "missing_required_parameter"),
        ({"type": "eq", "key": "k", "value": None}, "filters.value", "missing_required_parameter"),
        ({"type": "eq", "key": "k", "value": [1]}, "filters.value", "invalid_type"),
        ({"type": "gt", "key": "k", "value": True}, "filters.value", "invalid_type"),
        ({"type": "in", "key": "k", "value": 1}, "filters.value", "invalid_type"),
        ({"type": "nin", "key": "k", "value": [1, {}]}, "filters.value[1]", "invalid_type"),
        ({"type": "and"}, "filters.filters", "missing_required_parameter"),
        ({"type": "or", "filters": EQ}, "filters.filters", "invalid_type"),
        (
            {"type": "and", "filters": [EQ, {"type": "eq"}]},
            "filters.filters[1].key",
            "missing_required_parameter",
        ),
        ({"type": "and", "filters": [EQ, 7]}, "filters.filters[1]", "invalid_type"),
    ],
)
def test_what_is_wrong_is_a_400_that_names_the_place(wanted: JSON, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_filter(wanted)
    assert caught.value.status == 400
    assert (caught.value.param, caught.value.code) == (param, code)


def test_depth_and_number_are_bounded() -> None:
    deep: JSONObject = EQ
    for _ in range(1000):
        deep = {"type": "and", "filters": [deep]}
    with pytest.raises(InvalidRequest, match="10 levels deep"):
        decode_filter(deep)
    with pytest.raises(InvalidRequest, match="at most 500 comparisons"):
        decode_filter({"type": "or", "filters": [EQ] * 501})
    with pytest.raises(InvalidRequest, match="at most 500 comparisons"):
        decode_filter({"type": "in", "key": "k", "value": list(range(501))})


def test_the_place_begins_with_the_given_name() -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode_filter({"type": "eq"}, "tools[2].filters")
    assert caught.value.param == "tools[2].filters.key"
