"""Queries for old objects, and their removal one at a time.

Nothing in use is removed: a response that runs, or that another response continues; a conversation with a
response in progress; a batch that hasn't ended; a file in a vector store, or the input of such a batch.
Removals check this again, in the transaction of the removal.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from antiphon.store.batches.tables import batches, is_open
from antiphon.store.chat.completions import chat_completions
from antiphon.store.deletions.queue import remove_or_queue
from antiphon.store.files import hide_file
from antiphon.store.log.tables import log_entries
from antiphon.store.responses.removal import trim_conversation
from antiphon.store.responses.responses import remove_or_hide
from antiphon.store.runs.tables import has_ended, runs
from antiphon.store.tables import (
    conversations,
    files,
    is_attached,
    is_running,
    responses,
    vector_store_files,
)

ExpiringKind = Literal[
    "responses", "chat_completions", "conversations", "event_logs", "batches", "files", "log_entries"
]
"""A kind of object that expires by the settings."""

Place = tuple[str, float, str]
"""The owner, the time and the ID of an object, in the order in which objects are found."""
START: Place = ("", float("-inf"), "")
"""The place before all objects."""


class Expiry(Struct, frozen=True):
    """Queries for the expired objects of one kind; `before` is the time before which they are old."""

    find: Callable[[Connection, float, Place, int], Sequence[Place]]
    """Returns the next old objects after a place, at most so many."""
    remove: Callable[[Connection, str, float, float], Sequence[str] | None]
    """Removes an object by ID if it is old and not in use; the last argument is the time now.

    Returns the IDs of objects that may not be in use any more, or None if it wasn't removed.
    """
    count: Callable[[Connection, float], int]
    """Returns the number of objects that `find` and `remove` would remove."""


_younger = responses.alias("younger")
_is_continued = exists().where(
    _younger.c.previous_response_id == responses.c.id, _younger.c.deleted_at.is_(None)
)


def _is_old_response(before: float) -> ColumnElement[bool]:
    return and_(responses.c.created_at < before, responses.c.deleted_at.is_(None), ~is_running)


def _find_responses(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    key = (responses.c.created_at, responses.c.id)
    old = select(*key).where(_is_old_response(before), ~_is_continued, tuple_(*key) > after[1:])
    return [("", *row) for row in connection.execute(old.order_by(*key).limit(most))]


def _remove_response(
    connection: Connection, response_id: str, before: float, now: float
) -> Sequence[str] | None:
    old = select(responses.c.previous_response_id).where(
        responses.c.id == response_id, _is_old_response(before), ~_is_continued
    )
    found = connection.execute(old.with_for_update(of=responses)).one_or_none()
    if found is None:
        return None
    remove_or_hide(connection, response_id, now)
    return [] if found.previous_response_id is None else [found.previous_response_id]


def _count_responses(connection: Connection, before: float) -> int:
    """Count the old responses that no kept response continues, directly or not."""
    previous = responses.c.previous_response_id
    kept = (
        select(previous.label("id"))
        .where(~_is_old_response(before), responses.c.deleted_at.is_(None), previous.is_not(None))
        .cte("kept", recursive=True)
    )
    kept = kept.union(select(previous).where(responses.c.id == kept.c.id, previous.is_not(None)))
    old = select(func.count()).where(_is_old_response(before), responses.c.id.not_in(select(kept.c.id)))
    return connection.execute(old).scalar_one()


def _find_completions(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    key = (chat_completions.c.created_at, chat_completions.c.id)
    old = select(*key).where(chat_completions.c.created_at < before, tuple_(*key) > after[1:])
    return [("", *row) for row in connection.execute(old.order_by(*key).limit(most))]


def _remove_completion(
    connection: Connection, completion_id: str, before: float, _: float
) -> Sequence[str] | None:
    chosen = and_(chat_completions.c.id == completion_id, chat_completions.c.created_at < before)
    return [] if connection.execute(delete(chat_completions).where(chosen)).rowcount else None


def _count_completions(connection: Connection, before: float) -> int:
    old = select(func.count()).where(chat_completions.c.created_at < before)
    return connection.execute(old).scalar_one()


def _is_old_conversation(before: float) -> ColumnElement[bool]:
    # The first condition is there for the index. An older server, which runs during an update, doesn't set
    # the time of the last use.
    return and_(
        conversations.c.created_at < before,
        func.coalesce(conversations.c.used_at, conversations.c.created_at) < before,
        conversations.c.deleted_at.is_(None),
        conversations.c.locked_by.is_(None),
    )


def _find_conversations(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    key = tuple_(conversations.c.created_at, conversations.c.id)
    old = (
        select(conversations.c.created_at, conversations.c.id)
        .where(_is_old_conversation(before), key > after[1:])
        .order_by(conversations.c.created_at, conversations.c.id)
        .limit(most)
    )
    return [("", *row) for row in connection.execute(old)]


def _remove_conversation(
    connection: Connection, conversation_id: str, before: float, now: float
) -> Sequence[str] | None:
    chosen = (conversations.c.id == conversation_id) & _is_old_conversation(before)
    if connection.execute(update(conversations).where(chosen).values(deleted_at=now)).rowcount == 0:
        return None
    remove_or_queue(connection, "conversation", conversation_id, trim_conversation)
    return []


def _count_conversations(connection: Connection, before: float) -> int:
    return connection.execute(select(func.count()).where(_is_old_conversation(before))).scalar_one()


def _is_old_log(before: float) -> ColumnElement[bool]:
    # A response ends after it was queued, so the first condition is there for the index.
    ended_at = func.coalesce(responses.c.completed_at, runs.c.queued_at)
    ended = exists().where(responses.c.id == runs.c.id, responses.c.deleted_at.is_(None), ended_at < before)
    return and_(has_ended, runs.c.queued_at < before, ended)


def _find_logs(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    key = tuple_(runs.c.queued_at, runs.c.id)
    old = (
        select(runs.c.queued_at, runs.c.id)
        .where(_is_old_log(before), key > after[1:])
        .order_by(runs.c.queued_at, runs.c.id)
        .limit(most)
    )
    return [("", *row) for row in connection.execute(old)]


def _remove_log(connection: Connection, run_id: str, before: float, _: float) -> Sequence[str] | None:
    # With its events. A log without its first events would look like one that isn't complete yet.
    gone = connection.execute(delete(runs).where(runs.c.id == run_id, _is_old_log(before)))
    return [] if gone.rowcount else None


def _count_logs(connection: Connection, before: float) -> int:
    return connection.execute(select(func.count()).where(_is_old_log(before))).scalar_one()


def _is_old_file(before: float) -> ColumnElement[bool]:
    attached = exists().where(vector_store_files.c.file_id == files.c.id, is_attached)
    # The object of a batch contains the ID of its input file.
    is_input = exists().where(is_open, batches.c.owner == files.c.owner, batches.c.body.contains(files.c.id))
    return and_(files.c.created_at < before, files.c.deleted_at.is_(None), ~attached, ~is_input)


def _find_files(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    return _find_by_owner(connection, files, _is_old_file(before), before, after, most)


def _remove_file(connection: Connection, file_id: str, before: float, now: float) -> Sequence[str] | None:
    found, _ = hide_file(connection, file_id, _is_old_file(before), now)
    return [] if found else None


def _count_files(connection: Connection, before: float) -> int:
    return connection.execute(select(func.count()).where(_is_old_file(before))).scalar_one()


def _find_entries(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    key = (log_entries.c.created_at, log_entries.c.id)
    old = select(*key).where(log_entries.c.created_at < before, tuple_(*key) > after[1:])
    return [("", *row) for row in connection.execute(old.order_by(*key).limit(most))]


def _remove_entry(connection: Connection, entry_id: str, before: float, _: float) -> Sequence[str] | None:
    old = (log_entries.c.id == entry_id) & (log_entries.c.created_at < before)
    return [] if connection.execute(delete(log_entries).where(old)).rowcount else None


def _count_entries(connection: Connection, before: float) -> int:
    old = select(func.count()).where(log_entries.c.created_at < before)
    return connection.execute(old).scalar_one()


def _is_old_batch(before: float) -> ColumnElement[bool]:
    return and_(batches.c.created_at < before, ~is_open)


def _find_batches(connection: Connection, before: float, after: Place, most: int) -> Sequence[Place]:
    return _find_by_owner(connection, batches, _is_old_batch(before), before, after, most)


def _remove_batch(connection: Connection, batch_id: str, before: float, _: float) -> Sequence[str] | None:
    # Its end has deleted the results of its lines.
    chosen = (batches.c.id == batch_id) & _is_old_batch(before)
    return [] if connection.execute(delete(batches).where(chosen)).rowcount else None


def _count_batches(connection: Connection, before: float) -> int:
    return connection.execute(select(func.count()).where(_is_old_batch(before))).scalar_one()


def _find_by_owner(
    connection: Connection,
    table: Table,
    is_old: ColumnElement[bool],
    before: float,
    after: Place,
    most: int,
) -> Sequence[Place]:
    """Return the next old objects, owner by owner, as in the table's index by time."""
    owner, *place = after
    key = (table.c.created_at, table.c.id)
    found: list[Place] = []
    while True:
        own = select(*key).where(table.c.owner == owner, is_old, tuple_(*key) > tuple(place))
        found += [(owner, *row) for row in connection.execute(own.order_by(*key).limit(most))]
        later = _next_owner(connection, table, owner, before)
        if len(found) >= most or later is None:
            return found[:most]
        owner, place = later, [*START[1:]]


