"""Lists of the log, one of its lines, and refused requests."""

import msgspec
import pytest

from antiphon.store import Store
from antiphon.store.errors import CursorNotFound
from antiphon.store.log import records
from antiphon.store.log.rows import LogQuery, NewLogEntry
from tests.store.conftest import Run
from tests.store.log.samples import Facts, logged, numbers
from tests.store.samples import ME, count_rows, finished, new_response


def refused(number: int, owner: str = ME, key: str | None = None) -> NewLogEntry:
    return NewLogEntry(
        id=f"req_{number:04}",
        kind="refused",
        owner=owner,
        key_name=key,
        created_at=float(number),
        status="refused",
        model="m",
        summary="[]",
    )


def test_the_newest_lines_of_all_kinds_come_first(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in (1, 2, 4):
            await logged(store, number)
        await store.log.add(refused(3))
        first = await store.log.page(LogQuery(limit=2))
        assert [row.id for row in first.rows] == ["resp_004", "req_0003"]
        assert first.has_more
        second = await store.log.page(LogQuery(limit=2, after="req_0003"))
        assert [row.id for row in second.rows] == ["resp_002", "resp_001"]
        assert not second.has_more
        with pytest.raises(CursorNotFound):
            await store.log.page(LogQuery(after="resp_unknown"))

    run(scenario())


def test_each_condition_selects_its_lines(store: Store, run: Run) -> None:
    async def scenario() -> None:
        await logged(store, 1, "", Facts(model="a", tools=["web_search", "look_up"]))
        await logged(store, 2, "", Facts(status="failed", key="alice"))
        await logged(store, 3, "", Facts(owner="other", tools=["look_up"]))
        await store.pending.begin(ME, new_response("resp_004", at=4.0))
        await store.log.add(refused(5, key="alice"))
        assert await numbers(store) == [5, 4, 3, 2, 1]
        assert await numbers(store, model="a") == [1]
        assert await numbers(store, tool="look_up") == [3, 1]
        assert await numbers(store, tool="look_up", owner=ME) == [1]
        assert await numbers(store, key_name="alice") == [5, 2]
        assert await numbers(store, errors=True) == [5, 2]
        assert await numbers(store, status="failed") == [2]
        assert await numbers(store, status="refused") == [5]
        assert await numbers(store, status="in_progress") == [4]
        assert await numbers(store, status="completed") == [3, 1]
        assert await numbers(store, owner="other") == [3]
        assert await numbers(store, since=3.0) == [5, 4, 3]
        assert await numbers(store, tool="look_up", since=3.0) == [3]
        assert await numbers(store, tool="look_up", after="resp_003") == [1]

    run(scenario())


@pytest.mark.parametrize("owners", [3, 25])
def test_a_model_is_found_with_few_and_with_many_owners(store: Store, run: Run, owners: int) -> None:
    async def scenario() -> None:
        for number in range(30):
            facts = Facts(owner=f"owner{number % owners}", model="rare" if number % 5 == 0 else "usual")
            await logged(store, number, "", facts)
        assert await numbers(store, model="rare", limit=4) == [25, 20, 15, 10]
        assert await numbers(store, model="rare", limit=4, after="resp_010") == [5, 0]
        assert await numbers(store, model="none") == []

    run(scenario())


def test_a_line_has_its_items_its_forks_and_its_continuations(store: Store, run: Run) -> None:
    async def scenario() -> None:
        first = await logged(store, 1, "Go.")
        await logged(store, 2, "", Facts(previous=first))
        await logged(store, 3, "", Facts(forked_from=first))
        found = await store.log.get(ME, first)
        assert found is not None
        assert (found.steps, found.row.summary) == ("[]", '["Go."]')
        assert [msgspec.json.decode(item)["id"] for item in found.input] == ["msg_1"]
        assert (found.next_ids, found.forks) == (["resp_002"], ["resp_003"])
        assert await store.log.get("other", first) is None
        assert await store.log.get(None, first) == found
        fork = await store.log.get(ME, "resp_003")
        assert fork is not None
        assert fork.row.forked_from == first

    run(scenario())


def test_a_response_in_progress_has_its_first_summary_and_keeps_it_without_a_log(
    store: Store, run: Run
) -> None:
    async def scenario() -> None:
        new = msgspec.structs.replace(new_response("resp_1"), summary='["Go."]')
        await store.pending.begin(ME, new)
        for _ in range(2):
            found = await store.log.get(ME, "resp_1")
            assert found is not None
            assert (found.row.summary, found.steps) == ('["Go."]', None)
            await store.pending.finish(ME, finished("resp_1"))

    run(scenario())


def test_ids_are_found_by_their_beginning(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in (10, 11, 20):
            await logged(store, number)
        await store.log.add(refused(10, owner=""))
        assert await store.log.find(None, "resp_01") == ["resp_010", "resp_011"]
        assert await store.log.find(None, "resp_020") == ["resp_020"]
        assert await store.log.find(None, "req") == ["req_0010"]
        assert await store.log.find(ME, "req") == []
        assert await store.log.find(None, "resp_%") == []

    run(scenario())


def test_everything_goes_with_its_response(store: Store, url: str, run: Run) -> None:
    async def scenario() -> None:
        response_id = await logged(store, 1, "ferries", Facts(tools=["look_up"]))
        await store.log.index()
        assert await store.responses.delete(ME, response_id)
        assert await numbers(store) == await numbers(store, text="ferries") == []

    run(scenario())
    names = ("responses", "response_tools", "searchable_responses", "unindexed_responses")
    assert {name: count_rows(url)[name] for name in names} == dict.fromkeys(names, 0)


def test_of_refused_requests_only_the_last_thousand_of_an_owner_remain(store: Store, run: Run) -> None:
    async def scenario() -> None:
        for number in range(1002):
            await store.log.add(refused(number))
        await store.log.add(refused(5000, owner="other"))
        await store.log.delete_excess()
        found = await numbers(store, limit=2000)
        assert (len(found), found[0], found[-1]) == (1001, 5000, 2)

    run(scenario())


def test_the_requests_of_each_kind_have_a_bound(
    store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "_MOST_PER_OWNER", {"refused": 2, "unstored": 3})

    async def scenario() -> None:
        for number in range(5):
            await store.log.add(refused(number))
            await store.log.add(
                msgspec.structs.replace(refused(10 + number), kind="unstored", status="completed")
            )
        await store.log.delete_excess()
        assert await numbers(store, limit=20) == [14, 13, 12, 4, 3]

    run(scenario())
