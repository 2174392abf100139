"""Responses with logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from antiphon.store import Store
from antiphon.store.log.rows import LogQuery
from antiphon.store.responses.rows import NewItem, ResponseLog
from tests.store.samples import ME, Status, finished, new_response


def message(item_id: str, text: str) -> NewItem:
    """Return a message of one text."""
    content = [{"type": "input_text", "text": text}]
    return NewItem(item_id, "message", json.dumps({"type": "message", "id": item_id, "content": content}))


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts about a response that lists select by."""

    owner: str = ME
    model: str = "m"
    status: Status = "completed"
    tools: Sequence[str] = ()
    key: str | None = None
    previous: str | None = None
    forked_from: str | None = None


_PLAIN = Facts()


async def logged(store: Store, number: int, text: str = "", facts: Facts = _PLAIN) -> str:
    """Store a response with a log, and return its ID; the number is also its time."""
    response_id = f"resp_{number:03}"
    new = msgspec.structs.replace(
        new_response(response_id, previous=facts.previous, at=float(number)),
        model=facts.model,
        input_new=[message(f"msg_{number}", text)],
        input_ids=[f"msg_{number}"],
        key_name=facts.key,
        forked_from=facts.forked_from,
        summary='["begun"]',
    )
    await store.pending.begin(facts.owner, new)
    summary, steps = json.dumps([text]), "[]"
    log = ResponseLog(summary, steps, list(facts.tools), is_searchable=True)
    end = msgspec.structs.replace(finished(response_id, status=facts.status), log=log)
    await store.pending.finish(facts.owner, end)
    return response_id


async def numbers(store: Store, **conditions: str | float | bool | None) -> list[int]:
    """Return the numbers of the responses that a list contains, in its order."""
    page = await store.log.page(msgspec.convert(conditions, LogQuery))
    return [int(row.id.rpartition("_")[2]) for row in page.rows]
