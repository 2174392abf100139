"""Records of stored chat completions."""

import pytest

from antiphon.store import Store
from antiphon.store.chat.completions import StoredCompletion
from antiphon.store.errors import CursorNotFound, ObjectNotFound
from antiphon.wire.lists import PageQuery
from tests.store.conftest import OpenStore, Run
from tests.store.samples import ME

PAIRS = {"team": "a", "stage": "test"}


def completion(number: int, model: str = "up/m") -> StoredCompletion:
    return StoredCompletion(
        id=f"chatcmpl-{number}", created_at=float(number), model=model, body="{}", metadata="{}"
    )


def test_a_filter_needs_all_pairs(store: Store, run: Run) -> None:
    run(store.completions.add(ME, completion(1), "[]", PAIRS))
    run(store.completions.add(ME, completion(2), "[]", {"team": "a"}))
    run(store.completions.add("other", completion(3), "[]", PAIRS))
    query = PageQuery(order="asc")

    def ids(**pairs: str) -> list[str]:
        return [each.id for each in run(store.completions.page(ME, query, None, pairs)).rows]

    assert ids() == ["chatcmpl-1", "chatcmpl-2"]
    assert ids(team="a") == ["chatcmpl-1", "chatcmpl-2"]
    assert ids(team="a", stage="test") == ["chatcmpl-1"]
    assert ids(team="b") == []


def test_a_deletion_takes_the_pairs_along(store: Store, run: Run) -> None:
    run(store.completions.add(ME, completion(1), "[]", PAIRS))
    run(store.completions.delete(ME, "chatcmpl-1"))
    run(store.completions.add(ME, completion(1), "[1]", {}))
    assert run(store.completions.page(ME, PageQuery(), None, {"team": "a"})).rows == []
    assert run(store.completions.messages(ME, "chatcmpl-1")) == "[1]"


def test_what_another_owner_has_is_not_found(store: Store, run: Run) -> None:
    run(store.completions.add("other", completion(1), "[]", {}))
    for call in (
        store.completions.get(ME, "chatcmpl-1"),
        store.completions.messages(ME, "chatcmpl-1"),
        store.completions.set_metadata(ME, "chatcmpl-1", "{}", {}),
        store.completions.delete(ME, "chatcmpl-1"),
    ):
        with pytest.raises(ObjectNotFound):
            run(call)
    with pytest.raises(CursorNotFound):
        run(store.completions.page(ME, PageQuery(after="chatcmpl-1"), None, {}))


def test_old_completions_expire(open_store: OpenStore, run: Run) -> None:
    store = open_store(clock=lambda: 1000.0)
    for number in (10, 20, 990):
        run(store.completions.add(ME, completion(number), "[]", PAIRS))
    assert run(store.expiry.count("chat_completions", 100.0)) == 2

    async def remove() -> int:
        return len([removed async for removed in store.expiry.remove("chat_completions", 100.0)])

    assert run(remove()) > 0
    kept = run(store.completions.page(ME, PageQuery(), None, {})).rows
    assert [each.id for each in kept] == ["chatcmpl-990"]
