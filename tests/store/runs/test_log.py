import pytest

from antiphon.store import Store
from antiphon.store.errors import DuplicateItem
from antiphon.store.runs.rows import Fenced
from tests.store.conftest import Run
from tests.store.runs.samples import claimed, ending, numbers_after, submit, write
from tests.store.samples import ME, count_rows, respond, status_of


def test_events_are_read_after_any_number(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        await store.runs.write(write(execution, 2, 10))
        await store.runs.write(write(execution, 10, 11))
        await store.runs.write(write(execution, 11, 11 + 50))
        await store.runs.end(ending(execution, 11 + 50))
        for after in range(-1, 12 + 50):
            expected = list(range(after + 1, 12 + 50))
            assert await numbers_after(store, "resp_1", after) == expected

    run(scenario())


def test_the_reader_learns_the_end_with_the_last_event(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        page = await store.runs.events_after("resp_1", -1)
        assert page is not None
        assert (page.last_seq, page.has_ended) == (1, False)
        await store.runs.end(ending(execution, 2))
        page = await store.runs.events_after("resp_1", 1)
        assert page is not None
        assert (page.last_seq, page.has_ended) == (2, True)
        page = await store.runs.events_after("resp_1", 99)
        assert page is not None
        assert (page.events, page.has_ended) == ([], True)

    run(scenario())


def test_long_logs_are_read_in_pages(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        for seq in range(2, 202):
            await store.runs.write(write(execution, seq, seq + 1))
        await store.runs.end(ending(execution, 202))
        got, after, pages = 0, -1, 0
        while True:
            page = await store.runs.events_after("resp_1", after)
            assert page is not None
            got += len(page.events)
            pages += 1
            after = page.last_seq
            if page.has_ended:
                break
        assert got == 203
        assert pages == 4

    run(scenario())


def test_a_gap_in_the_numbers_is_refused(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        for seq in (1, 3):
            with pytest.raises(Fenced):
                await store.runs.write(write(execution, seq, seq + 1))
        assert await numbers_after(store, "resp_1") == [0, 1]

    run(scenario())


def test_steps_and_events_are_stored_together(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        await store.runs.write(write(execution, 2, 3, open_call=(0, 3)))
        await store.runs.write(write(execution, 3, 3, step=("tool:a", None)))
        await store.runs.write(write(execution, 3, 5, step=("tool:a", '"done"')))
        again = await claimed(store)
        assert again.steps == {"tool:a": '"done"'}
        assert (again.open_call, again.call_seq, again.next_seq) == (0, 3, 5)
        await store.runs.write(write(again, 5, 5, step=("model:0", "[]"), open_call=None))
        third = await claimed(store)
        assert (third.steps, third.open_call) == ({"tool:a": '"done"', "model:0": "[]"}, None)

    run(scenario())


def test_events_of_a_cut_call_are_removed_unless_a_client_may_have_them(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        await store.runs.write(write(execution, 2, 3, open_call=(0, 3)))
        await store.runs.write(write(execution, 3, 6))
        again = await claimed(store)
        assert not await store.runs.rewind(execution), "the earlier execution is fenced"
        assert await store.runs.rewind(again)
        assert await numbers_after(store, "resp_1") == [0, 1, 2]
        await store.runs.write(write(again, 3, 3, open_call=(0, 3)))
        await store.runs.write(write(again, 3, 4))
        assert await store.runs.begin_reading(ME, "resp_1")
        third = await claimed(store)
        assert not await store.runs.rewind(third)
        assert await numbers_after(store, "resp_1") == [0, 1, 2, 3]

    run(scenario())


def test_a_stream_belongs_to_its_owner(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        await respond(store, "resp_2", ["a"], ["b"])
        assert await store.runs.begin_reading(ME, "resp_1")
        assert not await store.runs.begin_reading("thief", "resp_1")
        assert not await store.runs.begin_reading(ME, "resp_2"), "it isn't a background response"

    run(scenario())


def test_an_end_that_cannot_be_stored_leaves_the_run(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await respond(store, "resp_0", ["a"], ["b"])
        await submit(store, "resp_1")
        execution = await claimed(store)
        with pytest.raises(DuplicateItem):
            await store.runs.end(ending(execution, 2, "b*"))
        assert await numbers_after(store, "resp_1") == [0, 1]
        await store.runs.end(ending(execution, 2, status="failed"))
        assert await status_of(store, "resp_1") == "failed"

    run(scenario())


def test_deletion_removes_events_and_steps_and_stops_the_run(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        await store.runs.write(write(execution, 2, 2, step=("model:0", "[]")))
        assert await store.responses.delete(ME, "resp_1")
        with pytest.raises(Fenced):
            await store.runs.write(write(execution, 2, 3))
        assert await store.runs.events_after("resp_1", -1) is None
        rows = count_rows(url)
        assert [rows[name] for name in ("runs", "run_events", "run_steps", "items")] == [0, 0, 0, 0]

    run(scenario())


def test_the_end_removes_steps_and_keeps_events(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        await submit(store, "resp_1")
        execution = await claimed(store)
        await store.runs.write(write(execution, 2, 2, step=("model:0", "[]")))
        await store.runs.end(ending(execution, 2, "out"))
        rows = count_rows(url)
        assert [rows[name] for name in ("runs", "run_events", "run_steps")] == [1, 2, 0]

    run(scenario())
