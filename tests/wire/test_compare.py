"""The comparison itself, which must find differences."""

import copy

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.wire.compare import Comparison, Deviation, Difference

RECORDED: JSONObject = {
    "created_at": 10,
    "completed_at": None,
    "item_id": "msg_a",
    "temperature": 1.0,
    "output": [{"id": "msg_a", "text": "Paris"}, {"id": "fc_b", "text": ""}],
}


def differences(recorded: JSON, ours: JSON) -> list[Difference]:
    return list(Comparison().differences("response", recorded, ours))


def test_other_ids_times_and_padding_are_no_difference() -> None:
    ours = {
        "created_at": 99,
        "completed_at": None,
        "item_id": "msg_1",
        "temperature": 1.0,
        "output": [{"id": "msg_1", "text": "Paris"}, {"id": "fc_2", "text": ""}],
    }
    assert differences(RECORDED | {"obfuscation": "x"}, ours) == []


@pytest.mark.parametrize(
    ("place", "value", "path"),
    [
        (("output", 0, "text"), "Rome", "response.output[].text"),
        (("output", 1, "id"), "msg_b", "response.output[].id"),
        (("output", 0, "id"), "msg_other", "response.output[].id"),
        (("output", 1, "id"), "fc_a", ""),
        (("completed_at",), 11, "response.completed_at"),
        (("created_at",), None, "response.created_at"),
        (("temperature",), 1, "response.temperature"),
        (("output", 0), {"id": "msg_a"}, "response.output[].text"),
        (("extra",), None, "response.extra"),
    ],
)
def test_a_change_is_found_at_its_place(place: tuple[str | int, ...], value: JSON, path: str) -> None:
    ours = copy.deepcopy(RECORDED)
    target: JSON = ours
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    assert [difference.path for difference in differences(RECORDED, ours)] == ([path] if path else [])


def test_one_id_of_ours_may_not_stand_for_two_recorded_ones() -> None:
    recorded = [{"id": "rs_a"}, {"id": "rs_b"}]
    assert differences(recorded, [{"id": "rs_1"}, {"id": "rs_1"}]) == [
        Difference("response[].id", "value", "rs_b", "rs_1")
    ]


def test_a_list_that_is_shorter_is_a_difference() -> None:
    assert differences({"output": [1, 2]}, {"output": [1]}) == [
        Difference("response.output[]", "value", 2, 1)
    ]


def test_a_deviation_covers_its_own_path_and_kind_only() -> None:
    deviation = Deviation(r"response\.top_p", "value", "a default", unless_sent="sampling.top_p")
    difference = Difference("response.top_p", "value", 0.98, 1.0)
    assert deviation.covers(difference, {})
    assert deviation.covers(difference, {"sampling": {"top_p": None}})
    assert not deviation.covers(difference, {"sampling": {"top_p": 1.0}})
    assert not deviation.covers(difference._replace(kind="absent here"), {})
    assert not deviation.covers(difference._replace(path="response.top_p.x"), {})
