"""Removal of deleted responses and conversations with their items, in slices.

An item goes with its last link. A deleted conversation keeps the links that the histories of its responses
contain: those below the highest position up to which a response that wasn't deleted has read it.
"""

from sqlalchemy import Connection, bindparam, delete, exists, func, select, tuple_

from antiphon.store.deletions.queue import Progress, remove_or_queue
from antiphon.store.responses.items import delete_unlinked
from antiphon.store.tables import conversation_items, conversations, response_items, responses

_SLICE = 500
"""The most links per transaction."""

_CONVERSATION = (
    select(conversations.c.owner, conversations.c.deleted_at, conversations.c.locked_by)
    .where(conversations.c.id == bindparam("conversation_id"))
    .with_for_update()
)
_HORIZON = select(func.max(responses.c.conversation_position)).where(
    responses.c.conversation_id == bindparam("conversation_id"), responses.c.deleted_at.is_(None)
)
_DELETE_UNUSED = delete(conversations).where(
    conversations.c.id == bindparam("the_id"),
    ~exists().where(responses.c.conversation_id == conversations.c.id),
)


def remove_response(connection: Connection, response_id: str) -> Progress:
    """Remove a slice of a response's links with their items, then the response itself."""
    response = select(responses.c.owner, responses.c.conversation_id).where(responses.c.id == response_id)
    row = connection.execute(response.with_for_update()).one_or_none()
    if row is None:
        return Progress.DONE
    place = tuple_(response_items.c.direction, response_items.c.position)
    own = response_items.c.response_id == response_id
    links = select(response_items.c.direction, response_items.c.position, response_items.c.item_id)
    found = connection.execute(links.where(own).order_by("direction", "position").limit(_SLICE)).all()
    is_last = len(found) < _SLICE
    if is_last:
        connection.execute(delete(responses).where(responses.c.id == response_id))
    else:
        end = (found[-1].direction, found[-1].position)
        connection.execute(delete(response_items).where(own, place <= end))
    delete_unlinked(connection, row.owner, {link.item_id for link in found})
    if is_last and row.conversation_id is not None:
        remove_or_queue(connection, "conversation", row.conversation_id, trim_conversation)
    return Progress.DONE if is_last else Progress.MORE


def trim_conversation(connection: Connection, conversation_id: str) -> Progress:
    """Remove a slice of a deleted conversation's links that no history contains, with their items.

    The conversation itself goes with its last response. A conversation that wasn't deleted stays as it is.
    """
    chosen = {"conversation_id": conversation_id}
    row = connection.execute(_CONVERSATION, chosen).one_or_none()
    if row is None or row.deleted_at is None:
        return Progress.DONE
    if row.locked_by is not None:
        return Progress.BLOCKED  # Its response, which may only exist in memory, can have read all items.
    horizon = connection.execute(_HORIZON, chosen).scalar() or 0
    position = conversation_items.c.position
    beyond = (conversation_items.c.conversation_id == conversation_id) & (position >= horizon)
    links = select(position, conversation_items.c.item_id).where(beyond).order_by(position).limit(_SLICE)
    found = connection.execute(links).all()
    if found:
        connection.execute(delete(conversation_items).where(beyond, position <= found[-1].position))
        delete_unlinked(connection, row.owner, [link.item_id for link in found])
    if len(found) == _SLICE:
        return Progress.MORE
    if horizon == 0:
        connection.execute(_DELETE_UNUSED, {"the_id": conversation_id})
    return Progress.DONE