def _next_owner(connection: Connection, table: Table, owner: str, before: float) -> str | None:
    """Return the next owner with an old object, by a query that reads one row per owner."""
    first = select(func.min(table.c.owner).label("owner")).where(table.c.owner > owner)
    owners = first.cte("owners", recursive=True)
    following = select(func.min(table.c.owner)).where(table.c.owner > owners.c.owner).correlate(owners)
    owners = owners.union_all(select(following.scalar_subquery()).where(owners.c.owner.is_not(None)))
    has_old = exists().where(table.c.owner == owners.c.owner, table.c.created_at < before)
    found: str | None = connection.execute(select(owners.c.owner).where(has_old).limit(1)).scalar()
    return found


EXPIRIES: Mapping[ExpiringKind, Expiry] = {
    # The order matters: a response that goes may be the last that needs a deleted conversation.
    "event_logs": Expiry(_find_logs, _remove_log, _count_logs),
    "responses": Expiry(_find_responses, _remove_response, _count_responses),
    "chat_completions": Expiry(_find_completions, _remove_completion, _count_completions),
    "conversations": Expiry(_find_conversations, _remove_conversation, _count_conversations),
    "batches": Expiry(_find_batches, _remove_batch, _count_batches),
    "files": Expiry(_find_files, _remove_file, _count_files),
    "log_entries": Expiry(_find_entries, _remove_entry, _count_entries),
}
"""The kinds of objects that can expire."""
