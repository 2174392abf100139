"""Short forms of stored objects.

The body of an item is the JSON text of its id. "a*" is an item with the id "a" and another body than "a".
"""

import json
from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import String, cast, func, select

from antiphon.store import Store
from antiphon.store.connect import open_engine
from antiphon.store.responses.rows import FinishedResponse, ItemPage, NewConversation, NewItem, NewResponse
from antiphon.store.tables import metadata

ME = "me"
Status = Literal["completed", "failed", "incomplete", "cancelled"]


def item(item_id: str) -> NewItem:
    return NewItem(item_id.rstrip("*"), "message", body(item_id))


def body(item_id: str) -> str:
    changed = {"changed": True} if item_id.endswith("*") else {}
    return json.dumps({"id": item_id.rstrip("*"), **changed})


def bodies(*item_ids: str) -> list[str]:
    return [body(item_id) for item_id in item_ids]


def new_response(
    response_id: str,
    *new: str,
    references: Sequence[str] = (),
    previous: str | None = None,
    at: float = 1.0,
) -> NewResponse:
    """Return a response whose input is the new items `new`, then the stored items `references`."""
    return NewResponse(
        id=response_id,
        created_at=at,
        model="m",
        body=json.dumps({"id": response_id, "status": "in_progress"}),
        input_new=[item(item_id) for item_id in new],
        input_ids=[*(item_id.rstrip("*") for item_id in new), *references],
        previous_response_id=previous,
    )


def finished(response_id: str, *output: str, status: Status = "completed") -> FinishedResponse:
    return FinishedResponse(
        id=response_id,
        status=status,
        completed_at=2.0 if status == "completed" else None,
        body=json.dumps({"id": response_id, "status": status}),
        output=[item(item_id) for item_id in output],
    )


async def respond(
    store: Store, response_id: str, given: Sequence[str], output: Sequence[str], previous: str | None = None
) -> None:
    """Store a whole response."""
    await store.pending.begin(ME, new_response(response_id, *given, previous=previous))
    await store.pending.finish(ME, finished(response_id, *output))


async def converse(store: Store, conversation_id: str, *items: str) -> None:
    """Create a conversation with new items."""
    await store.conversations.create(
        ME,
        NewConversation(
            id=conversation_id,
            created_at=1.0,
            metadata="{}",
            items=[item(item_id) for item_id in items],
            item_ids=list(items),
        ),
    )


async def begin_in(
    store: Store, conversation_id: str, response_id: str, *given: str, references: Sequence[str] = ()
) -> None:
    """Begin a response in a conversation as the service does: lock, read, begin.

    Its input is the new items `given`, then the stored items `references`.
    """
    await store.conversations.lock(ME, conversation_id, response_id)
    seen = await store.conversations.context(ME, conversation_id)
    new = msgspec.structs.replace(
        new_response(response_id, *given, references=references),
        conversation_id=conversation_id,
        conversation_position=seen.next_position,
    )
    await store.pending.begin(ME, new)


async def seen_in(store: Store, conversation_id: str) -> list[str]:
    """Return the ids of a conversation's items, oldest first."""
    context = await store.conversations.context(ME, conversation_id)
    return [json.loads(found)["id"] for found in context.bodies]


async def status_of(store: Store, response_id: str) -> str:
    """Return the status of a response, which must be that of its body."""
    found = await store.responses.get(ME, response_id)
    assert found is not None
    assert json.loads(found.body)["status"] == found.status
    return found.status


def ids_of(page: ItemPage | None) -> list[str]:
    """Return the ids of the items of a page that must not be None."""
    assert page is not None
    return [found.id for found in page.items]


def count_rows(url: str) -> dict[str, int]:
    """Return the number of rows of every table."""
    engine = open_engine(url).reading
    with engine.connect() as connection:
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    return counts


def count_characters(url: str) -> int:
    """Return the number of characters in all columns of all tables."""
    engine = open_engine(url).reading
    total = 0
    with engine.connect() as connection:
        for table in metadata.tables.values():
            for column in table.columns:
                lengths = func.sum(func.length(cast(column, String)))
                total += connection.execute(select(lengths)).scalar_one() or 0
    engine.dispose()
    return total
