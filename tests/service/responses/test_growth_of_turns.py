"""A turn through the service stores its new items and nothing else: turn 200 adds as much as turn 5."""

import pytest

from antiphon.wire.json import JSON
from tests.service.world import World, say

ANSWER = "An answer of some length, always the same. " * 5
QUESTION = "A question of some length, always the same? " * 5


@pytest.mark.parametrize("continued", ["previous_response_id", "conversation"])
def test_a_turn_costs_the_same_early_and_late(world: World, continued: str) -> None:
    world.model.script(say(*ANSWER.split(" ")))
    conversation = world.begin()
    previous: JSON = None

    def turn() -> None:
        nonlocal previous
        place = previous if continued == "previous_response_id" else conversation
        previous = world.respond(QUESTION, **{continued: place})["id"]

    def added() -> tuple[int, dict[str, int]]:
        characters, rows = world.characters(), world.all_rows()
        turn()
        after = world.all_rows()
        return world.characters() - characters, {name: after[name] - rows[name] for name in rows}

    for _ in range(4):
        turn()
    early_characters, early_rows = added()
    for _ in range(5, 199):
        turn()
    late_characters, late_rows = added()
    assert len(world.model.requests) == 200
    assert len(world.seen()) == 399
    assert late_rows == early_rows
    assert early_rows["items"] == 2
    assert early_rows["responses"] == 1
    # Nothing but the digits of positions, of counters and of the time may grow.
    assert abs(late_characters - early_characters) <= 10


def test_a_client_that_sends_everything_again_stores_only_what_is_new(world: World) -> None:
    """The items keep their ids, so that the store knows each; every item in a request adds one link."""
    history: list[JSON] = []
    added = []
    for number in range(20):
        before = world.rows()
        response = world.respond([*history, {"role": "user", "content": str(number)}])
        history = [*world.input_items(response["id"]), *response["output"]]
        added.append(world.rows() - before)
    assert added == [2] * 20
    assert len(world.seen()) == 39
