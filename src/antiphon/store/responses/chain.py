"""History of a response, by one recursive query up its previous responses."""

from sqlalchemy import BindParameter, Connection, Integer, bindparam, literal_column, select, union_all

from antiphon.store.errors import PreviousResponseNotFound
from antiphon.store.responses.rows import History
from antiphon.store.tables import conversation_items, items, response_items, responses

_OWNER: BindParameter[str] = bindparam("owner")

_start = (
    select(
        responses.c.id,
        responses.c.previous_response_id,
        responses.c.conversation_id,
        responses.c.conversation_position,
        responses.c.status,
        literal_column("0", Integer).label("depth"),
    )
    .where(
        responses.c.id == bindparam("response_id"),
        responses.c.owner == _OWNER,
        responses.c.deleted_at.is_(None),
    )
    .cte("chain", recursive=True)
)
_chain = _start.union_all(
    select(
        responses.c.id,
        responses.c.previous_response_id,
        responses.c.conversation_id,
        responses.c.conversation_position,
        responses.c.status,
        _start.c.depth + 1,
    ).where(
        responses.c.id == _start.c.previous_response_id,
        responses.c.owner == _OWNER,
        responses.c.deleted_at.is_(None),
    )
)
# Outer joins: a response without items still has a row, with its status and its previous response.
_own = (
    select(
        _chain.c.depth,
        response_items.c.direction,
        response_items.c.position,
        _chain.c.previous_response_id,
        _chain.c.status,
        items.c.body,
    )
    .select_from(_chain)
    .outerjoin(response_items, response_items.c.response_id == _chain.c.id)
    .outerjoin(items, (items.c.owner == _OWNER) & (items.c.id == response_items.c.item_id))
)
_shared = (
    select(
        _chain.c.depth,
        literal_column("'conversation'").label("direction"),  # sorts before "input" and "output"
        conversation_items.c.position,
        _chain.c.previous_response_id,
        _chain.c.status,
        items.c.body,
    )
    .select_from(_chain)
    .join(
        conversation_items,
        (conversation_items.c.conversation_id == _chain.c.conversation_id)
        & (conversation_items.c.position < _chain.c.conversation_position),
    )
    .join(items, (items.c.owner == _OWNER) & (items.c.id == conversation_items.c.item_id))
)
_seen = union_all(_own, _shared).subquery()
HISTORY = select(_seen.c.previous_response_id, _seen.c.status, _seen.c.body).order_by(
    _seen.c.depth.desc(), _seen.c.direction, _seen.c.position
)


def response_history(connection: Connection, owner: str, response_id: str) -> History:
    """Return the items that precede a follow-up of the response, oldest first.

    If the chain began in a conversation, the items that the conversation had at that time come first.

    Raises:
        PreviousResponseNotFound: A response of the chain is missing; the error names the one closest to
            `response_id`.
    """
    rows = connection.execute(HISTORY, {"owner": owner, "response_id": response_id}).all()
    if not rows:
        raise PreviousResponseNotFound(response_id)
    before_the_oldest, _, _ = rows[0]
    if before_the_oldest is not None:
        raise PreviousResponseNotFound(before_the_oldest)
    _, status, _ = rows[-1]
    return History(status, [body for _, _, body in rows if body is not None])
