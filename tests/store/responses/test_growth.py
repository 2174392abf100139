"""A turn stores its new items and nothing else: turn 200 adds as much as turn 5."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.responses.rows import FinishedResponse, NewItem
from tests.store.conftest import Run
from tests.store.samples import (
    ME,
    converse,
    count_characters,
    count_rows,
    new_response,
)

Turn = Callable[[Store, int], Awaitable[None]]
BODY = msgspec.json.encode({"text": "words " * 50}).decode()


def ids_of(number: int) -> tuple[str, str, str]:
    """Return the ids of the response, its input and its output; all of one length."""
    return f"resp_{number:05}", f"msg_in_{number:05}", f"msg_out_{number:05}"


def end_of(number: int) -> FinishedResponse:
    response, _, output = ids_of(number)
    return FinishedResponse(
        id=response,
        status="completed",
        completed_at=2.0,
        body=BODY,
        output=[NewItem(output, "message", BODY)],
    )


async def in_chain(store: Store, number: int) -> None:
    response, given, _ = ids_of(number)
    previous = ids_of(number - 1)[0] if number else None
    new = new_response(response, given, previous=previous)
    store.pending.begin(ME, msgspec.structs.replace(new, body=BODY))
    await store.pending.finish(ME, end_of(number))


async def in_conversation(store: Store, number: int) -> None:
    response, given, _ = ids_of(number)
    if not number:
        await converse(store, "conv_1")
    await store.conversations.lock(ME, "conv_1", response)
    seen = await store.conversations.context(ME, "conv_1")
    assert len(seen.bodies) == 2 * number
    new = msgspec.structs.replace(
        new_response(response, given),
        body=BODY,
        conversation_id="conv_1",
        conversation_position=seen.next_position,
    )
    store.pending.begin(ME, new)
    await store.pending.finish(ME, end_of(number))


@pytest.mark.parametrize("turn", [in_chain, in_conversation])
def test_a_turn_costs_the_same_early_and_late(store: Store, url: str, run: Run, turn: Turn) -> None:
    async def play(first: int, last: int) -> None:
        for number in range(first, last):
            await turn(store, number)

    def added_by(number: int) -> tuple[int, dict[str, int]]:
        characters, rows = count_characters(url), count_rows(url)
        run(play(number, number + 1))
        after = count_rows(url)
        return count_characters(url) - characters, {name: after[name] - rows[name] for name in rows}

    run(play(0, 5))
    early_characters, early_rows = added_by(5)
    run(play(6, 200))
    late_characters, late_rows = added_by(200)
    assert late_rows == early_rows
    assert early_rows["items"] == 2
    # Nothing but the digits of positions and of the conversation's counter may grow.
    assert abs(late_characters - early_characters) <= 10


@pytest.mark.parametrize("turn", [in_chain, in_conversation])
def test_a_file_grows_evenly(tmp_path: Path, run: Run, turn: Turn) -> None:
    """The test compares windows of a hundred turns; the tolerance is for whole pages."""

    async def growth() -> list[int]:
        store = await Store.open(str(tmp_path / "state.db"))
        sizes = [await store.size()]
        for number in range(500):
            await turn(store, number)
            if number % 100 == 99:
                sizes.append(await store.size())
        await store.close()
        return [later - earlier for earlier, later in pairwise(sizes)]

    windows = run(growth())
    assert max(windows[1:]) <= 1.2 * min(windows[1:])
